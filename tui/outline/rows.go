package outline

import (
	"fmt"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// rowsOf are the rows of one resource, by pane: a listener has rows among the
// routes when its routes are inline, a cluster among the endpoints.
func rowsOf(r *mesh.Resource) ([Panes][]Row, []Row) {
	b := builder{key: r.Key}
	switch m := r.Message.(type) {
	case *listenerv3.Listener:
		b.listener(m)
	case *routev3.RouteConfiguration:
		b.routes(m, "", "")
	case *clusterv3.Cluster:
		b.cluster(m)
	case *endpointv3.ClusterLoadAssignment:
		b.assignment(m, "", "")
	default:
		b.others = append(b.others, Row{Key: r.Key, Kind: OtherRow, Label: r.Key.Name, Value: otherValue(m)})
	}
	return b.panes, b.others
}

type builder struct {
	key    mesh.Key
	panes  [Panes][]Row
	others []Row
}

func (b *builder) add(p Pane, r Row) {
	r.Key = b.key
	b.panes[p] = append(b.panes[p], r)
}

func at(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func item(path, field string, i int) string { return at(path, field) + "[" + strconv.Itoa(i) + "]" }

func (b *builder) listener(l *listenerv3.Listener) {
	b.add(LDS, Row{Kind: ListenerRow, Label: l.GetName(), Value: mesh.Address(l.GetAddress())})
	top := len(b.panes[LDS]) - 1
	for i, fc := range l.GetFilterChains() {
		b.chain(fc, item("", "filter_chains", i), top)
	}
	if fc := l.GetDefaultFilterChain(); fc != nil {
		b.chain(fc, "default_filter_chain", top)
	}
}

// chain adds a row for a filter chain: whom it takes and what it does.
func (b *builder) chain(fc *listenerv3.FilterChain, path string, top int) {
	row := Row{Kind: ChainRow, Path: path, Depth: 1, Label: matchOf(fc)}
	for j, f := range fc.GetFilters() {
		inner := unpack(f.GetTypedConfig())
		switch m := inner.(type) {
		case *hcmv3.HttpConnectionManager:
			row.HTTP, b.panes[LDS][top].HTTP = true, true
			row.Value = "HTTP"
			switch {
			case m.GetRds() != nil:
				row.Value = "HTTP → " + m.GetRds().GetRouteConfigName()
			case m.GetRouteConfig() != nil:
				row.Value = "HTTP → routes inline"
				b.routes(m.GetRouteConfig(), item(path, "filters", j)+".typed_config.route_config", b.key.Name)
			}
		case *tcpv3.TcpProxy:
			row.Value = "TCP → " + tcpTarget(m)
		}
	}
	if row.Value == "" {
		row.Value = filterNames(fc)
	}
	if fc.GetTransportSocket() != nil {
		row.Value = "TLS " + row.Value
	}
	b.add(LDS, row)
}

func tcpTarget(m *tcpv3.TcpProxy) string {
	if m.GetCluster() != "" {
		return m.GetCluster()
	}
	var names []string
	for _, c := range m.GetWeightedClusters().GetClusters() {
		names = append(names, c.GetName())
	}
	return strings.Join(names, ", ")
}

func filterNames(fc *listenerv3.FilterChain) string {
	var names []string
	for _, f := range fc.GetFilters() {
		names = append(names, shortExtension(f.GetName()))
	}
	if len(names) == 0 {
		return "no filters"
	}
	return strings.Join(names, ", ")
}

// shortExtension is an extension's name without the part that all share.
func shortExtension(name string) string {
	if i := strings.LastIndexByte(name, '.'); strings.HasPrefix(name, "envoy.") && i >= 0 {
		return name[i+1:]
	}
	return name
}

// matchOf says which connections a filter chain takes.
func matchOf(fc *listenerv3.FilterChain) string {
	m := fc.GetFilterChainMatch()
	var parts []string
	if len(m.GetServerNames()) > 0 {
		parts = append(parts, "SNI "+strings.Join(m.GetServerNames(), " "))
	}
	if m.GetDestinationPort() != nil {
		parts = append(parts, fmt.Sprintf("port %d", m.GetDestinationPort().GetValue()))
	}
	if m.GetTransportProtocol() != "" {
		parts = append(parts, m.GetTransportProtocol())
	}
	if len(m.GetApplicationProtocols()) > 0 {
		parts = append(parts, "ALPN "+strings.Join(m.GetApplicationProtocols(), " "))
	}
	for _, p := range append(m.GetPrefixRanges(), m.GetSourcePrefixRanges()...) {
		parts = append(parts, fmt.Sprintf("%s/%d", p.GetAddressPrefix(), p.GetPrefixLen().GetValue()))
	}
	return strings.Join(parts, ", ")
}

func unpack(a *anypb.Any) any {
	if a == nil {
		return nil
	}
	m, err := a.UnmarshalNew()
	if err != nil {
		return nil // an extension that is not linked in: its name is all there is to show
	}
	return m
}

// InlineRoutes is the route configuration that stands inline in a listener and
// encloses the field at path; nil when there is none.
func InlineRoutes(l *listenerv3.Listener, path string) *routev3.RouteConfiguration {
	for i, fc := range l.GetFilterChains() {
		if rc := inlineIn(fc, item("", "filter_chains", i), path); rc != nil {
			return rc
		}
	}
	return inlineIn(l.GetDefaultFilterChain(), "default_filter_chain", path)
}

func inlineIn(fc *listenerv3.FilterChain, chain, path string) *routev3.RouteConfiguration {
	for j, f := range fc.GetFilters() {
		if !within(path, item(chain, "filters", j)) {
			continue
		}
		if m, ok := unpack(f.GetTypedConfig()).(*hcmv3.HttpConnectionManager); ok {
			return m.GetRouteConfig()
		}
	}
	return nil
}

// Chain is the filter chain of a listener that encloses the field at path, or
// nil.
func Chain(l *listenerv3.Listener, path string) *listenerv3.FilterChain {
	for i, fc := range l.GetFilterChains() {
		if within(path, item("", "filter_chains", i)) {
			return fc
		}
	}
	if within(path, "default_filter_chain") {
		return l.GetDefaultFilterChain()
	}
	return nil
}
