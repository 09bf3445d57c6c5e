package importtest

import "strings"

// differs says in what two answers differ, and which of the known spellings it
// is; "" where they are the same.
func differs(p pair) (what, known string) {
	n, e := p.n, p.e
	switch {
	case n.status != e.status:
		return "status", ""
	case n.body != e.body || n.hit != e.hit || n.upstream != e.upstream:
		return "location hit", ""
	case n.location != e.location:
		return "Location", spelling(n.location, e.location)
	case n.target != e.target:
		return "target", p.sent()
	}
	return "", ""
}

// sent names what is known between the targets that the upstream saw.
func (p pair) sent() string {
	if p.n.target == p.q.target && p.e.target == p.way.Seen.Path {
		return "raw against normalised"
	}
	return spelling(p.n.target, p.e.target)
}

// spelling names the known ways in which a URI may be written otherwise.
func spelling(n, e string) string {
	if strings.TrimSuffix(e, "?") == strings.TrimSuffix(n, "?") {
		return "bare question mark"
	}
	if strings.TrimRight(strings.ReplaceAll(e, "%3F", "?"), "?") == strings.TrimRight(n, "?") {
		return "escapes spelled otherwise"
	}
	if cut, _, fragment := strings.Cut(n, "#"); fragment && (cut == e || spelling(cut, e) != "") {
		return "fragment"
	}
	if n == strings.TrimRight(decoded(e), " ") {
		return "decoded by $uri"
	}
	np, nq, _ := strings.Cut(n, "?")
	ep, eq, _ := strings.Cut(e, "?")
	if nq != eq {
		return ""
	}
	if decoded(np) == decoded(ep) || np == decoded(ep) {
		return "escapes spelled otherwise"
	}
	if cleaned(np) == cleaned(ep) {
		return "raw against normalised"
	}
	return ""
}
