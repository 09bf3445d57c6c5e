package kept

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/text"
)

// actions are what can be expected.
var actions = []string{
	string(match.Forward), string(match.Redirect), string(match.DirectResponse), string(match.NotFound), string(match.NoListener),
	string(match.NoFilterChain), string(match.TCPProxy), string(match.Refused), string(match.Undecided),
}

// ask reads one field of what is asked.
func (p *parser) ask(key, value *yaml.Node, r *match.Request) {
	switch key.Value {
	case "method":
		r.Method = p.text(key, value)
	case "host":
		r.Host = p.text(key, value)
	case "path":
		r.Path = p.text(key, value)
	case "listener":
		r.Listener = p.text(key, value)
	case "sni":
		r.SNI = p.text(key, value)
	case "port":
		r.Port = uint32(p.number(key, value, 1, 65535))
	case "address":
		r.Address = p.address(key, value)
	case "source":
		r.Source = p.source(key, value)
	case "alpn":
		r.ALPN = p.texts(key, value)
	case "headers":
		r.Headers = p.headers(key, value)
	case "http":
		p.version(key, value, r)
	case "client_certificate":
		p.certificate(key, value, r)
	case "random":
		n := p.number(key, value, 0, math.MaxUint64)
		r.Random = &n
	case "runtime":
		r.Runtime = p.runtime(key, value)
	case "metadata":
		r.Metadata = map[string]map[string]string{}
		for filter, n := range p.mapping(key, value) {
			r.Metadata[filter.Value] = p.pairs(filter, n)
		}
	case "filter_state":
		r.FilterState = p.pairs(key, value)
	}
}

// text is a scalar as it is written; numbers and booleans are texts here.
func (p *parser) text(key, n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		p.bad(key, key.Value+" is no text", fmt.Sprintf("write \"%s: …\" on one line", short(key.Value)))
		return ""
	}
	return n.Value
}

func (p *parser) boolean(key, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
		p.bad(n, key.Value+" is neither true nor false", "write true or false")
	}
	return n.Value == "true"
}

func (p *parser) number(key, n *yaml.Node, least, most uint64) uint64 {
	v, err := strconv.ParseUint(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		p.bad(n, fmt.Sprintf("%s is no number from %d to %d", key.Value, least, most), "write it in digits")
		return least
	}
	return v
}

func (p *parser) address(key, n *yaml.Node) netip.Addr {
	a, err := netip.ParseAddr(p.text(key, n))
	if err != nil {
		p.bad(n, fmt.Sprintf("%s %q is no IP address", key.Value, short(n.Value)), "write one such as 127.0.0.1 or ::1, without a port")
	}
	return a
}

func (p *parser) source(key, n *yaml.Node) netip.AddrPort {
	s := p.text(key, n)
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 0)
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		p.bad(n, fmt.Sprintf("%s %q is no IP address", key.Value, short(n.Value)), "write one such as 10.0.0.7 or 10.0.0.7:4321")
	}
	return a
}

// texts is a list of scalars, or one.
func (p *parser) texts(key, n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{p.text(key, n)}
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, p.text(key, resolved(c)))
	}
	return out
}

// headers are a mapping, whose values may be lists, or a list where their order
// counts: of "name: value" or of {name: …, value: …}.
func (p *parser) headers(key, n *yaml.Node) []routes.Header {
	var out []routes.Header
	if n.Kind == yaml.MappingNode {
		for name, value := range p.mapping(key, n) {
			for _, v := range p.texts(name, value) {
				out = append(out, routes.Header{Name: name.Value, Value: v})
			}
		}
		return out
	}
	if n.Kind != yaml.SequenceNode {
		p.bad(key, "headers is no mapping and no list", "write \"headers: {x-user: alice}\"")
		return nil
	}
	for _, c := range n.Content {
		c = resolved(c)
		if c.Kind == yaml.ScalarNode {
			name, value, ok := strings.Cut(c.Value, ":")
			if !ok {
				p.bad(c, fmt.Sprintf("%q is no header", short(c.Value)), "write \"name: value\"")
			}
			out = append(out, routes.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
			continue
		}
		out = append(out, p.header(key, c)...)
	}
	return out
}

// header is one item of a list of headers that is a mapping.
func (p *parser) header(key, n *yaml.Node) []routes.Header {
	var h routes.Header
	named := false
	var out []routes.Header
	for name, value := range p.mapping(key, n) {
		switch name.Value {
		case "name":
			h.Name, named = p.text(name, value), true
		case "value":
			h.Value = p.text(name, value)
		default:
			for _, v := range p.texts(name, value) {
				out = append(out, routes.Header{Name: name.Value, Value: v})
			}
		}
	}
	if named {
		out = append(out, h)
	}
	return out
}

func (p *parser) version(key, n *yaml.Node, r *match.Request) {
	switch v := p.text(key, n); v {
	case "1.0":
		r.HTTP10 = true
	case "1.1", "1":
	case "2", "2.0":
		r.HTTP2 = true
	default:
		p.bad(n, fmt.Sprintf("there is no HTTP version %q here", short(v)), "expected 1.0, 1.1 or 2")
	}
}

func (p *parser) certificate(key, n *yaml.Node, r *match.Request) {
	known := []string{"none", "presented", "validated"}
	v := p.text(key, n)
	if !slices.Contains(known, v) {
		p.bad(n, fmt.Sprintf("a client certificate cannot be %q", short(v)), text.Suggest(v, known...))
	}
	r.Presented, r.Validated = v == "presented" || v == "validated", v == "validated"
}

func (p *parser) runtime(key, n *yaml.Node) map[string]float64 {
	out := map[string]float64{}
	for name, value := range p.mapping(key, n) {
		v, err := strconv.ParseFloat(p.text(name, value), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			p.bad(value, fmt.Sprintf("%s is no number", short(name.Value)), "write it in digits")
			continue
		}
		out[name.Value] = v
	}
	return out
}

// pairs is a mapping of texts.
func (p *parser) pairs(key, n *yaml.Node) map[string]string {
	out := map[string]string{}
	for name, value := range p.mapping(key, n) {
		out[name.Value] = p.text(name, value)
	}
	return out
}

// mapping goes through the entries of a mapping with names of the operator's
// own.
func (p *parser) mapping(key, n *yaml.Node) func(yield func(name, value *yaml.Node) bool) {
	return func(yield func(name, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			p.bad(key, short(key.Value)+" is no mapping", "write \"name: value\" lines below it")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name := resolved(n.Content[i]); name.Kind != yaml.ScalarNode {
				p.bad(name, "this name is no text", "write \"name: value\"")
			} else if !yield(name, resolved(n.Content[i+1])) {
				return
			}
		}
	}
}

// sorted lists the names of a map.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
