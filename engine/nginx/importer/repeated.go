package importer

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// nginx looks at the first of several headers of a name, a matcher of Envoy's at
// all of them: one value that fits is enough. Where it refuses whom a text does not
// fit, a second header that has the text must not let the first one in.

// firm is a predicate for which no header that is repeated speaks for another.
// refused says whether those are refused that meet the predicate, or the others.
// closed are the headers that are asked for in all their values, open those of
// which that cannot be said.
func (p *predicate) firm(refused bool, closed, open map[string]bool) *predicate {
	switch p.op {
	case opNot:
		return p.of[0].firm(!refused, closed, open).unless()
	case opAnd:
		return p.of[0].firm(refused, closed, open).and(p.of[1].firm(refused, closed, open))
	case opOr:
		return p.of[0].firm(refused, closed, open).or(p.of[1].firm(refused, closed, open))
	case opHeader:
		if refused || strings.HasPrefix(p.header, ":") || oneAlone[p.header] {
			return p
		}
		exact, ok := p.text.GetMatchPattern().(*matcherv3.StringMatcher_Exact)
		if !ok || len(exact.Exact) > longestOther {
			open[p.header] = true
			return p
		}
		closed[p.header] = true
		return p.and(has(p.header, safeRegex(otherThan(exact.Exact, p.text.GetIgnoreCase())), false).unless())
	}
	return p
}

// oneAlone are headers of which Envoy makes one where there are several, and tells
// that to the upstream too.
var oneAlone = set("user-agent", "referer", "accept", "content-type", "content-length", "origin", "authorization", "cookie",
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via", "upgrade", "connection", "te", "expect", "x-request-id")

// longestOther is how long a text may be whose contrary is an expression: each of
// its bytes is a group within the one before it.
const longestOther = 128

// otherThan is an expression of all values but one. RE2 has no look-ahead to say it with.
func otherThan(text string, fold bool) string {
	out := "(?s:.+)" // what is longer
	for _, c := range slices.Backward([]byte(text)) {
		not, is := regexp.QuoteMeta(string(c)), regexp.QuoteMeta(string(c))
		if fold {
			not, is = strings.ToLower(not)+strings.ToUpper(not), "(?i:"+is+")"
		}
		out = "(?:[^" + strings.ReplaceAll(not, "-", `\-`) + "](?s:.*)|" + is + out + ")?"
	}
	return out
}

// firm is the predicate of an if, whose repeated headers let in nobody: where it
// refuses those who meet it, or a return after it all others.
func (w *writer) firm(d *conf.Directive, said *predicate, refuses bool) *predicate {
	var rest []*conf.Directive
	if d.Parent != nil {
		rest = d.Parent.Block[slices.Index(d.Parent.Block, d)+1:]
	}
	closed, open := map[string]bool{}, map[string]bool{}
	if refuses {
		said = said.firm(true, closed, open)
	} else if _, after := returnsRefusal(rest); after {
		said = said.firm(false, closed, open)
	}
	if len(closed) > 0 {
		w.say(nginx.Approximate, d, "nginx looks at the first header "+strings.Join(slices.Sorted(maps.Keys(closed)), ", ")+" alone: a request that has several, and one that does not fit, is refused", "", place{})
	}
	if len(open) > 0 {
		w.say(nginx.None, d, "nginx looks at the first header "+strings.Join(slices.Sorted(maps.Keys(open)), ", ")+" alone, Envoy at any: a request that has several comes in where one of them fits",
			"compare with a text (=, !=) instead of an expression, which can be asked of all of them", place{})
	}
	return said
}
