package routes

import (
	"regexp/syntax"
	"strings"

	"google.golang.org/protobuf/proto"
)

// reach is what is known of the paths that a route takes.
type reach struct {
	known     bool
	start     string // every path begins with it
	fold      bool   // in any case
	whole     bool   // and is nothing else
	separated bool   // and goes on, if at all, with a slash
}

// reach is what can be said of all paths that p takes. Path parameters that are
// ignored are not in it: other routes do not see them.
func (p *pathMatch) reach(ignoreParameters bool) reach {
	switch p.kind {
	case pathPrefix:
		return reach{known: true, start: p.text, fold: p.fold}
	case pathExact:
		return reach{known: true, start: p.text, fold: p.fold, whole: true}
	case pathSeparated:
		return reach{known: true, start: p.text, fold: p.fold, separated: true}
	case pathRegex, pathTemplate:
		r := reach{known: true}
		r.start, r.whole = headOf(p.re.tree, 0)
		if r.start == "" && !r.whole && !p.re.full("*") && !p.re.full("") {
			r.start = "/" // every path begins with it but that of OPTIONS * and of http://host?query
		}
		if i := strings.IndexByte(r.start, ';'); i >= 0 && p.kind == pathTemplate && ignoreParameters {
			r.start, r.whole = r.start[:i], false
		}
		return r
	}
	return reach{}
}

// headOf is the text that all matches of an expression begin with, and whether
// they are nothing else.
func headOf(re *syntax.Regexp, depth int) (head string, whole bool) {
	if depth > maxNesting {
		return "", false
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return "", true
	case syntax.OpLiteral:
		return literalBytes(re)
	case syntax.OpCapture:
		return headOf(re.Sub[0], depth+1)
	case syntax.OpPlus:
		head, _ = headOf(re.Sub[0], depth+1)
		return head, false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			more, whole := headOf(sub, depth+1)
			if head += more; !whole {
				return head, false
			}
		}
		return head, true
	}
	return "", false
}

// literalBytes is the text of a literal, as far as it has but one spelling.
func literalBytes(re *syntax.Regexp) (text string, whole bool) {
	var b strings.Builder
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase != 0 || r > 0xff {
			return b.String(), false
		}
		b.WriteByte(byte(r))
	}
	return b.String(), true
}

// everyTail reports whether an expression is a text and then anything at all.
func everyTail(re *syntax.Regexp) (head string, ok bool) {
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
	}
	for len(subs) > 0 && (subs[len(subs)-1].Op == syntax.OpEndText || subs[len(subs)-1].Op == syntax.OpEndLine) {
		subs = subs[:len(subs)-1]
	}
	if len(subs) == 0 {
		return "", false
	}
	last := subs[len(subs)-1]
	if last.Op == syntax.OpCapture {
		last = last.Sub[0]
	}
	if last.Op != syntax.OpStar || last.Sub[0].Op != syntax.OpAnyCharNotNL && last.Sub[0].Op != syntax.OpAnyChar {
		return "", false
	}
	for _, sub := range subs[:len(subs)-1] {
		text, whole := headOf(sub, 0)
		if head += text; !whole {
			return "", false
		}
	}
	return head, true
}

// covers reports whether p takes every path that q takes. It is false where
// that is not certain.
func (p *pathMatch) covers(q *pathMatch, ignoreParameters bool) bool {
	if p.kind == pathConnect || q.kind == pathConnect {
		return p.kind == q.kind
	}
	r := q.reach(ignoreParameters)
	if !r.known {
		return false
	}
	switch p.kind {
	case pathPrefix:
		return r.under(p.text, p.fold)
	case pathExact:
		return r.whole && r.is(p.text, p.fold)
	case pathSeparated:
		return (r.whole || r.separated) && r.is(p.text, p.fold) || r.under(p.text+"/", p.fold)
	case pathRegex, pathTemplate:
		if p.kind == q.kind && p.text == q.text || r.whole && !r.fold && !r.blurred(p, ignoreParameters) && p.re.full(r.start) {
			return true
		}
		head, ok := everyTail(p.re.tree)
		return ok && p.kind == pathRegex && r.under(head, false)
	}
	return false
}

