package text

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// syntaxError is a text that is no YAML. Line is 0 when it is not known.
type syntaxError struct {
	line    int
	message string
	hint    string
}

func (e *syntaxError) Error() string {
	if e.line > 0 {
		return fmt.Sprintf("line %d: %s", e.line, e.message)
	}
	return e.message
}

// parse reads exactly one YAML document. The node is its root value, nil for an
// empty document.
func parse(text string) (root *yaml.Node, err error) {
	// The library guards itself against its own known errors only, and the
	// text is whatever an operator typed.
	defer func() {
		if v := recover(); v != nil {
			root, err = nil, &syntaxError{message: fmt.Sprintf("this is no YAML: %v", v)}
		}
	}()
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, &syntaxError{message: "this is no text: it holds bytes that are not UTF-8",
			hint: "give a YAML or JSON file"}
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, readable(err, text)
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, readable(err, text)
	default:
		return nil, &syntaxError{line: second.Line, message: "there is a second YAML document here, and only one is taken",
			hint: "split the text at the \"---\""}
	}
	if len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil, nil
	}
	return doc.Content[0], nil
}

var (
	yamlLine  = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	template  = regexp.MustCompile(`\{%.*%\}|\{\{.*\}\}`)
	noAnchor  = regexp.MustCompile(`unknown anchor '([^']*)'`)
	parserSay = regexp.MustCompile(`did not find expected (node content|'-'|key|',' or|<)`)
)

const templateHint = "it looks like a template; give what the template makes"

// readable puts an error of the YAML library into our own words where a common
// mistake is behind it.
func readable(err error, text string) error {
	msg := err.Error()
	e := &syntaxError{line: 1, message: "this is no valid YAML: " + yamlLine.ReplaceAllString(msg, "")}
	if m := yamlLine.FindStringSubmatch(msg); m != nil && m[1] != "" {
		e.line, _ = strconv.Atoi(m[1])
		if parserSay.MatchString(msg) {
			e.line++ // the library counts from 0 in its parser, from 1 in its scanner
		}
	}
	lines := strings.Split(text, "\n")
	e.line = min(e.line, len(lines))
	switch anchor := noAnchor.FindStringSubmatch(msg); {
	case template.MatchString(text):
		e.hint = templateHint
	case anchor != nil:
		e.message, e.hint = "there is no anchor &"+anchor[1]+" for the alias *"+anchor[1], "put the anchor before it"
		for i, l := range lines {
			if strings.Contains(l, "*"+anchor[1]) {
				e.line = i + 1
				break
			}
		}
	case strings.HasPrefix(strings.TrimLeft(lines[e.line-1], " "), "\t"),
		strings.Contains(msg, "cannot start any token") && strings.Contains(text, "\n\t"):
		e.hint = "indent with spaces; YAML takes no tabs"
	case strings.Contains(msg, "mapping values are not allowed"):
		e.hint = "look at the indentation, and quote a text that holds \": \""
	case strings.Contains(msg, "did not find expected"):
		e.hint = "look at the indentation and the brackets around that line"
	}
	return e
}

// pair is one entry of a mapping.
type pair struct{ key, value *yaml.Node }

// deref follows aliases to the node that they stand for; nil when they only
// lead to each other.
func deref(n *yaml.Node) *yaml.Node {
	for range 16 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&quoted == 0
}

// maxMerge bounds how deep merge keys may refer to mappings with merge keys.
const maxMerge = 16

// entries lists the entries of a mapping with its merge keys resolved: its own
// first, in order, then those merged in that it does not have itself. Keys that
// are there twice are in dup, keys that are no plain scalar in odd.
func entries(n *yaml.Node) (all []pair, dup, odd []*yaml.Node) {
	return mergedEntries(n, maxMerge)
}

func mergedEntries(n *yaml.Node, depth int) (all []pair, dup, odd []*yaml.Node) {
	all = make([]pair, 0, len(n.Content)/2)
	seen := keySet{all: &all}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := deref(n.Content[i]), n.Content[i+1]
		switch {
		case key == nil || key.Kind != yaml.ScalarNode:
			odd = append(odd, n.Content[i])
		case isMerge(key):
			merged = append(merged, mergeSources(value)...)
			if len(mergeSources(value)) == 0 {
				odd = append(odd, n.Content[i])
			}
		case seen.has(key.Value):
			dup = append(dup, n.Content[i])
		default:
			seen.add(key.Value)
			all = append(all, pair{n.Content[i], value})
		}
	}
	if depth == 0 {
		return all, dup, append(odd, merged...)
	}
	for _, m := range merged {
		more, _, _ := mergedEntries(m, depth-1)
		for _, p := range more {
			if k := deref(p.key).Value; !seen.has(k) {
				seen.add(k)
				all = append(all, p)
			}
		}
	}
	return all, dup, odd
}

// keySet are the keys of a mapping so far. Nearly all mappings are small, so it
// looks at the entries themselves until there are many.
type keySet struct {
	all  *[]pair
	many map[string]bool
}

const manyKeys = 16

func (s *keySet) has(key string) bool {
	if s.many != nil {
		return s.many[key]
	}
	for _, p := range *s.all {
		if deref(p.key).Value == key {
			return true
		}
	}
	return false
}

// add is called before the entry goes into all.
func (s *keySet) add(key string) {
	if s.many == nil && len(*s.all) >= manyKeys {
		s.many = make(map[string]bool, 2*manyKeys)
		for _, p := range *s.all {
			s.many[deref(p.key).Value] = true
		}
	}
	if s.many != nil {
		s.many[key] = true
	}
}

// mergeSources lists the mappings that the value of a "<<" key names; none when
// it names something else.
func mergeSources(value *yaml.Node) []*yaml.Node {
	value = deref(value)
	if value == nil {
		return nil
	}
	switch value.Kind {
	case yaml.MappingNode:
		return []*yaml.Node{value}
	case yaml.SequenceNode:
		var out []*yaml.Node
		for _, c := range value.Content {
			if c = deref(c); c != nil && c.Kind == yaml.MappingNode {
				out = append(out, c)
			}
		}
		return out
	}
	return nil
}
