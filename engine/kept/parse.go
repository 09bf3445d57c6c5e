package kept

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Parse reads a requests file. A request with a mistake in it is left out and
// told with its line, since a request that asks or expects something else than
// was meant would mislead; the others are unharmed. file names the text in
// findings.
func Parse(content, file string) ([]Request, []mesh.Finding) {
	items, findings := parse(content, file)
	var out []Request
	for _, it := range items {
		if it.ok {
			out = append(out, it.request)
		}
	}
	return out, findings
}

// item is one entry of the list of requests.
type item struct {
	request Request
	index   int // in the list
	ok      bool
}

func parse(content, file string) ([]item, []mesh.Finding) {
	p := &parser{file: file, names: map[string]int{}}
	if wrong := text.Check(content); wrong != nil {
		wrong.File = file
		return nil, []mesh.Finding{*wrong}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(content), &doc); err != nil || len(doc.Content) == 0 {
		return nil, nil // nothing but comments
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		p.bad(root, "there is no list of requests in it", "write \"requests:\" and a list of {name: …, host: …, path: …}")
		return nil, p.findings
	}
	var out []item
	for key, value := range p.fields(root, "this file", []string{"requests"}) {
		if value.Kind != yaml.SequenceNode {
			if value.Tag != "!!null" {
				p.bad(key, "requests is no list", "put \"- \" before each request")
			}
			continue
		}
		for i, n := range value.Content {
			before := len(p.findings)
			r := p.request(resolved(n))
			r.Line = n.Line
			out = append(out, item{request: r, index: i, ok: len(p.findings) == before})
		}
	}
	return out, p.findings
}

// parser takes a requests file apart.
type parser struct {
	file     string
	names    map[string]int // of requests, and their lines
	findings []mesh.Finding
}

// maxFindings is how much is told of one file.
const maxFindings = 100

func (p *parser) bad(n *yaml.Node, message, hint string) {
	if len(p.findings) < maxFindings {
		p.findings = append(p.findings, mesh.Finding{Severity: mesh.Error, Rule: "requests", File: p.file,
			Line: n.Line, Column: n.Column, Message: message, Hint: hint})
	}
}

// resolved is a node or what it is an alias of.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// fields goes through those fields of a mapping that are known, and reports the
// others and those that are there twice.
func (p *parser) fields(n *yaml.Node, in string, known []string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolved(n.Content[i]), resolved(n.Content[i+1])
			switch {
			case key.Value == "<<":
				p.bad(key, "merge keys (<<) are not read here", "write the fields out")
			case !slices.Contains(known, key.Value):
				p.bad(key, fmt.Sprintf("unknown field %q in %s", short(key.Value), in), text.Suggest(key.Value, known...))
			case seen[key.Value]:
				p.bad(key, fmt.Sprintf("%s is there twice in %s", key.Value, in), "keep one of them")
			case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
				seen[key.Value] = true // says nothing
			default:
				seen[key.Value] = true
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

var (
	requestFields = []string{"name", "group", "method", "host", "path", "port", "listener", "address", "source", "tls", "sni", "alpn",
		"http", "headers", "client_certificate", "random", "runtime", "metadata", "filter_state", "expect"}
	expectFields = []string{"action", "listener", "virtual_host", "route", "cluster", "host", "path", "status", "location"}
)

func (p *parser) request(n *yaml.Node) Request {
	var r Request
	if n.Kind != yaml.MappingNode {
		p.bad(n, "this is no request", "write {name: …, host: …, path: …}")
		return r
	}
	at, tls := n, (*yaml.Node)(nil)
	for key, value := range p.fields(n, "a request", requestFields) {
		switch key.Value {
		case "name":
			r.Name, at = p.text(key, value), value
		case "group":
			r.Group = p.text(key, value)
		case "expect":
			p.expect(key, value, &r.Expect)
		case "tls":
			tls = value
			r.Ask.TLS = p.boolean(key, value)
		default:
			p.ask(key, value, &r.Ask)
		}
	}
	if tls == nil && (r.Ask.SNI != "" || len(r.Ask.ALPN) > 0) {
		r.Ask.TLS = true // there is neither without it
	}
	if strings.TrimSpace(r.Name) == "" {
		r.Name = nameOf(r.Ask)
	}
	if line, taken := p.names[r.Name]; taken {
		p.bad(at, fmt.Sprintf("another request is called %q, on line %d", short(r.Name), line), "give each a name of its own")
	} else {
		p.names[r.Name] = n.Line
	}
	return r
}

// expect reads what a request is expected to find.
func (p *parser) expect(key, n *yaml.Node, e *Expect) {
	if n.Kind != yaml.MappingNode {
		p.bad(key, "expect is no mapping", "write \"expect:\" and below it fields such as \"cluster: app\"")
		return
	}
	texts := map[string]*string{"action": &e.Action, "listener": &e.Listener, "virtual_host": &e.VirtualHost, "route": &e.Route,
		"cluster": &e.Cluster, "host": &e.Host, "path": &e.Path, "location": &e.Location}
	for key, value := range p.fields(n, "expect", expectFields) {
		if to := texts[key.Value]; to != nil {
			*to = p.text(key, value)
		} else {
			e.Status = int(p.number(key, value, 100, 599))
		}
		if key.Value == "action" && value.Kind == yaml.ScalarNode && !slices.Contains(actions, e.Action) {
			p.bad(value, fmt.Sprintf("there is no action %q", short(e.Action)), text.Suggest(e.Action, actions...))
		}
	}
}

// short is the beginning of what an operator wrote, for a message.
func short(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
