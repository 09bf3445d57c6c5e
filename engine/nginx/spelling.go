package nginx

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// nginx looks for a location with the path decoded and its dots resolved, Envoy with
// what its connection manager makes of it. Where some routes refuse, a path that the
// two read differently must not slip through to another.

// Expressions for $request_uri, which has the path as it was sent; without case.
const (
	sentHead  = `^[^?]*`
	sentDots  = `(?:\.|%2e){1,2}`
	sentSlash = `(?:/|%2f)`
	sentQuery = `(?:[?#]|$)`      // ends the path
	sentEnd   = `(?:[/?#]|%2f|$)` // ends a segment

	sentRejected   = sentHead + `%(?:2f|5c)`
	sentDotted     = sentHead + sentSlash + sentDots + sentEnd
	sentUp         = sentHead + `%2f` + sentDots + sentEnd
	sentUpTo       = sentHead + `/` + sentDots + `%2f`
	sentThenUp     = sentHead + `%2f.*/` + sentDots + `(?:[/?#]|$)`
	sentUpThen     = sentHead + `/` + sentDots + `/.*%2f`
	sentMerged     = sentHead + sentSlash + `{2}(?:.*/)?` + sentDots + sentEnd
	sentUpMerged   = sentHead + sentSlash + sentDots + sentSlash + `{2}`
	sentTwice      = sentHead + `//`
	sentEscaped    = sentHead + `%2f`
	sentUnreserved = sentHead + `%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)`
	sentDelimiter  = sentHead + `%(?:2[1246-9a-c]|3[abd]|40|5[bde]|7c)`
	sentControl    = sentHead + `%(?:[01]\d|[01][a-f]|7f)`
	sentSlashes    = `^/{2,}` + sentQuery       // nothing but slashes
	sentDeep       = `^(?:/+[^/?#]*){1,%d}%%2f` // an escaped slash within so many segments
)

var misreadings = []string{sentDotted, sentUp, sentUpTo, sentThenUp, sentUpThen, sentMerged, sentUpMerged, sentTwice, sentEscaped, sentUnreserved, sentDelimiter, sentControl, sentSlashes}

// spelling refuses the paths of a virtual host with which a request could come to
// another location than Envoy's route, where some of them keep out. A virtual host
// that was made of an nginx.conf needs none of it: its routes that keep out take each
// spelling that nginx decodes to their names.
func (p *projection) spelling(sc *scope) {
	m := sc.site.manager
	o := sc.site.origin
	if m.GetPathWithEscapedSlashesAction() == hcmv3.HttpConnectionManager_REJECT_REQUEST {
		p.add(exact(o.at("path_with_escaped_slashes_action")).with(lessonSlashRejected), "if ($request_uri ~* %s) { return 400; }", token(sentRejected))
	}
	if spelledOut(sc.host.GetRoutes()) {
		return
	}
	if !slices.ContainsFunc(sc.places, func(pl *place) bool { return pl.said == "" && !pl.isLast() && sc.keepsOut(p, pl) }) {
		return
	}
	from := mark{from: sc.origin, also: []Origin{o}}.approx(lessonSpelling)
	for _, re := range p.misread(sc) {
		p.add(from, "if ($request_uri ~* %s) { return 403; }", token(re))
	}
}

// spelledOut reports whether the routes begin, before any that leads somewhere, with
// the guard that stands before routes which take every spelling of a path.
func spelledOut(all []*routev3.Route) bool {
	for _, r := range all {
		if hides(r) || r.GetDirectResponse() == nil {
			return hides(r)
		}
	}
	return false
}

// isLast reports whether the place answers 404 to all that comes to it, which is what
// Envoy does where no route matches.
func (pl *place) isLast() bool {
	m := pl.route.GetMatch()
	return refusing(pl.route) == 404 && m.GetPrefix() == "/" && conditions(m) == "" && m.GetGrpc() == nil
}

