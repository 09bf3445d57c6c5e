package importer

import (
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// predicate is what is asked of a request, put together of what Envoy can look
// at.
type predicate struct {
	op      connective
	of      []*predicate             // of opNot, opAnd, opOr
	header  string                   // of opHeader; pseudo-headers among them
	text    *matcherv3.StringMatcher // of opHeader, or
	either  *oneOf                   // of opHeader: expressions of the whole value
	empty   bool                     // of opHeader: a header that is not there meets it too
	network *corev3.CidrRange        // of opFrom
	parts   int                      // how many there are in it, written out; see size
}

// mostParts is how many parts a condition may have: more is no condition of a
// route any more, but a table.
const mostParts = 1 << 16

// size is how many parts a predicate has. Those that several share count for each.
func (p *predicate) size() int { return max(p.parts, 1) }

// joined is a predicate of others, with the number of its parts.
func joined(op connective, of ...*predicate) *predicate {
	p := &predicate{op: op, of: of, parts: 1}
	for _, in := range of {
		p.parts = min(p.parts+in.size(), 2*mostParts) // it does not run over
	}
	return p
}

type connective uint8

const (
	opTrue connective = iota
	opFalse
	opHeader      // a header's value
	opFrom        // the client's address
	opCertificate // the client has shown a certificate, which was verified
	opNot
	opAnd
	opOr
)

// holds is the predicate of all requests, or of none.
func holds(all bool) *predicate {
	if all {
		return &predicate{op: opTrue}
	}
	return &predicate{op: opFalse}
}

// has is the predicate of a header. empty says whether the text takes "": nginx
// compares a header that is not there as empty text.
func has(name string, text *matcherv3.StringMatcher, empty bool) *predicate {
	return &predicate{op: opHeader, header: name, text: text, empty: empty}
}

// unless is the other requests.
func (p *predicate) unless() *predicate {
	switch p.op {
	case opTrue, opFalse:
		return holds(p.op == opFalse)
	case opNot:
		return p.of[0]
	}
	return joined(opNot, p)
}

// and is the requests of both.
func (p *predicate) and(q *predicate) *predicate {
	switch {
	case p.op == opTrue || q.op == opFalse:
		return q
	case p.op == opFalse || q.op == opTrue:
		return p
	}
	return joined(opAnd, p, q)
}

// or is the requests of either. Two values of one header become one expression.
func (p *predicate) or(q *predicate) *predicate {
	switch {
	case p.op == opFalse || q.op == opTrue:
		return q
	case p.op == opTrue || q.op == opFalse:
		return p
	case p.op == opHeader && q.op == opHeader && p.header == q.header:
		return p.orText(q)
	case p.op == opHeader && q.op == opOr && q.of[0].op == opHeader && q.of[0].header == p.header:
		return p.or(q.of[0]).or(q.of[1])
	}
	return joined(opOr, p, q)
}

// oneOf is expressions of the whole value of which one must match. A table of
// many values is put together from its end, one before the other: they stay apart
// until somebody asks for the expression.
type oneOf struct {
	re   string
	then *oneOf
}

// orText is the requests with either value of one header.
func (p *predicate) orText(q *predicate) *predicate {
	all := q.values()
	var first []string
	for v := p.values(); v != nil; v = v.then {
		first = append(first, v.re)
	}
	for _, re := range slices.Backward(first) {
		all = &oneOf{re, all}
	}
	return &predicate{op: opHeader, header: p.header, either: all, empty: p.empty || q.empty, parts: min(p.size()+q.size(), 2*mostParts)}
}

func (p *predicate) values() *oneOf {
	if p.either != nil {
		return p.either
	}
	return &oneOf{re: regexOf(p.text)}
}

// value is what the header's value is compared with.
func (p *predicate) value() *matcherv3.StringMatcher {
	if p.text == nil {
		var b strings.Builder
		for v := p.either; v != nil; v = v.then {
			if b.Len() > 0 {
				b.WriteByte('|')
			}
			b.WriteString("(?:" + v.re + ")")
		}
		p.text = safeRegex(b.String())
	}
	return p.text
}

// regexOf is a matcher as an expression of the whole value.
func regexOf(m *matcherv3.StringMatcher) string {
	if re := m.GetSafeRegex(); re != nil {
		return re.GetRegex()
	}
	if m.GetIgnoreCase() {
		return "(?i:" + regexp.QuoteMeta(m.GetExact()) + ")"
	}
	return regexp.QuoteMeta(m.GetExact())
}

// clause is what one route can ask: all of these headers, and a certificate or none.
type clause struct {
	headers     []*routev3.HeaderMatcher
	certificate *bool
}

// mostClauses is how many routes one condition is worth.
const mostClauses = 16

// clauses is a predicate as the routes that it takes, of which each asks for what
// is in it; none is a predicate that nothing meets. ok is false where no routes
// can say it: they do not look at the client's address.
func (p *predicate) clauses(negated bool) (cs []clause, ok bool) {
	switch p.op {
	case opTrue, opFalse:
		if (p.op == opTrue) != negated {
			return []clause{{}}, true
		}
		return nil, true
	case opHeader:
		return []clause{{headers: []*routev3.HeaderMatcher{p.matcher(negated)}}}, true
	case opCertificate:
		shown := !negated
		return []clause{{certificate: &shown}}, true
	case opNot:
		return p.of[0].clauses(!negated)
	case opFrom:
		return nil, false
	}
	either := (p.op == opOr) != negated
	if !either {
		cs = []clause{{}}
	}
	for _, part := range p.chain(p.op, nil) { // a table of many values is a long one
		next, ok := part.clauses(negated)
		if !ok {
			return nil, false
		}
		if either {
			cs = append(cs, next...)
		} else {
			cs = product(cs, next)
		}
		if len(cs) > mostClauses {
			return nil, false
		}
	}
	return cs, true
}

// product asks for one clause of either list.
func product(as, bs []clause) (out []clause) {
	for _, a := range as {
		for i, b := range bs {
			if i < len(bs)-1 {
				a.headers = slices.Clip(a.headers) // the last may have what is behind them
			}
			if both, ok := a.with(b); ok {
				out = append(out, both)
			}
		}
	}
	return out
}

// chain is the parts of a predicate of others of one connective, in their order.
func (p *predicate) chain(op connective, out []*predicate) []*predicate {
	for p.op == op && op != opNot {
		out = p.of[0].chain(op, out)
		p = p.of[1]
	}
	return append(out, p)
}

// with asks for both; ok is false where no request has both. It may write behind
// c's headers.
func (c clause) with(d clause) (clause, bool) {
	out := clause{headers: append(c.headers, d.headers...), certificate: c.certificate}
	if d.certificate != nil {
		if c.certificate != nil && *c.certificate != *d.certificate {
			return out, false
		}
		out.certificate = d.certificate
	}
	return out, true
}

// match is a match of what also meets the clause.
func (c clause) match(m *routev3.RouteMatch) *routev3.RouteMatch {
	out := clone(m)
	out.Headers = append(out.Headers, c.headers...)
	if c.certificate != nil {
		out.TlsContext = &routev3.RouteMatch_TlsContextMatchOptions{Presented: wrapperspb.Bool(*c.certificate)}
	}
	return out
}

// matcher is a header's predicate, or its contrary.
func (p *predicate) matcher(negated bool) *routev3.HeaderMatcher {
	h := header(p.header, proto.CloneOf(p.value()))
	h.InvertMatch = negated
	h.TreatMissingHeaderAsEmpty = negated || p.empty
	return h
}

// principal is a predicate in the words of the rbac filter, which can say all.
func (p *predicate) principal() *rbacv3.Principal {
	switch p.op {
	case opFalse:
		return butFor(anybody())
	case opHeader:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_Header{Header: p.matcher(false)}}
	case opFrom:
		return client(p.network)
	case opCertificate:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{}}}
	case opNot:
		return butFor(p.of[0].principal())
	case opAnd:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: p.principals(opAnd, nil)}}}
	case opOr:
		return anyOf(p.principals(opOr, nil))
	}
	return anybody()
}

// principals are the parts of a chain of one connective: messages within messages
// must not be deep.
func (p *predicate) principals(op connective, out []*rbacv3.Principal) []*rbacv3.Principal {
	if p.op != op {
		return append(out, p.principal())
	}
	return p.of[1].principals(op, p.of[0].principals(op, out))
}

// deepest is how deep a predicate may be for Envoy to read it.
const deepest = 20

// depth is how often connectives change on the way in.
func (p *predicate) depth() int {
	deep := 0
	for _, in := range p.of {
		n := in.depth()
		if in.op != p.op {
			n++
		}
		deep = max(deep, n)
	}
	return deep
}

func butFor(who *rbacv3.Principal) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: who}}
}
