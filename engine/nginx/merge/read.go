package merge

import (
	"errors"
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
)

// SyntaxError is an edited text that is no nginx.conf, or one that nginx would not
// start with.
type SyntaxError struct {
	Findings []mesh.Finding // at least one; Line is of the edited text
}

// Error is the first finding.
func (e *SyntaxError) Error() string { return e.Findings[0].String() }

// file is the name that the text has while it is read.
const file = "nginx.conf"

// single is a text that stands alone.
type single struct {
	text     string
	included []string
}

func (s *single) ReadFile(path string) ([]byte, error) {
	if path != file {
		s.included = append(s.included, path)
		return nil, errors.New("the projection is one file: what it would include must stand in it")
	}
	return []byte(s.text), nil
}

func (s *single) Glob(pattern string) ([]string, error) {
	s.included = append(s.included, pattern)
	return nil, nil
}

// parsed is a text that was read.
type parsed struct {
	text string
	conf *conf.Config
}

// of is the text read, which it may be already.
func (p *parsed) of(text string) (*conf.Config, error) {
	if p != nil && p.text == text {
		return p.conf, nil
	}
	return read(text)
}

// read parses a text. Everything that nginx would not start with is an error.
func read(text string) (*conf.Config, error) {
	src := &single{text: text}
	c, err := conf.Parse(file, src)
	if err != nil {
		return nil, &SyntaxError{[]mesh.Finding{{Severity: mesh.Error, Rule: "nginx-syntax", File: file, Message: err.Error()}}}
	}
	var wrong []mesh.Finding
	for _, f := range c.Problems {
		if f.Severity == mesh.Error {
			f.File = ""
			wrong = append(wrong, f)
		}
	}
	if len(src.included) > 0 && len(wrong) == 0 {
		wrong = append(wrong, mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", Line: includeLine(text),
			Message: fmt.Sprintf("include %s: the projection is one file", src.included[0]), Hint: "write here what the file says"})
	}
	if f := unended(text, names(c)); f != nil {
		wrong = append([]mesh.Finding{*f}, wrong...)
	}
	if len(wrong) > 0 {
		return nil, &SyntaxError{wrong}
	}
	return c, nil
}

// names are those of the directives that begin a line of a file.
func names(c *conf.Config) map[string]bool {
	out := map[string]bool{"server": true, "location": true, "listen": true, "server_name": true, "proxy_pass": true, "return": true, "upstream": true}
	for d := range c.All() {
		if !shares(d.Parent) && d.Name != "*" && (d.Parent == nil || d.Parent.Name != "map") {
			out[d.Name] = true
		}
	}
	return out
}

// includeLine is where the first include stands.
func includeLine(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimSpace(line), "include") {
			return n
		}
	}
	return 0
}

// unended finds a directive that lacks its semicolon: one that a closing brace, or
// the name of another directive at the beginning of a line, ends. nginx would read
// on, and refuse what it then has or, worse, take it.
func unended(text string, known map[string]bool) *mesh.Finding {
	line, words, began := 1, 0, 0
	missing := func() *mesh.Finding {
		return &mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", Line: began, Message: "the directive is not ended", Hint: `put ";" at its end`}
	}
	for i, first := 0, true; i < len(text); {
		switch text[i] {
		case '\n':
			line, first = line+1, true
			i++
		case ' ', '\t', '\r':
			i++
		case '#':
			i += len(upTo(text[i:], "\n"))
		case ';', '{':
			words = 0
			i++
		case '}':
			if words > 0 {
				return missing()
			}
			i++
		default:
			word := token(text[i:])
			if words > 0 && first && known[word] {
				return missing()
			}
			if words == 0 {
				began = line
			}
			words, first = words+1, false
			line += strings.Count(word, "\n")
			i += len(word)
		}
	}
	return nil
}

// token is the word that a text begins with, quotes and escapes as they stand.
func token(s string) string {
	if quote := s[0]; quote == '"' || quote == '\'' {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case quote:
				return s[:i+1]
			}
		}
		return s
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '$' && i+1 < len(s) && s[i+1] == '{':
			i++
		case strings.IndexByte(" \t\r\n;{", s[i]) >= 0 && i > 0:
			return s[:i]
		}
	}
	return s
}

func upTo(s, end string) string {
	before, _, _ := strings.Cut(s, end)
	return before
}
