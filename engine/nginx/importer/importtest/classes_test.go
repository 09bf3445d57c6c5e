package importtest

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// left are the classes of requests that the two are known to take apart, as
// narrow as a request alone can say. Of those with only: a target, the status and
// the location are compared all the same.
var left = []struct {
	name string
	why  string
	is   func(q request) bool
}{
	{"above the root", "nginx: 400; Envoy: the root", func(q request) bool { return aboveRoot(pathIn(q.target)) }},
	{"backslash", "nginx: an ordinary character; Envoy: a slash", func(q request) bool { return strings.Contains(pathIn(q.target), `\`) }},
	{"escaped backslash", "nginx: an ordinary character; Envoy keeps %5C", func(q request) bool { return has(q, "%5c") }},
	{"escaped newline", "nginx decodes it, and $ means before it", func(q request) bool { return has(q, "%0a") }},
	{"escaped UTF-8", "nginx decodes it", func(q request) bool { return has(q, "%c3") }},
	{"raw byte", "Envoy: 400", func(q request) bool { return strings.ContainsFunc(q.target, func(r rune) bool { return r >= 0x80 }) }},
	{"comma in the Host", "Envoy cannot tell it from two Hosts, which nginx refuses", func(q request) bool { return strings.Contains(q.host, ",") }},
	{"bad Host beside an absolute form", "nginx looks at it; Envoy drops it", func(q request) bool {
		return q.absolute && (badHost.MatchString(q.host) || q.noHost ||
			slices.ContainsFunc(q.others, func(h [2]string) bool { return h[0] == "Host" }))
	}},
	{"an empty Host and another", "nginx refuses them; Envoy takes the other", func(q request) bool {
		return q.host == "" && !q.noHost && slices.ContainsFunc(q.others, func(h [2]string) bool { return h[0] == "Host" })
	}},
	{"two colons in the Host", "nginx ends the name at the first, Envoy at the last", func(q request) bool {
		return strings.Count(q.host, ":") > 1 && !strings.HasPrefix(q.host, "[")
	}},
	{"a dot before the port and one at the end", "Envoy takes the last one off, and finds another", func(q request) bool { return dotPortDot.MatchString(q.host) }},
	{"broken escape before an escape", "Envoy decodes the second first, and may make a whole one of both", func(q request) bool { return brokenFirst.MatchString(pathIn(q.target)) }},
	{"broken escape in what .. drops", "nginx refuses it before; Envoy never sees it", func(q request) bool {
		return broken.MatchString(pathIn(q.target)) && strings.Contains(dots.ReplaceAllString(pathIn(q.target), "."), "/..")
	}},
	{"dots and parameters", "Envoy takes .;v=1 for a dot", func(q request) bool { return dotted.MatchString(dots.ReplaceAllString(pathIn(q.target), ".")) }},
	{"dots behind doubled slashes", "nginx merges slashes before it resolves dots; Envoy resolves first", func(q request) bool {
		p := dots.ReplaceAllString(pathIn(q.target), ".")
		return resolved(merged(p)) != merged(resolved(p))
	}},
	{"empty port in an absolute form", "Envoy: 400", func(q request) bool { return q.absolute && strings.HasSuffix(q.host, ":") }},
	{"an expression that takes the letters of an escape", "nginx shows it the decoded path, Envoy the escapes", func(q request) bool { return seesEscapes(pathIn(q.target)) }},
	{"longer than 8 KB", "nginx: 414", func(q request) bool { return len(q.target) > 8000 }},
	{"escaped slash", "nginx decodes it; Envoy keeps it, as the report says", func(q request) bool { return has(q, "%2f") }},
}

var (
	dotted      = regexp.MustCompile(`/\.\.?;`)
	dotPortDot  = regexp.MustCompile(`\.:.*\.$`)
	slashes     = regexp.MustCompile(`//+`)
	broken      = regexp.MustCompile(`%(?:00|[^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f])`)
	brokenFirst = regexp.MustCompile(`%[0-9A-Fa-f]?%`)
	badHost     = regexp.MustCompile(`^(?:|\.|[^:]*\.\.[^:]*|.*[,/ ].*)(?::.*)?$`)
)

func merged(p string) string { return slashes.ReplaceAllString(p, "/") }

// resolved is a path without its dots; an empty segment is one.
func resolved(p string) string {
	var out []string
	parts := strings.Split(p, "/")
	for i, s := range parts[1:] {
		last := i == len(parts)-2
		switch {
		case s == ".." && len(out) > 0:
			out = out[:len(out)-1]
		case s != "." && s != "..":
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// compiled are the expressions of the generator, each with case and without.
var compiled = func() (out []*regexp.Regexp) {
	for _, e := range expressions {
		out = append(out, regexp.MustCompile(e), regexp.MustCompile("(?i)"+e))
	}
	return out
}()

// seesEscapes reports whether some expression of the generator is found in a
// path and not in the path decoded, or the other way round.
func seesEscapes(path string) bool {
	if !strings.Contains(path, "%") {
		return false
	}
	nginx, envoy := cleaned(path), merged(resolved(unreserved.ReplaceAllStringFunc(path, decoded)))
	return slices.ContainsFunc(compiled, func(re *regexp.Regexp) bool { return re.MatchString(nginx) != re.MatchString(envoy) })
}

// unreserved are the escapes that Envoy decodes.
var unreserved = regexp.MustCompile(`(?i)%(?:2d|2e|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])`)

func pathIn(target string) string {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	return target
}

func has(q request, escape string) bool {
	return strings.Contains(strings.ToLower(pathIn(q.target)), escape)
}

var dots = regexp.MustCompile(`(?i)%2e`)

// aboveRoot reports whether the path climbs out at some point.
func aboveRoot(path string) bool {
	depth := 0
	for _, s := range strings.Split(dots.ReplaceAllString(path, "."), "/") {
		switch s {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// excluded is the class of a request that is not compared, "" for none.
func excluded(q request) string {
	for _, c := range left {
		if c.is(q) {
			return c.name
		}
	}
	return ""
}

// differs says in what two answers differ, and whether that is one of the known
// differences; "" where they are the same.
func differs(q request, n, e answer) (what, known string) {
	switch {
	case n.status == 405 && e.status == 404 && !slices.Contains([]string{"GET", "HEAD", "POST"}, q.method):
		return "status", "a method that nginx's files do not know"
	case n.status != e.status:
		return "status", ""
	case n.body != e.body || n.hit != e.hit || n.upstream != e.upstream:
		return "location hit", ""
	case n.location != e.location:
		return "Location", spelling(n.location, e.location)
	case n.target != e.target:
		return "target", spelling(n.target, e.target)
	}
	return "", ""
}

// spelling names the known ways in which a path may be written otherwise.
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

func decoded(p string) string {
	if d, err := url.PathUnescape(p); err == nil {
		return d
	}
	return p
}

// cleaned is a path decoded, its dots resolved and its slashes merged.
func cleaned(p string) string {
	p = decoded(p)
	var out []string
	parts := strings.Split(p, "/")
	for i, s := range parts {
		switch {
		case s == "" && i < len(parts)-1, s == "." && i < len(parts)-1:
		case s == ".." && len(out) > 0:
			if out = out[:len(out)-1]; i == len(parts)-1 {
				out = append(out, "")
			}
		case s == ".":
			out = append(out, "")
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}
