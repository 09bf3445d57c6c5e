package match

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// Match says which way a request takes. It never fails: a request that ends
// somewhere has a way that ends there, with the reason.
func (m *Matcher) Match(r *Request) Way {
	t := m.trip(r)
	t.travel()
	return t.way
}

// trip is one request on its way, with what its explanation needs.
type trip struct {
	m   *Matcher
	r   *Request
	way Way

	runtime  map[string]float64
	arrived  arrival
	client   client
	chain    *chain
	headers  *headers
	table    *table
	hit      routes.Hit
	upgrade  string   // what the connection is to become
	upgrades bool     // it is to become something else
	before   []filter // that the request passes on its way to the router
	router   *routerv3.Router
	remote   netip.Addr // what counts as the client's address
	absent   int        // that Envoy answers where the cluster is not there
	port     string     // that was taken off the Host of a CONNECT, with its colon
}

func (m *Matcher) trip(r *Request) trip { return trip{m: m, r: r, runtime: m.runtimeFor(r)} }

func (t *trip) travel() {
	if t.arrive() && t.enter() && t.receive() {
		t.route()
	}
	t.answered()
}

func (t *trip) step(kind, name, why string, key mesh.Key, path string) {
	if t.way.Steps == nil {
		t.way.Steps = make([]Step, 0, 7)
	}
	t.way.Steps = append(t.way.Steps, Step{Kind: kind, Name: name, Why: why, Key: key, Path: path})
}

func (t *trip) caveat(said string) {
	if said != "" {
		t.way.Caveats = append(t.way.Caveats, said)
	}
}

func (t *trip) end(a Action, reason string) bool {
	t.way.Action, t.way.Reason = a, reason
	return false
}

func (t *trip) refuse(with *refusal) bool {
	t.way.Status, t.way.Detail, t.way.Location, t.way.Body = with.status, with.detail, with.location, with.body
	if with.action == "" {
		with.action = Refused
	}
	return t.end(with.action, with.why)
}

// arrive finds the listener.
func (t *trip) arrive() bool {
	a, wrong := t.m.arrive(t.r)
	if wrong != "" {
		return t.end(NoListener, wrong)
	}
	t.arrived = a
	t.way.Listener = a.listener.key.Name
	t.step("listener", called(a.listener), a.why, a.listener.key, "")
	l := a.listener
	if l.proto.GetAddress().GetSocketAddress().GetProtocol() == corev3.SocketAddress_UDP {
		return t.end(Undecided, "the listener takes UDP, which is not followed here")
	}
	if l.filter(proxyProtocolType) != nil {
		t.caveat("the listener expects the PROXY protocol, whose addresses then count as those of the connection")
	}
	for _, f := range l.proto.GetListenerFilters() {
		if kind := typeIn(f.GetTypedConfig()); !knownListenerFilters[kind] {
			t.caveat("listener filter " + filterCalled(f.GetName(), kind) + " is not known here; it may close or change the connection")
		}
	}
	return true
}

var knownListenerFilters = map[string]bool{
	originalDestinationType: true, tlsInspectorType: true, httpInspectorType: true, proxyProtocolType: true,
	"envoy.extensions.filters.listener.original_src.v3.OriginalSrc": true,
}

// enter chooses the filter chain and what its network filters do.
func (t *trip) enter() bool {
	l := t.arrived.listener
	cs := l.compiled()
	if cs.tree {
		return t.end(Undecided, "filter_chain_matcher chooses the filter chain, which is not followed here")
	}
	t.client = l.know(t.r, t.arrived.to)
	c, asked := cs.choose(&t.client)
	if c == nil {
		t.way.Detail = "filter_chain_not_found"
		return t.end(NoFilterChain, cs.noneBy(asked, &t.client)+t.uninspected()+": Envoy closes the connection")
	}
	t.chain = c
	t.way.FilterChain = c.name
	if len(cs.all) > 1 || cs.fallback != nil || cs.matched {
		t.step("filter chain", c.name, cs.why(c, asked, &t.client), l.key, c.path)
	} else {
		t.step("filter chain", c.name, "the only one", l.key, c.path)
	}
	if said := t.uninspected(); said != "" && cs.matched {
		t.caveat("filter chains are not told apart by TLS" + said)
	}
	return t.connect(&c.conn)
}

// uninspected says why nothing is known of a TLS connection; "" when it is.
func (t *trip) uninspected() string {
	if !t.r.TLS || t.client.transport == "tls" {
		return ""
	}
	return " (the listener has no tls_inspector for this port, so that server name and ALPN stay unknown)"
}

// connect follows the network filters of the chain.
func (t *trip) connect(c *connection) bool {
	if why, status := c.refusal(t.r); why != "" {
		if status != 0 {
			return t.refuse(refuse(status, "http1.codec_error", why))
		}
		return t.end(NoFilterChain, why)
	}
	if c.security == opaque {
		t.caveat("the transport socket " + c.socket + " is not known here; the connection may fail in it")
	}
	t.way.Caveats = append(t.way.Caveats, c.caveats...)
	switch {
	case c.wrong != "":
		return t.end(Undecided, c.wrong)
	case c.manager != nil:
		t.way.Manager = c.manager.proto
		return true
	case c.tcp != nil:
		t.passOn(c)
		return false
	case c.ends != "":
		return t.end(Undecided, "network filter "+c.ends+" handles the connection itself")
	}
	return t.end(NoFilterChain, "the filter chain has no filters: Envoy closes the connection")
}

// passOn is the end of a connection in a TCP proxy.
func (t *trip) passOn(c *connection) {
	t.way.Action = TCPProxy
	t.way.Cluster = c.tcp.GetCluster()
	var total uint64
	for i, w := range c.tcp.GetWeightedClusters().GetClusters() {
		t.way.Weighted = append(t.way.Weighted, routes.Weighted{Name: w.GetName(), Weight: w.GetWeight(), Index: i})
		total += uint64(w.GetWeight())
	}
	if len(t.way.Weighted) > 0 && t.r.Random != nil && total > 0 {
		at := *t.r.Random % total
		for _, w := range t.way.Weighted {
			if at < uint64(w.Weight) {
				t.way.Cluster = w.Name
				break
			}
			at -= uint64(w.Weight)
		}
	}
	if t.way.Cluster == "" {
		t.shares(true)
		return
	}
	u := t.follow(t.way.Cluster, "the TCP proxy names it")
	if f, ok := t.fate(t.way.Cluster, &u); !ok {
		f.Status, f.Detail = 0, ""
		t.doomed(f)
		t.certain()
	}
}

// follow adds the steps of a cluster and its endpoints.
func (t *trip) follow(name, why string) upstream {
	u := t.m.upstream(name)
	if !u.there {
		t.step("cluster", name, "it is not in the mesh", mesh.Key{}, "")
		return u
	}
	t.step("cluster", name, why, u.key, "")
	if u.endpoints.Name != "" {
		t.step("endpoints", name, u.says, u.endpoints, u.path)
	}
	t.caveat(u.caveat)
	return u
}