// blurred reports whether p looks at more of a path than r tells.
func (r reach) blurred(p *pathMatch, ignoreParameters bool) bool {
	return p.kind == pathTemplate && ignoreParameters
}

// under reports whether every path begins with head, in any case when fold is set.
func (r reach) under(head string, fold bool) bool {
	if len(r.start) < len(head) {
		return false
	}
	start := r.start[:len(head)]
	if fold {
		return equalFold(start, head)
	}
	return start == head && (!r.fold || !hasLetter(head))
}

// is reports whether start is text, as under compares.
func (r reach) is(text string, fold bool) bool {
	return len(r.start) == len(text) && r.under(text, fold)
}

func hasLetter(s string) bool { return strings.ToLower(s) != strings.ToUpper(s) }

// implied reports whether every request that meets the conditions of q meets
// those of r, the path aside. It is false where that is not certain.
func (r *route) implied(q *route) bool {
	if f := r.fraction; f != nil && (f.key != "" || f.n < f.d) {
		return false
	}
	if r.grpc && !q.grpc {
		return false
	}
	if want := r.tls.GetPresented(); want != nil && (q.tls.GetPresented() == nil || q.tls.GetPresented().GetValue() != want.GetValue()) {
		return false
	}
	if want := r.tls.GetValidated(); want != nil && (q.tls.GetValidated() == nil || q.tls.GetValidated().GetValue() != want.GetValue()) {
		return false
	}
	return allImplied(r.headers, q.headers, headerImplied) &&
		allImplied(r.parameters, q.parameters, parameterImplied) &&
		allImplied(r.cookies, q.cookies, cookieImplied) &&
		subset(r.source.GetMatch().GetDynamicMetadata(), q.source.GetMatch().GetDynamicMetadata()) &&
		subset(r.source.GetMatch().GetFilterState(), q.source.GetMatch().GetFilterState())
}

// allImplied reports whether each of a follows from one of b.
func allImplied(a, b []valueMatch, implied func(a, b *valueMatch) bool) bool {
	for i := range a {
		found := a[i].kind == valuePresent && a[i].empty && !a[i].invert // which always holds
		for j := range b {
			if found {
				break
			}
			found = a[i].name == b[j].name && (a[i].same(&b[j]) || implied(&a[i], &b[j]))
		}
		if !found {
			return false
		}
	}
	return true
}

// same reports whether two conditions ask the same of the same name.
func (m *valueMatch) same(o *valueMatch) bool {
	if m.kind != o.kind || m.lo != o.lo || m.hi != o.hi || m.invert != o.invert || m.empty != o.empty {
		return false
	}
	return m.kind != valueText ||
		m.text.kind == o.text.kind && m.text.want == o.text.want && m.text.fold == o.text.fold && m.text.kind != textNever
}

// known is the one value that a condition lets pass.
func (m *valueMatch) known() (string, bool) {
	ok := m.kind == valueText && m.text.kind == textExact && !m.text.fold && !m.invert && !m.empty
	return m.text.want, ok
}

func headerImplied(a, b *valueMatch) bool {
	if a.kind == valuePresent && !a.invert {
		return !b.empty && (b.kind >= valueText || b.kind == valuePresent && !b.invert)
	}
	value, ok := b.known()
	if !ok || a.kind == valueAbsent {
		return false
	}
	if a.invert && !single(a.name) {
		return false // another value of the same header may spoil it
	}
	return a.met(value, true)
}

// single reports whether a request has a header at most once, as Envoy sees it.
func single(name string) bool {
	return strings.HasPrefix(name, ":") || name == "host" || joined(name)
}

func parameterImplied(a, b *valueMatch) bool {
	if a.kind == valuePresent {
		return b.kind >= valueText
	}
	value, ok := b.known()
	return ok && a.met(value, true)
}

func cookieImplied(a, b *valueMatch) bool {
	value, ok := b.known()
	return ok && a.cookieMet(value, true)
}

// subset reports whether each of a stands in b.
func subset[M proto.Message](a, b []M) bool {
	for _, one := range a {
		found := false
		for _, other := range b {
			found = found || proto.Equal(one, other)
		}
		if !found {
			return false
		}
	}
	return true
}
