package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	directv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/direct_response/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// branch is a part of a server's connections and what becomes of it.
type branch struct {
	match *listenerv3.FilterChainMatch // nil for the rest
	proxy *tcpv3.TcpProxy              // nil where it is answered at once
	reply *directv3.Config
	from  []*conf.Directive // whose match it is
}

// branches are the ways that a server's connections go. ok is false where it
// cannot be said, which is in the report then.
func (p *port) branches(name string) (out []*branch, ok bool) {
	if d := first(p.server, "return"); d != nil {
		return p.answered(d)
	}
	pass := first(p.server, "proxy_pass")
	if pass == nil {
		return nil, false
	}
	target := pass.Arg(0)
	if !strings.Contains(target, "$") {
		b := &branch{proxy: p.proxy(name)}
		if !p.to(b.proxy, pass, target) {
			return nil, false
		}
		return []*branch{b}, true
	}
	d := p.variable(strings.TrimPrefix(target, "$"))
	switch {
	case d == nil && strings.HasPrefix(target, "$ssl_preread_server_name"):
		p.im.none(pass, "the name in the handshake is not looked up as an upstream", "use Envoy's sni_dynamic_forward_proxy filter, or name the hosts in a map")
	case d == nil:
		p.im.none(pass, "Envoy takes the upstream of a connection from no variable", "name the upstreams in a map or split_clients")
	case d.Name == "split_clients":
		b := &branch{proxy: p.proxy(name)}
		p.im.claimed[pass] = true
		return []*branch{b}, p.split(b.proxy, d)
	default:
		p.im.claimed[pass] = true
		return p.mapped(d, name)
	}
	return nil, false
}

// answered is a return: a text of its own, and the end.
func (p *port) answered(d *conf.Directive) ([]*branch, bool) {
	if strings.Contains(d.Arg(0), "$") {
		p.im.none(d, "Envoy answers a connection with a fixed text alone", "")
		return nil, false
	}
	b := &branch{reply: &directv3.Config{Response: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: d.Arg(0)}}}}
	p.im.exact(d, at(b.reply, "response"))
	return []*branch{b}, true
}

// variable is the directive that makes a variable, nil where there is none.
func (p *port) variable(name string) *conf.Directive {
	for _, d := range p.server.Parent.Block {
		switch d.Name {
		case "map", "split_clients":
			if d.Arg(1) == "$"+name {
				return d
			}
		case "geo":
			if d.Args != nil && d.Args[len(d.Args)-1] == "$"+name {
				return d
			}
		}
	}
	return nil
}

// split is a weighted choice.
func (p *port) split(proxy *tcpv3.TcpProxy, d *conf.Directive) bool {
	weighted := &tcpv3.TcpProxy_WeightedCluster{}
	left := uint64(100_00)
	for _, line := range d.Block {
		share := left
		if text, ok := strings.CutSuffix(line.Name, "%"); ok {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil || f < 0 || f > 100 {
				p.im.none(line, "it is no percentage", "")
				continue
			}
			share = min(uint64(f*100+0.5), left)
		}
		left -= share
		cluster, ok := p.im.streamCluster(p, line, line.Arg(0))
		if !ok || share == 0 {
			continue
		}
		w := &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: cluster, Weight: uint32(share)}
		p.im.exact(line, at(proxy, index("weighted_clusters.clusters", len(weighted.Clusters))))
		weighted.Clusters = append(weighted.Clusters, w)
	}
	if len(weighted.Clusters) == 0 {
		p.im.none(d, "it leaves no upstream", "")
		return false
	}
	proxy.ClusterSpecifier = &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
	p.im.approx(d, at(proxy, "weighted_clusters"), "Envoy draws for each connection; nginx sends equal keys the same way", "")
	return true
}

