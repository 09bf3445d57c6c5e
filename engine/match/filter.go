package match

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/match/routes"
)

const routerType = "envoy.extensions.filters.http.router.v3.Router"

// filter is one HTTP filter before the router.
type filter struct {
	name   string // under which routes configure it
	kind   string // type of its configuration
	config *anypb.Any
	off    bool // disabled unless a route says otherwise
	remote bool // its configuration is discovered later
}

// filters are those of an HTTP connection manager, or of an upgrade.
type filters struct {
	before []filter // the router, in order
	router *routerv3.Router
	routed bool // there is a router
}

// newFilters reads a list of filters. One whose configuration is not shown may be
// the router itself.
func newFilters(all []*hcmv3.HttpFilter) filters {
	n := filters{}
	for _, f := range all {
		one := filter{
			name: f.GetName(), kind: typeIn(f.GetTypedConfig()), config: f.GetTypedConfig(),
			off: f.GetDisabled(), remote: f.GetConfigDiscovery() != nil,
		}
		if one.kind == routerType {
			n.routed, n.router = true, routerOf(one)
			return n
		}
		n.before = append(n.before, one)
		n.routed = n.routed || one.remote
	}
	return n
}

// passage is one request on its way through the filters: what its route says
// about them.
type passage struct {
	seen    *routes.Request
	headers *headers
	config  *routev3.RouteConfiguration
	host    *routev3.VirtualHost
	route   *routev3.Route
	weight  *routev3.WeightedCluster_ClusterWeight
	to      []string // the clusters that the request may go to
}

// own is what the route says of a filter, from the innermost level that says
// anything; nil when none does.
func (p *passage) own(name string) *anypb.Any {
	for _, level := range []map[string]*anypb.Any{
		p.weight.GetTypedPerFilterConfig(), p.route.GetTypedPerFilterConfig(),
		p.host.GetTypedPerFilterConfig(), p.config.GetTypedPerFilterConfig(),
	} {
		if a := level[name]; a != nil {
			return a
		}
	}
	return nil
}

// caveats names each filter that may answer, change or reroute the request
// before the router sees it.
func (p *passage) caveats(fs []filter) []string {
	var out []string
	for i := range fs {
		if said := p.caveat(&fs[i]); said != "" {
			out = append(out, "filter "+filterCalled(fs[i].name, fs[i].kind)+" "+said)
		}
	}
	return out
}

func (p *passage) caveat(f *filter) string {
	config := f.config
	own, _ := p.override(f.name)
	switch {
	case p.skips(f):
		return ""
	case f.remote:
		return "is discovered by ECDS and not known here; it may answer or change the request"
	}
	said, known := filterCaveats[f.kind]
	switch {
	case !known && silentFilters[f.kind]:
		return ""
	case !known && f.kind == "":
		return "has no configuration, and Envoy rejects the listener"
	case !known:
		return "(" + f.kind + ") is not known here; it may answer or change the request"
	case said.when == nil:
		return said.does
	}
	return said.when(p, unpack(config), unpack(own), said.does)
}

// skips reports whether the request passes by a filter that is switched off.
func (p *passage) skips(f *filter) bool {
	own, disabled := p.override(f.name)
	return disabled || f.off && own == nil
}

// override is what the route says of a filter, without its wrapping, and whether
// it switches it off.
func (p *passage) override(name string) (own *anypb.Any, disabled bool) {
	own = p.own(name)
	if own == nil {
		return nil, false
	}
	m := unpack(own)
	if wrap, ok := m.(*routev3.FilterConfig); ok {
		if wrap.GetDisabled() {
			return own, true
		}
		if wrap.GetConfig() != nil {
			own = wrap.GetConfig()
		}
		m = unpack(wrap.GetConfig())
	}
	return own, isDisabled(m)
}

// isDisabled reads the field by which most filters' settings for a route switch
// the filter off.
func isDisabled(m proto.Message) bool {
	if m == nil {
		return false
	}
	fd := m.ProtoReflect().Descriptor().Fields().ByName("disabled")
	if fd == nil || fd.IsList() || fd.Message() != nil {
		return false
	}
	off, _ := m.ProtoReflect().Get(fd).Interface().(bool)
	return off
}

// unpack is the message in an Any, nil when there is none that can be read.
func unpack(a *anypb.Any) proto.Message {
	if a == nil {
		return nil
	}
	m, err := a.UnmarshalNew()
	if err != nil {
		return nil
	}
	return m
}

// fires reports whether a runtime fraction is ever met; unset means the default.
func fires(f *corev3.RuntimeFractionalPercent, runtime map[string]float64, otherwise bool) bool {
	if f == nil {
		return otherwise
	}
	if v, set := runtime[f.GetRuntimeKey()]; set && f.GetRuntimeKey() != "" {
		return v > 0
	}
	return f.GetDefaultValue().GetNumerator() > 0
}
