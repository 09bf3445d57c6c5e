package importtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/nginx/conf"
)

// differs says in what two answers differ, and which of the known spellings it
// is; "" where they are the same.
func differs(p pair) (what, known string) {
	n, e := p.n, p.e
	switch {
	case n.status != e.status:
		return "status", ""
	case n.hit != e.hit || n.upstream != e.upstream || (n.body == "") != (e.body == ""):
		return "location hit", ""
	case n.body != e.body:
		return "body", ""
	case n.location != e.location:
		return "Location", spelling(n.location, e.location)
	case n.target != e.target:
		return "target", p.sent()
	case n.method != e.method:
		return "method", ""
	}
	return "", ""
}

// headers are those that the two have not alike, by who sees them; those that each
// is known to write in its own way are not among them.
func (p pair) headers() (out []string) {
	for _, name := range unlike(p.n.sent, p.e.sent) {
		if p.header(name) == "" {
			out = append(out, "header to the upstream: "+name)
		}
	}
	differ := p.lab.tells("refusals may differ in add_header")
	if early := p.way.Action == match.Refused || p.e.status == 400 && twice(p.q); early && differ {
		return out
	}
	guarded := p.n.status == 400 && p.e.status == 400 && strings.HasPrefix(p.way.Route.Name, "nginx: bad ")
	for _, name := range unlike(p.n.told, p.e.told) {
		if !guarded || !differ || !p.open(name) {
			out = append(out, "header to the client: "+name)
		}
	}
	return out
}

// open reports whether the value of a header that nginx's server adds is of a table,
// which the route of a refusal does not know, or of a header that came behind a bad
// Host, which nginx did not read any more.
func (p pair) open(name string) bool {
	return p.nginx.Server != nil && slices.ContainsFunc(p.nginx.Server.Children("add_header"), func(d *conf.Directive) bool {
		return strings.EqualFold(d.Arg(0), name) && (tableOf.MatchString(d.Arg(1)) || headerOf.MatchString(d.Arg(1)) && p.way.Route.Name == "nginx: bad Host")
	})
}

var (
	tableOf  = regexp.MustCompile(`\$(?:word|zone|verb|known|net)_`)
	headerOf = regexp.MustCompile(`\$(?:http_x_a|http_user_agent|cookie_c)\b`)
)

func unlike(a, b map[string]string) (out []string) {
	names := map[string]string{}
	maps.Copy(names, a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			out = append(out, name)
		}
	}
	return out
}

// header names what is known of a header that the upstream sees.
func (p pair) header(name string) string {
	n, e := p.n.sent[name], p.e.sent[name]
	switch {
	case name == "x-forwarded-proto" && n == "" && e == "http", name == "x-envoy-external-address" && n == "":
		return "Envoy always sends it"
	case name == "host" && strings.Replace(strings.TrimSuffix(n, "."), ".:", ":", 1) == e:
		return "a dot at its end"
	case strings.ReplaceAll(n, ", ", ",") == strings.ReplaceAll(e, ", ", ","):
		return "blanks in a list"
	case name == "x-envoy-original-host" && e == p.q.host:
		return "Envoy keeps what it replaces"
	}
	return ""
}

// sent names what is known between the targets that the upstream saw.
func (p pair) sent() string {
	if p.n.target == p.q.target && p.e.target == p.way.Seen.Path {
		return "raw against normalised"
	}
	return spelling(p.n.target, p.e.target)
}

// spellings are the words in which the import's report names each of them.
var spellings = map[string]string{
	"raw against normalised":    "sends .. and // on as they came",
	"bare question mark":        "keeps a bare ?",
	"escapes spelled otherwise": "decodes letters, digits and -._~ alone",
	"decoded by $uri":           "decodes letters, digits and -._~ alone",
	"fragment":                  "drops a #",
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
