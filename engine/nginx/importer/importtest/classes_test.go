package importtest

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// class is a class of requests that the two are known to take apart.
type class struct {
	name  string
	told  string // the words in which the import's report names it
	is    func(q request) bool
	holds relation // what the difference is
}

// left are the classes of requests that the two are known to take apart. What is
// not in them, or not related so, or not named in the file's report, is a mismatch.
var left = []class{
	{"a raw byte: Envoy 400", "bytes above 0x7F",
		func(q request) bool { return strings.ContainsFunc(q.target, func(r rune) bool { return r >= 0x80 }) }, refusedByEnvoy},
	{"a newline or hidden dots where some paths are kept: Envoy 400", "%0A and .. beside %2F",
		func(q request) bool { return hiddenDots.MatchString(pathIn(q.target)) }, refusedByEnvoy},
	{"a comma in the Host: Envoy 400, as for two Hosts", "a comma",
		func(q request) bool { return strings.Contains(q.host, ",") }, refusedByEnvoy},
	{"two colons in the Host: Envoy 400", "a second colon",
		func(q request) bool { return strings.Count(q.host, ":") > 1 && !strings.HasPrefix(q.host, "[") }, refusedByEnvoy},
	{"a dot before the port and one at the end: Envoy 400", "an odd port in the Host",
		func(q request) bool { return dotPortDot.MatchString(q.host) }, refusedByEnvoy},
	{"an empty port in an absolute form: Envoy 400", "an odd port in the Host",
		func(q request) bool { return q.absolute && strings.HasSuffix(q.host, ":") }, refusedByEnvoy},
	{"above the root: nginx 400, Envoy the root", "climbs above the root",
		func(q request) bool { return aboveRoot(pathIn(q.target)) }, refusedByNginx},
	{"a bad Host beside an absolute form: nginx 400, Envoy drops it", "a bad Host beside an absolute target",
		func(q request) bool { return q.absolute && (badHost.MatchString(q.host) || q.noHost || twice(q)) }, refusedByNginx},
	{"an empty Host and another: nginx 400, Envoy the other", "an empty one before another",
		func(q request) bool { return q.host == "" && !q.noHost && twice(q) }, refusedByNginx},
	{"a broken escape before an escape: nginx 400, Envoy decodes the second", "%zz before an escape or ..",
		func(q request) bool { return brokenFirst.MatchString(pathIn(q.target)) }, refusedByNginx},
	{"a broken escape in what .. drops: nginx 400, Envoy drops it", "%zz before an escape or ..",
		func(q request) bool {
			return broken.MatchString(pathIn(q.target)) && strings.Contains(plainDots(q), "/..")
		}, refusedByNginx},
	{"a backslash: Envoy a slash", "a backslash for a slash",
		func(q request) bool { return strings.Contains(pathIn(q.target), `\`) }, read},
	{"dots and parameters: Envoy takes .;v=1 for a dot", "/.; for /.",
		func(q request) bool { return dotted.MatchString(plainDots(q)) }, read},
	{"dots behind doubled slashes: Envoy resolves before it merges", ".. before //",
		func(q request) bool { return resolved(merged(plainDots(q))) != merged(resolved(plainDots(q))) }, read},
	{"an escaped slash: nginx decodes it", "%2F read as a slash",
		func(q request) bool { return has(q, "%2f") }, read},
	{"an escape that is compared: nginx decodes it", "decodes letters, digits and -._~ alone",
		func(q request) bool { return keepsEscapes(pathIn(q.target)) }, read},
	{"HTTP/1.0 without a Host: Envoy gives it one", "nohost.invalid for no Host",
		func(q request) bool { return q.noHost && q.http10 }, read},
	{"an escaped slash in a name that keeps requests out: Envoy refuses it", "in expressions beside a location that keeps requests out",
		func(q request) bool { return has(q, "%2f") }, closed},
	{"an escaped slash in a name: Envoy finds an expression by it", "in expressions beside a location that keeps requests out",
		func(q request) bool { return has(q, "%2f") }, byExpression},
	{"longer than 8 KB: nginx 414", "and 8 KB",
		func(q request) bool { return len(q.target) > 8000 }, tooLong},
	{"a method that files do not know: nginx 405, Envoy 404", "gets 404, not 405",
		func(q request) bool { return !slices.Contains([]string{"GET", "HEAD", "POST"}, q.method) }, noFile},
}

func plainDots(q request) string { return dots.ReplaceAllString(pathIn(q.target), ".") }

func twice(q request) bool {
	return slices.ContainsFunc(q.others, func(h [2]string) bool { return h[0] == "Host" })
}

var (
	hiddenDots  = regexp.MustCompile(`(?i)%0a|(?:/|%2f)(?:\.|%2e){1,2}%2f|%2f(?:\.|%2e){1,2}(?:/|%2f|$)`)
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

// keepsEscapes reports whether an escape stays one in the path that Envoy looks at.
func keepsEscapes(path string) bool {
	return strings.Contains(unreserved.ReplaceAllStringFunc(path, decoded), "%")
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
