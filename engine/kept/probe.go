package kept

import (
	"cmp"
	"net/netip"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
)

// MaxProbes is how many requests Probe makes at most.
const MaxProbes = 2000

// Probe is a request for every route of both meshes, as package sample makes
// them: one that the route takes, or would if no other took it before. Compare
// tells with them which routes lead elsewhere where no request is kept. There are
// at most MaxProbes; where there would be more, those of route configurations and
// listeners that differ come first. Their order is that of the meshes.
func Probe(old, new *mesh.Mesh) []Request {
	p := &prober{seen: map[string]bool{}}
	p.mesh(new, old)
	p.mesh(old, new)
	if len(p.probes) > MaxProbes {
		slices.SortStableFunc(p.probes, func(a, b probe) int { return cmp.Compare(a.rank, b.rank) })
		p.probes = p.probes[:MaxProbes]
		slices.SortFunc(p.probes, func(a, b probe) int { return cmp.Compare(a.order, b.order) })
	}
	out := make([]Request, len(p.probes))
	for i, q := range p.probes {
		out[i] = q.request
	}
	return out
}

// probe is one request, and how much it matters: 0 where something near it
// differs, else 1.
type probe struct {
	request     Request
	rank, order int
}

type prober struct {
	probes []probe
	seen   map[string]bool
}

// mesh makes a request for each route of m; other is what it is compared with.
func (p *prober) mesh(m, other *mesh.Mesh) {
	for _, l := range m.List(mesh.Listener) {
		rank := differing(l, other)
		lis, _ := l.Message.(*listenerv3.Listener)
		for _, chain := range append(slices.Clone(lis.GetFilterChains()), lis.GetDefaultFilterChain()) {
			for _, f := range chain.GetFilters() {
				hcm := &hcmv3.HttpConnectionManager{}
				if !f.GetTypedConfig().MessageIs(hcm) || f.GetTypedConfig().UnmarshalTo(hcm) != nil {
					continue
				}
				table, rank := hcm.GetRouteConfig(), rank
				if r := m.Get(mesh.Key{Type: mesh.Route, Name: hcm.GetRds().GetRouteConfigName()}); r != nil {
					table, _ = r.Message.(*routev3.RouteConfiguration)
					rank = min(rank, differing(r, other))
				}
				p.table(lis, chain, table, rank)
			}
		}
	}
}

// differing is 0 for a resource that the other mesh does not have like that.
func differing(r *mesh.Resource, other *mesh.Mesh) int {
	if mesh.SameContent(r, other.Get(r.Key)) {
		return 1
	}
	return 0
}

// reach sends a request to the listener's port, as a client does, so that a
// listener that is only called otherwise is the same; one that binds none is
// named.
func reach(r *match.Request, l *listenerv3.Listener) {
	at := l.GetAddress().GetSocketAddress()
	bound := l.GetBindToPort() == nil || l.GetBindToPort().GetValue()
	if r.Port != 0 || !bound || at.GetPortValue() == 0 {
		r.Listener = l.GetName()
		return
	}
	r.Port = at.GetPortValue()
	if a, err := netip.ParseAddr(at.GetAddress()); err == nil && !a.IsUnspecified() && !r.Address.IsValid() {
		r.Address = a
	}
}

// table makes a request for each route of a table behind a filter chain.
func (p *prober) table(l *listenerv3.Listener, chain *listenerv3.FilterChain, table *routev3.RouteConfiguration, rank int) {
	s := sample.New(chain, table)
	for i, vh := range table.GetVirtualHosts() {
		for j, route := range vh.GetRoutes() {
			if len(p.probes) >= 50*MaxProbes {
				return // whatever is in there, it is enough to choose from
			}
			r := s.Route(i, j)
			reach(&r, l)
			name := nameOf(r)
			if p.seen[name] {
				continue
			}
			p.seen[name] = true
			expect := Expect{VirtualHost: vh.GetName(), Route: route.GetName()}
			p.probes = append(p.probes, probe{request: Request{Name: name, Ask: r, Expect: expect}, rank: rank, order: len(p.probes)})
		}
	}
}
