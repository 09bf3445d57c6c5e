package routes

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	templatematchv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	templaterewritev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/rewrite/uri_template/v3"
)

// Envoy's bounds on a path template.
const (
	maxTemplateVariables = 5
	maxVariableName      = 16
)

// What a template is made of, in RE2's words: the letters of a path segment, and
// the two wildcards.
const (
	templateLetters = `a-zA-Z0-9._~%!$&'()+,;:@*=\-`
	oneSegment      = `[` + templateLetters + `]+`
	anySegments     = `[` + templateLetters + `/]*`
)

// templateEscapes are the letters that Envoy escapes in a literal. A star within
// one it does not, and so /a* is a slash and any number of a.
var templateEscapes = strings.NewReplacer("$", `\$`, "(", `\(`, ")", `\)`, "+", `\+`, ".", `\.`)

var (
	templateLiteral  = regexp.MustCompile(`^[` + templateLetters + `]+$`)
	rewriteLiteral   = regexp.MustCompile(`^[` + templateLetters + `/]+$`)
	templateVariable = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	templateText     = regexp.MustCompile(`^/[[:graph:]]*$`)
)

// templateOf is the template of a path_match_policy.
func templateOf(e *corev3.TypedExtensionConfig) (string, error) {
	m := &templatematchv3.UriTemplateMatchConfig{}
	if err := e.GetTypedConfig().UnmarshalTo(m); err != nil {
		return "", fmt.Errorf("the extension %q is not known here", e.GetName())
	}
	return m.GetPathTemplate(), nil
}

// rewriteTemplateOf is the template of a path_rewrite_policy.
func rewriteTemplateOf(e *corev3.TypedExtensionConfig) (string, error) {
	m := &templaterewritev3.UriTemplateRewriteConfig{}
	if err := e.GetTypedConfig().UnmarshalTo(m); err != nil {
		return "", fmt.Errorf("the extension %q is not known here", e.GetName())
	}
	return m.GetPathTemplateRewrite(), nil
}

// compileTemplate makes an expression of a path template: * and {name} are one
// segment, ** any number of them, {name=a/*} a part with a name.
func compileTemplate(template string) (*pattern, error) {
	if !templateText.MatchString(template) {
		return nil, errors.New("it must begin with a slash and hold no blank")
	}
	r := templateReader{rest: template, names: map[string]bool{}}
	re := strings.Builder{}
	for r.rest != "" {
		part, err := r.part()
		if err != nil {
			return nil, err
		}
		re.WriteString(part)
	}
	return newPattern(re.String())
}

// templateReader reads one template from the left.
type templateReader struct {
	rest     string
	names    map[string]bool
	deep     bool // ** was read: no wildcard may follow
	slash    bool // the last thing read is a slash
	wild     bool // the last thing read is a wildcard
	variable bool // the last thing read is a variable
	within   bool // a variable is being read
}

// part reads a slash, a wildcard, a variable or a literal.
func (r *templateReader) part() (string, error) {
	wild, variable := r.wild, r.variable
	r.wild, r.variable = false, false
	switch c := r.rest[0]; {
	case c == '/' && r.slash:
		return "", errors.New("it has two slashes in a row")
	case c == '/':
		r.rest, r.slash = r.rest[1:], true
		return "/", nil
	case c == '{' && (wild || variable || r.within):
		return "", errors.New("a variable follows a wildcard or another variable directly, or stands within one")
	case c == '{':
		return r.named()
	case c == '*' && !wild:
		return r.wildcard()
	case wild && (r.within || strings.IndexByte(r.rest, '/') >= 0):
		return "", errors.New("a literal that follows a wildcard must be the end")
	}
	return r.literal()
}

func (r *templateReader) wildcard() (string, error) {
	if r.deep {
		return "", errors.New("no wildcard may follow **")
	}
	r.slash, r.wild = false, true
	if rest, ok := strings.CutPrefix(r.rest, "**"); ok {
		r.rest, r.deep = rest, true
		return anySegments, nil
	}
	r.rest = r.rest[1:]
	return oneSegment, nil
}

func (r *templateReader) literal() (string, error) {
	text := r.rest
	if i := strings.IndexAny(text, "/{"); i >= 0 {
		text = text[:i]
	}
	if !templateLiteral.MatchString(text) {
		return "", fmt.Errorf("%q holds a letter that no template may hold", text)
	}
	r.rest, r.slash = r.rest[len(text):], false
	return templateEscapes.Replace(text), nil
}

// named reads {name} or {name=pattern}.
func (r *templateReader) named() (string, error) {
	inner, rest, ok := strings.Cut(r.rest[1:], "}")
	if !ok {
		return "", errors.New("a { has no }")
	}
	name, match, has := strings.Cut(inner, "=")
	switch {
	case !templateVariable.MatchString(name) || len(name) > maxVariableName:
		return "", fmt.Errorf("%q is no name of a variable: letters, digits and _, at most %d", name, maxVariableName)
	case r.names[name]:
		return "", fmt.Errorf("the variable %s stands there twice", name)
	case len(r.names) == maxTemplateVariables:
		return "", fmt.Errorf("it has more than %d variables", maxTemplateVariables)
	case has && match == "":
		return "", fmt.Errorf("the variable %s matches nothing", name)
	case !has:
		match = "*"
	}
	r.names[name] = true
	r.rest, r.within = match, true
	body := ""
	for r.rest != "" {
		part, err := r.part()
		if err != nil {
			return "", err
		}
		body += part
	}
	r.rest, r.within, r.wild, r.variable = rest, false, false, true
	return "(?P<" + name + ">" + body + ")", nil
}

// rewriteTemplate fills a rewrite template with what a path template matched.
// It fails on a template that Envoy refuses.
func rewriteTemplate(re *pattern, rewrite, path string) (string, error) {
	if !strings.HasPrefix(rewrite, "/") || strings.Contains(rewrite, "//") {
		return "", errors.New("it must begin with a slash, and hold no two in a row")
	}
	whole := re.whole()
	if whole == nil {
		return "", errors.New("the path template cannot be compiled")
	}
	found := whole.FindStringSubmatch(path)
	out := strings.Builder{}
	for rest := rewrite; rest != ""; {
		literal, after, more := strings.Cut(rest, "{")
		if literal != "" && !rewriteLiteral.MatchString(literal) {
			return "", fmt.Errorf("%q holds a letter that no template may hold", literal)
		}
		out.WriteString(literal)
		if !more {
			break
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed {
			return "", errors.New("a { has no }")
		}
		i := whole.SubexpIndex(name)
		if i < 0 {
			return "", fmt.Errorf("the path template has no variable %q", name)
		}
		if found != nil {
			out.WriteString(found[i])
		}
		rest = after
	}
	return out.String(), nil
}
