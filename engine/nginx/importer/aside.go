package importer

import (
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// asides turns away what a rewrite would send to a location that refuses requests,
// and that its path does not tell from the one which is taken here. open is false
// where it cannot be told which requests those are, so that all are turned away.
func (w *writer) asides(d *conf.Directive, path template, to *location, way []*location, q request) (open bool) {
	turned := false
	for _, l := range w.refusingBehind(path.head(), to, way) {
		es, ok := w.sentTo(l, path, q)
		if !ok {
			r := &routev3.Route{Name: q.name, Match: q.match, Action: direct(403, "")}
			w.none(d, "its path may belong to location "+title(l.d)+", which refuses requests, and Envoy cannot tell: all that it rewrites is refused here (403)", "write a rewrite for each location")
			w.out = append(w.out, r)
			return false
		}
		for _, e := range es {
			m := narrowed(q.match, w.spelled(e, l.d))
			if m == nil {
				continue
			}
			w.out = append(w.out, &routev3.Route{Name: "nginx: " + cmpName(q.name, "rewrite") + " to " + title(l.d), Match: m, Action: direct(403, "")})
			turned = true
		}
	}
	if turned {
		w.none(d, "what it rewrites to a path of a location that refuses requests is refused here (403), what nginx lets in there too", "write a rewrite for each of these locations")
	}
	return true
}

// refusingBehind are the locations that turn requests away, and may take paths
// that begin so. One that is internal takes what nginx itself sends there.
func (w *writer) refusingBehind(head string, to *location, way []*location) (out []*location) {
	own := to != nil && slices.ContainsFunc(to.d.Block, func(d *conf.Directive) bool { return d.Name == "allow" || d.Name == "satisfy" || d.Arg(0) == "off" })
	add := func(l *location) {
		refuses := slices.ContainsFunc(l.d.Block, func(d *conf.Directive) bool {
			return d.Name != "internal" && refusers[d.Name] && d.Arg(0) != "off" || d.Name == "return" && denial(d) || d.IsBlock && refusing(d)
		})
		if l != to && !slices.Contains(out, l) && (refuses || l.closed || w.refuses(l.d) && !refusing(l.d) && (own || to == nil || !w.refuses(to.d))) {
			out = append(out, l)
		}
	}
	in := w.root
	if len(way) > 0 {
		in = way[len(way)-1].in
	}
	for _, s := range []*scope{w.root, in} {
		for _, l := range slices.Concat(s.exacts, s.prefixes) {
			if len(l.text) > len(head) && strings.HasPrefix(l.text, head) {
				add(l)
			}
		}
	}
	for _, l := range w.root.expressions(way) {
		add(l)
	}
	return out
}

// tailPattern is a rewrite's expression that keeps what follows a plain text.
var tailPattern = regexp.MustCompile(`^\^([-/\w]*)\(\.\*\)\$?$`)

// sentTo are expressions for the paths that a rewrite sends to a location, or for
// more of them. ok is false where that cannot be said.
func (w *writer) sentTo(l *location, path template, q request) (es []*expression, ok bool) {
	if q.pattern == nil && q.captures == nil {
		return nil, false
	}
	from := tailPattern.FindStringSubmatch(q.captures.text)
	if from == nil || len(path) != 2 || path[0].variable != "" || path[1].variable != "1" || q.captures.fold {
		return nil, false
	}
	head, text := path[0].text, l.text
	if l.form == byRegex {
		anchored := ""
		if anchored, ok = strings.CutPrefix(l.re.text, "^"); !ok {
			return []*expression{l.re}, !strings.Contains(l.re.text, "^") && l.re.behind(from[1], head)
		}
		re, err := regexp.Compile(anchored)
		if err != nil || l.fold || strings.Contains(anchored, "|") {
			return nil, false
		}
		if text, _ = re.LiteralPrefix(); !strings.HasPrefix(text, head) {
			return nil, !strings.HasPrefix(head, text)
		}
	}
	e, why := w.compile("^"+from[1]+regexp.QuoteMeta(strings.TrimPrefix(text, head)), false)
	return []*expression{e}, why == ""
}

// behind reports whether the expression is found in a path that begins with one
// text whenever it is found in the path with the other one in its place.
func (e *expression) behind(before, after string) bool {
	plain, err := regexp.Compile(e.plain)
	if err != nil || e.find.MatchString(after) {
		return false
	}
	begin, _ := plain.LiteralPrefix()
	begin, after = strings.ToLower(begin), strings.ToLower(after)
	for i := range after {
		if tail := after[i:]; strings.HasPrefix(begin, tail) || strings.HasPrefix(tail, begin) {
			return i == len(after)-1 && strings.HasSuffix(before, tail)
		}
	}
	return true
}
