package importer

import (
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx/conf"
)

// rewrite follows a rewrite directive. done is true where every request goes on
// from it.
func (w *writer) rewrite(block, d *conf.Directive, rest []*conf.Directive, q *request) (done bool) {
	e, why := w.compile(d.Arg(0), false)
	if why != "" {
		w.none(d, why, "say it with an expression that RE2 takes")
		return false
	}
	e = w.spelled(e, block)
	to, flag := d.Arg(1), d.Arg(2)
	away := flag == "redirect" || flag == "permanent" || strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "$scheme")
	then := *q
	if q.uri == nil {
		then.match = narrowed(q.match, e)
	} else if path, ok := q.uri.literal(); !ok {
		w.none(d, "it looks at a path that was rewritten before, which Envoy cannot do", "write one rewrite for both steps")
		return false
	} else if !e.find.MatchString(path) {
		then.match = nil
	}
	if then.match == nil {
		w.claimed[d] = true // the expression never matches here
		return false
	}
	then.captures, then.pattern, then.name = e, e, strings.TrimSpace(q.name+" rewrite "+d.Arg(0))
	always := q.uri != nil || sameMatch(q.match, then.match) || e.find.MatchString("/") && e.full() == anyText || e.takesAll(q.match.GetPrefix())
	if away {
		w.sendAway(block, d, to, flag, then)
		return always
	}
	if then.hops++; then.hops > mostHops {
		w.none(d, "nginx itself gives up after ten rewrites", "")
		return false
	}
	w.near(d, at(then.match, ""))
	then.internal = true
	then.uri, then.rewrote = w.rewritten(e, to, *q), d
	then.moved = flag == ""
	if flag == "break" {
		then.proper = false
		w.content(block, then)
		return always
	}
	if flag == "" && slices.ContainsFunc(rest, func(d *conf.Directive) bool { return d.Name == "rewrite" || d.Name == "return" || d.Name == "if" }) {
		w.script(block, rest, then)
		return always
	}
	w.relocate(d, then)
	return always
}

// takesAll reports whether the expression matches every path with that prefix:
// it begins with a part of it, and takes whatever follows.
func (e *expression) takesAll(prefix string) bool {
	head, anchored := strings.CutPrefix(e.text, "^")
	for _, tail := range []string{"$", "(.*)", ".*"} {
		head = strings.TrimSuffix(head, tail)
	}
	plain := regexp.QuoteMeta(head) == head && (head+"$" != strings.TrimPrefix(e.text, "^"))
	return anchored && plain && head != "" && strings.HasPrefix(prefix, head)
}

// changedBy is the rewrite that made the path, else the directive itself.
func (q request) changedBy(d *conf.Directive) *conf.Directive {
	if q.uri != nil && q.rewrote != nil {
		return q.rewrote
	}
	return d
}

// sameMatch reports whether narrowing left a match as it was.
func sameMatch(a, b *routev3.RouteMatch) bool { return proto.Equal(a, b) }

// sendAway is a rewrite to another address. nginx adds the query unless the
// target ends in "?".
func (w *writer) sendAway(block, d *conf.Directive, to, flag string, q request) {
	status := uint32(302)
	if flag == "permanent" {
		status = 301
	}
	r := &routev3.Route{Name: q.name, Match: q.match}
	t := parse(to)
	if cut, drops := strings.CutSuffix(to, "?"); drops {
		t = parse(cut)
	} else if _, _, ok := t.query(); !ok {
		t = append(t, part{variable: "is_args"}, part{variable: "args"})
	} else {
		w.approx(d, at(r, "redirect"), "nginx adds the client's query to the one of the target, Envoy drops it", "end the target in ? where it is not wanted")
	}
	q.uri = nil
	w.redirect(d, r, status, t, q)
	w.add(block, r, q)
}

// rewritten is the path that a rewrite makes.
func (w *writer) rewritten(e *expression, to string, q request) template {
	t := parse(to).expand(w.values(q))
	if q.uri == nil {
		return t
	}
	path, _ := q.uri.literal() // the caller has seen to it
	groups := e.find.FindStringSubmatch(path)
	return t.expand(func(name string) (template, bool) {
		n, ok := e.group(name)
		if !ok || groups == nil {
			return nil, false
		}
		return template{{text: groups[n]}}, true
	})
}

// relocate finds the location for a rewritten path.
func (w *writer) relocate(d *conf.Directive, q request) {
	path, _, _ := q.uri.query()
	q.proper, q.moved = true, false
	text, known := path.literal()
	if known {
		if sls := w.root.decide(text, nil, map[string]bool{}); len(sls) > 0 && sls[0].slash {
			w.redirectTo(sls[0], q)
			return
		}
		w.location(w.root.search(text), q)
		return
	}
	head := path.head()
	var l *location
	way := w.root.descend(head)
	if len(way) > 0 {
		l = way[len(way)-1]
	}
	if !w.asides(d, path, l, way, q) {
		return
	}
	from := len(w.out)
	w.location(l, q)
	if w.ambiguous(head, way) {
		for _, r := range w.out[from:] {
			w.approx(d, at(r, "match"), "the rewritten path may belong to several locations; it goes to the one with the prefix "+head, "write a rewrite for each of them")
		}
	}
}

// ambiguous reports whether paths that begin so may end in other locations.
func (w *writer) ambiguous(head string, way []*location) bool {
	if len(w.root.expressions(way)) > 0 {
		return true
	}
	in := w.root
	if len(way) > 0 {
		in = way[len(way)-1].in
	}
	for _, s := range []*scope{w.root, in} {
		if slices.ContainsFunc(slices.Concat(s.exacts, s.prefixes), func(l *location) bool { return len(l.text) > len(head) && strings.HasPrefix(l.text, head) }) {
			return true
		}
	}
	return false
}
