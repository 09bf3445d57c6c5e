package kept

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// head is what a new file begins with.
const head = `# Requests that are asked again after each change: "meshtui match PATH --all"
# says which of them find something else than they expect. What expect leaves
# out is not looked at.
`

// Format writes a requests file anew. It fails on a request that YAML cannot
// hold, naming it.
func Format(rs []Request) (string, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range rs {
		n, err := r.node()
		if err != nil {
			return "", err
		}
		list.Content = append(list.Content, n)
	}
	if len(rs) == 0 {
		list.Style = yaml.FlowStyle
	}
	doc := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode("requests"), list}}
	var b bytes.Buffer
	b.WriteString(head)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(doc); err != nil {
		return "", fmt.Errorf("writing requests: %w", err)
	}
	if err := enc.Close(); err != nil {
		return "", fmt.Errorf("writing requests: %w", err)
	}
	return b.String(), nil
}

// fieldsOf is a mapping being written; it leaves out what says nothing.
type fieldsOf struct {
	node *yaml.Node
	bad  string // a text that YAML cannot hold
}

func newFields() *fieldsOf { return &fieldsOf{node: &yaml.Node{Kind: yaml.MappingNode}} }

func (f *fieldsOf) put(name string, n *yaml.Node) {
	f.node.Content = append(f.node.Content, textNode(name), n)
}

func (f *fieldsOf) text(name, value string) {
	if value == "" {
		return
	}
	f.check(value)
	f.put(name, textNode(value))
}

// check notes a text that YAML cannot hold.
func (f *fieldsOf) check(values ...string) {
	for _, v := range values {
		if !utf8.ValidString(v) {
			f.bad = v
		}
	}
}

func (f *fieldsOf) plain(ok bool, name, value string) {
	if ok {
		f.put(name, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
	}
}

// node is a request as YAML.
func (r Request) node() (*yaml.Node, error) {
	f := newFields()
	f.text("name", r.Name)
	f.text("group", r.Group)
	f.ask(r.Ask)
	e, bad := r.Expect.node()
	if len(e.Content) > 0 {
		f.put("expect", e)
	}
	if f.bad == "" {
		f.bad = bad
	}
	if f.bad != "" {
		return nil, fmt.Errorf("request %q cannot be kept: %q is no UTF-8, which YAML cannot hold", r.Name, f.bad)
	}
	return f.node, nil
}

func (f *fieldsOf) ask(r match.Request) {
	f.text("method", r.Method)
	f.text("host", r.Host)
	f.text("path", r.Path)
	f.plain(r.Port != 0, "port", strconv.FormatUint(uint64(r.Port), 10))
	f.text("listener", r.Listener)
	if r.Address.IsValid() {
		f.text("address", r.Address.String())
	}
	if r.Source.IsValid() {
		f.text("source", r.Source.String())
	}
	f.plain(r.TLS, "tls", "true")
	f.text("sni", r.SNI)
	if len(r.ALPN) > 0 {
		f.check(r.ALPN...)
		f.put("alpn", textsNode(r.ALPN))
	}
	switch {
	case r.HTTP10:
		f.text("http", "1.0")
	case r.HTTP2:
		f.text("http", "2")
	}
	if len(r.Headers) > 0 {
		f.put("headers", f.headers(r.Headers))
	}
	switch {
	case r.Validated:
		f.text("client_certificate", "validated")
	case r.Presented:
		f.text("client_certificate", "presented")
	}
	if r.Random != nil {
		f.plain(true, "random", strconv.FormatUint(*r.Random, 10))
	}
	f.assumed(r)
}

// assumed writes what the request takes for given.
func (f *fieldsOf) assumed(r match.Request) {
	if len(r.Runtime) > 0 {
		in := newFields()
		for _, k := range sorted(r.Runtime) {
			f.check(k)
			in.plain(true, k, strconv.FormatFloat(r.Runtime[k], 'f', -1, 64))
		}
		f.put("runtime", in.node)
	}
	if len(r.Metadata) > 0 {
		in := newFields()
		for _, filter := range sorted(r.Metadata) {
			f.check(filter)
			in.put(filter, f.pairs(r.Metadata[filter]))
		}
		f.put("metadata", in.node)
	}
	if len(r.FilterState) > 0 {
		f.put("filter_state", f.pairs(r.FilterState))
	}
}

func (f *fieldsOf) pairs(m map[string]string) *yaml.Node {
	in := newFields()
	for _, k := range sorted(m) {
		f.check(k, m[k])
		in.put(k, textNode(m[k]))
	}
	return in.node
}

// headers is a mapping where each name is there once, else a list in order.
func (f *fieldsOf) headers(all []routes.Header) *yaml.Node {
	seen := map[string]bool{}
	twice := false
	in := newFields()
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, h := range all {
		f.check(h.Name, h.Value)
		twice = twice || seen[strings.ToLower(h.Name)]
		seen[strings.ToLower(h.Name)] = true
		in.put(h.Name, textNode(h.Value))
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle,
			Content: []*yaml.Node{textNode("name"), textNode(h.Name), textNode("value"), textNode(h.Value)}})
	}
	if twice {
		return list
	}
	return in.node
}

func (e Expect) node() (n *yaml.Node, bad string) {
	f := newFields()
	f.text("action", e.Action)
	f.text("listener", e.Listener)
	f.text("virtual_host", e.VirtualHost)
	f.text("route", e.Route)
	f.text("cluster", e.Cluster)
	f.text("host", e.Host)
	f.text("path", e.Path)
	f.plain(e.Status != 0, "status", strconv.Itoa(e.Status))
	f.text("location", e.Location)
	return f.node, f.bad
}

// textNode is a string that stays one: in quotes unless it can be nothing else,
// to this reader of YAML and to others.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	if plainText.MatchString(s) && !otherWord.MatchString(s) {
		n.Style = 0
	}
	return n
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z/_][\pL\pN_./?&=,+%@()|~-]*([ :][\pL\pN_./?&=,+%@()|~-]+)*$`)
	otherWord = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)
)

func textsNode(all []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range all {
		n.Content = append(n.Content, textNode(s))
	}
	return n
}
