package sample

import (
	"cmp"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// A Sampler makes requests for the routes of one route configuration. It is not
// safe for concurrent use and never changes what it was made of.
type Sampler struct {
	chain  *listenerv3.FilterChain
	config *routev3.RouteConfiguration
	table  *routes.Table
	hosts  map[int][]string // of a virtual host, those that reach it first
}

// New makes a sampler for a route configuration and the filter chain that leads
// to it. Without a chain, connections are encrypted where a route asks for it;
// without a configuration, there is only the plain request that VirtualHost makes.
func New(fc *listenerv3.FilterChain, rc *routev3.RouteConfiguration) *Sampler {
	if rc == nil {
		rc = &routev3.RouteConfiguration{}
	}
	table, _ := routes.Compile(rc)
	return &Sampler{chain: fc, config: rc, table: table, hosts: map[int][]string{}}
}

// VirtualHost is a request for the root of the i-th virtual host; to localhost
// where there is none.
func (s *Sampler) VirtualHost(i int) match.Request {
	req := s.plain(i)
	s.aim(&req, s.hostsOf(i)[0])
	return req
}

// Route is a request that the j-th route of the i-th virtual host takes, and no
// route before it, as far as one was found; see the package's comment. Where
// there is no such route it is VirtualHost's.
func (s *Sampler) Route(i, j int) match.Request {
	r := s.route(i, j)
	if r == nil {
		return s.VirtualHost(i)
	}
	d := draft{sampler: s, match: r.GetMatch(), req: s.plain(i)}
	d.fill()
	hosts, paths := d.hosts(i), d.paths()
	if req := d.to(hosts[0], paths[0]); s.gives(req, r) {
		return req
	}
	d = draft{sampler: s, match: r.GetMatch(), req: s.plain(i), careful: true}
	d.fill()
	paths = d.paths()
	var fits *match.Request
	alone := newTrial(r.GetMatch())
	for _, host := range hosts {
		for _, path := range paths {
			req := d.to(host, path)
			if s.gives(req, r) {
				return req
			}
			if fits == nil && alone.takes(req) {
				fits = &req
			}
		}
	}
	if fits == nil {
		return d.to(hosts[0], paths[0])
	}
	return *fits
}

// Weighted is Route with what has the k-th of its weighted clusters chosen: a
// random value, or the header that stands for one. Where there is no such
// cluster, or it has no weight, it is Route's.
func (s *Sampler) Weighted(i, j, k int) match.Request {
	req := s.Route(i, j)
	r := s.route(i, j)
	weighted := r.GetRoute().GetWeightedClusters()
	clusters := weighted.GetClusters()
	if k < 0 || k >= len(clusters) || clusters[k].GetWeight().GetValue() == 0 {
		return req
	}
	var before, total uint64
	for at, c := range clusters {
		if at < k {
			before += uint64(c.GetWeight().GetValue())
		}
		total += uint64(c.GetWeight().GetValue())
	}
	if name := weighted.GetHeaderName(); name != "" && !strings.HasPrefix(name, ":") {
		return withHeader(req, name, number(before))
	}
	share := uint64(clusters[k].GetWeight().GetValue())
	for round := range uint64(maxRounds) { // a fraction of the route may want another remainder
		for at := range min(share, maxRounds) {
			value := before + at + round*total
			req.Random = &value
			if r.GetMatch().GetRuntimeFraction() == nil || s.gives(req, r) {
				return req
			}
		}
	}
	req.Random = &before
	return req
}

// maxRounds bounds the search for a random value that fits weights and fraction.
const maxRounds = 128

// route is nil where there is none.
func (s *Sampler) route(i, j int) *routev3.Route {
	vh := s.virtualHost(i)
	if j < 0 || j >= len(vh.GetRoutes()) {
		return nil
	}
	return vh.GetRoutes()[j]
}

// virtualHost is nil where there is none.
func (s *Sampler) virtualHost(i int) *routev3.VirtualHost {
	if i < 0 || i >= len(s.config.GetVirtualHosts()) {
		return nil
	}
	return s.config.GetVirtualHosts()[i]
}

// plain is a request on a connection that the chain takes, without a Host.
func (s *Sampler) plain(i int) match.Request {
	req := match.Request{Method: "GET", Path: "/"}
	connect(&req, s.chain)
	if s.virtualHost(i).GetRequireTls() != routev3.VirtualHost_NONE && !req.TLS {
		if s.chain == nil {
			req.TLS = true
		} else {
			req.Headers = []routes.Header{{Name: forwardedProto, Value: "https"}}
		}
	}
	return req
}

// aim sends a request to a Host.
func (s *Sampler) aim(req *match.Request, host string) {
	req.Host = host
	if name := s.config.GetVhostHeader(); name != "" && !strings.HasPrefix(name, ":") && s.config.GetVirtualHosts() != nil {
		*req = withHeader(*req, name, host)
	}
	name(req, s.chain)
}

// gives reports whether the table gives a request to a route.
func (s *Sampler) gives(req match.Request, r *routev3.Route) bool {
	return s.table.Match(seen(&req)).Route == r
}

const forwardedProto = "x-forwarded-proto"

// seen is a request as a connection manager without settings of its own hands
// it to the route table.
func seen(r *match.Request) *routes.Request {
	out := &routes.Request{
		Method: cmp.Or(r.Method, "GET"), Scheme: "http", Authority: r.Host, Path: r.Path, Headers: r.Headers,
		TLS: r.TLS, Presented: r.Presented, Validated: r.Validated,
		Random: r.Random, Runtime: r.Runtime, Metadata: r.Metadata, FilterState: r.FilterState,
	}
	if r.TLS {
		out.Scheme = "https"
	}
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, forwardedProto) {
			if p := strings.ToLower(h.Value); p == "http" || p == "https" {
				out.Scheme = p
			}
			return out
		}
	}
	out.Headers = append(slices.Clip(r.Headers), routes.Header{Name: forwardedProto, Value: out.Scheme})
	return out
}

// withHeader is the request with a header, in place of one of that name.
func withHeader(req match.Request, name, value string) match.Request {
	req.Headers = slices.DeleteFunc(slices.Clone(req.Headers), func(h routes.Header) bool { return strings.EqualFold(h.Name, name) })
	req.Headers = append(req.Headers, routes.Header{Name: name, Value: value})
	return req
}

// trial is a match that requests are tried on by itself.
type trial struct{ table *routes.Table }

func newTrial(m *routev3.RouteMatch) trial {
	table, _ := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "trial", Domains: []string{"*"}, Routes: []*routev3.Route{{Match: m, Action: &routev3.Route_NonForwardingAction{}}},
	}}})
	return trial{table}
}

func (t trial) takes(req match.Request) bool { return t.table.Match(seen(&req)).Route != nil }