// misread are expressions for the paths, as they are sent, that the two may give to
// different locations.
func (p *projection) misread(sc *scope) []string {
	m := sc.site.manager
	keeps := m.GetPathWithEscapedSlashesAction() <= hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	normal, merged, raw := m.GetNormalizePath().GetValue(), m.GetMergeSlashes(), p.asksAsSent(sc)
	deepest := 0
	if keeps {
		deepest = sc.deepest()
	}
	var out []string
	when := func(is bool, more ...string) {
		if is {
			out = append(out, more...)
		}
	}
	when(merged && p.refusesSlashes(sc), sentSlashes)
	when(!normal || raw, sentDotted, sentUnreserved)
	when(normal && keeps && deepest < everywhere, sentUp, sentUpTo, sentThenUp, sentUpThen)
	when(normal && merged, sentMerged, sentUpMerged) // Envoy resolves the dots first
	when(raw && merged, sentTwice)
	when(raw && !keeps || deepest == everywhere, sentEscaped)
	when(sc.anyName(func(c candidate) bool { return c.form == byRegex }), sentControl)
	when(sc.anyName(func(c candidate) bool { return c.form != byRegex && strings.ContainsAny(c.text, "!$&'()*+,;=:@[]^|\"") }), sentDelimiter)
	when(deepest > 0 && deepest < everywhere, fmt.Sprintf(sentDeep, deepest))
	return out
}

// Misread reports whether the expression is one for $request_uri with which a
// projected server refuses the paths that nginx reads otherwise than Envoy. In Envoy
// nothing stands for it.
func Misread(re string) bool {
	deep := 0
	if _, err := fmt.Sscanf(re, sentDeep, &deep); err == nil && re == fmt.Sprintf(sentDeep, deep) {
		return true
	}
	return slices.Contains(misreadings, re)
}

// refusesSlashes reports whether a route that keeps out may take a path of nothing but
// slashes, of which Envoy's merge_slashes leaves two and nginx one.
func (p *projection) refusesSlashes(sc *scope) bool {
	return slices.ContainsFunc(sc.places, func(pl *place) bool {
		return pl.said == "" && sc.keepsOut(p, pl) && slices.ContainsFunc(pl.rows, func(r *row) bool {
			return strings.HasPrefix(r.c.text, "//") || r.c.full != nil && r.c.full.MatchString("//")
		})
	})
}

// asksAsSent reports whether a route that keeps out looks at the path as it was sent,
// where Envoy's has it normalised.
func (p *projection) asksAsSent(sc *scope) bool {
	return slices.ContainsFunc(sc.places, func(pl *place) bool {
		return pl.said == "" && sc.keepsOut(p, pl) && slices.ContainsFunc(pl.asks.tests, func(t test) bool { return t.variable == "$request_uri" })
	})
}

// anyName reports whether some location's name is such a one.
func (sc *scope) anyName(such func(candidate) bool) bool {
	return slices.ContainsFunc(sc.places, func(pl *place) bool {
		return slices.ContainsFunc(pl.rows, func(r *row) bool { return such(r.c) })
	})
}

// everywhere is deeper than any path.
const everywhere = 1 << 20

// deepest is up to which segment of a path an escaped slash decides about a location,
// where Envoy leaves it as it is; everywhere for some expressions.
func (sc *scope) deepest() (segments int) {
	for _, pl := range sc.places {
		keepsOut := refusing(pl.route) > 0
		for _, r := range pl.rows {
			switch text := r.c.text; {
			case r.c.form != byRegex:
				segments = max(segments, min(strings.Count(text, "/")-1, 50))
			case keepsOut && (strings.ContainsAny(text, "[%{") || strings.Contains(text, `\w`) || strings.Contains(text, `\S`) || strings.Contains(text, `\D`) || strings.Contains(text, `\W`)),
				!keepsOut && strings.LastIndexByte(text, '/') > 1:
				return everywhere
			}
		}
	}
	return segments
}