// mapped are the branches of a map or geo.
func (p *port) mapped(d *conf.Directive, name string) ([]*branch, bool) {
	key := d.Arg(0)
	if d.Name == "geo" && len(d.Args) < 2 {
		key = "$remote_addr"
	}
	preread := p.of("ssl_preread")
	seen := key
	if strings.HasPrefix(key, "$ssl_preread_") && (preread == nil || preread.Arg(0) != "on") {
		seen = "" // nginx reads nothing, and the variable is empty
	}
	byValue := map[string]*branch{}
	var order []string
	put := func(line *conf.Directive) *branch {
		b := byValue[line.Arg(0)]
		if b == nil {
			b = &branch{}
			byValue[line.Arg(0)] = b
			order = append(order, line.Arg(0))
		}
		b.from = append(b.from, line)
		return b
	}
	var rest *conf.Directive
	hosts := len(d.Children("hostnames")) > 0
	for _, line := range d.Block {
		switch {
		case line.Name == "hostnames" || line.Name == "volatile" || line.Name == "ranges":
			p.im.moot(line)
		case line.Name == "default":
			rest = line
		case !p.matches(put, line, seen, hosts):
		}
	}
	var out []*branch
	for _, value := range order {
		if b := byValue[value]; b.match != nil && p.branchTo(b, b.from[0], name) {
			out = append(out, b)
		}
	}
	if rest != nil {
		if b := (&branch{from: []*conf.Directive{rest}}); p.branchTo(b, rest, name) {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		p.im.none(d, "Envoy chooses by none of this", "")
		return nil, false
	}
	p.im.claimed[d] = true
	if preread != nil {
		p.im.claimed[preread] = true
	}
	return out, true
}

// branchTo gives a branch its upstream. An empty one closes the connection: for
// the rest no chain does that too.
func (p *port) branchTo(b *branch, line *conf.Directive, name string) bool {
	if line.Arg(0) == "" {
		b.reply = &directv3.Config{Response: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{}}}
		p.im.claimed[line] = true
		return b.match != nil
	}
	b.proxy = p.proxy(name)
	return p.to(b.proxy, line, line.Arg(0))
}

// matches adds a line of a map to the branch of its value. It reports what Envoy
// cannot match.
func (p *port) matches(put func(*conf.Directive) *branch, line *conf.Directive, key string, hosts bool) bool {
	name := strings.ToLower(line.Name)
	match := func() *listenerv3.FilterChainMatch {
		b := put(line)
		if b.match == nil {
			b.match = &listenerv3.FilterChainMatch{}
		}
		return b.match
	}
	switch key {
	case "$ssl_preread_server_name", "$ssl_server_name":
		wild := hosts && strings.HasPrefix(name, "*.")
		dot := hosts && strings.HasPrefix(name, ".")
		plain := strings.TrimPrefix(strings.TrimPrefix(name, "*"), ".")
		if !hostName(plain) || plain != name && !wild && !dot {
			p.im.none(line, "Envoy chooses by names and *.names in the handshake alone", "list the names; the others go to the default")
			return false
		}
		m := match()
		if dot {
			m.ServerNames = append(m.ServerNames, plain, "*."+plain)
		} else {
			m.ServerNames = append(m.ServerNames, name)
		}
	case "$ssl_preread_alpn_protocols", "$ssl_alpn_protocol":
		protocol := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(name, "~*"), "~"), `\b`, "")
		if protocol == "" || strings.ContainsAny(protocol, `\^$()[]*+?|,`) {
			p.im.none(line, "Envoy chooses by single protocols of ALPN alone", "")
			return false
		}
		m := match()
		m.ApplicationProtocols = append(m.ApplicationProtocols, protocol)
	case "$ssl_preread_protocol":
		if name != "" {
			p.im.none(line, "Envoy tells TLS from plain text, not its versions", "")
			return false
		}
		match().TransportProtocol = "raw_buffer"
	case "$remote_addr", "$binary_remote_addr":
		cidr := cidrOf(name)
		if cidr == nil {
			p.im.none(line, "Envoy chooses by addresses and networks alone", "")
			return false
		}
		m := match()
		m.SourcePrefixRanges = append(m.SourcePrefixRanges, cidr)
	case "$server_port":
		if name != strconv.Itoa(int(p.spot.port)) {
			p.im.claimed[line] = true
			return false
		}
		match().DestinationPort = wrapperspb.UInt32(p.spot.port)
	default:
		p.im.none(line, fmt.Sprintf("Envoy chooses no upstream by %q", key), "")
		return false
	}
	return true
}

// named narrows a match to the names of the server, where several servers have
// one address.
func (p *port) named(m *listenerv3.FilterChainMatch) *listenerv3.FilterChainMatch {
	if len(m.GetServerNames()) > 0 {
		return m
	}
	var names []string
	for _, d := range p.server.Children("server_name") {
		p.im.claimed[d] = true
		for _, a := range d.Args {
			if a = strings.ToLower(a); hostName(strings.TrimPrefix(a, "*.")) && !slices.Contains(names, a) {
				names = append(names, a)
			}
		}
	}
	if len(names) == 0 {
		return m
	}
	if m == nil {
		m = &listenerv3.FilterChainMatch{}
	}
	m.ServerNames = names
	return m
}
