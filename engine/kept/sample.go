package kept

import (
	"regexp/syntax"
	"strings"

	templatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// sampleLength bounds a text made for a regex: x{1000}{1000} is legal.
const sampleLength = 1000

// sample is a short text that a regex takes as a whole; "/probe" where that is
// not clear.
func sample(regex string) string {
	re, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return "/probe"
	}
	var b strings.Builder
	write(&b, re)
	if b.Len() == 0 || b.Len() > sampleLength {
		return "/probe"
	}
	return b.String()
}

// write appends the shortest text that it can think of for a regex.
func write(b *strings.Builder, re *syntax.Regexp) {
	if b.Len() > sampleLength {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(member(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
		for _, sub := range re.Sub {
			write(b, sub)
		}
	case syntax.OpAlternate:
		write(b, re.Sub[0])
	case syntax.OpRepeat:
		for range re.Min {
			write(b, re.Sub[0])
		}
	}
}

// member is a rune of a class, given as pairs of bounds: a letter where there
// is one.
func member(class []rune) rune {
	for _, want := range "xaA0" {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= want && want <= class[i+1] {
				return want
			}
		}
	}
	for i := 0; i+1 < len(class); i += 2 {
		if r := max(class[i], '!'); r <= min(class[i+1], '~') {
			return r
		}
	}
	return 'x'
}

// templatePath is a path that a URI template takes.
func templatePath(a *anypb.Any) string {
	m := &templatev3.UriTemplateMatchConfig{}
	if !a.MessageIs(m) || a.UnmarshalTo(m) != nil {
		return "/"
	}
	var out []string
	for _, segment := range strings.Split(m.GetPathTemplate(), "/") {
		out = append(out, templateSegment(segment))
	}
	return strings.Join(out, "/")
}

// templateSegment is a segment of a path for one of a template: {name}, {name=*},
// * and ** take any.
func templateSegment(s string) string {
	open, end := strings.IndexByte(s, '{'), strings.LastIndexByte(s, '}')
	if open >= 0 && end > open {
		return s[:open] + "x" + s[end+1:]
	}
	if strings.Contains(s, "=") { // a variable that spans segments: {name=a/*}
		s = s[strings.IndexByte(s, '=')+1:]
	}
	return strings.NewReplacer("**", "x", "*", "x", "}", "", "{", "").Replace(s)
}
