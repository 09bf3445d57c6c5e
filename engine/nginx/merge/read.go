package merge

import (
	"errors"
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
)

// SyntaxError is an edited text that is no nginx.conf.
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
	if len(wrong) > 0 {
		return nil, &SyntaxError{wrong}
	}
	return c, nil
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
