package match

import (
	"fmt"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// Match says which way a request takes. It never fails: a request that ends
// somewhere has a way that ends there, with the reason.
func (m *Matcher) Match(r *Request) Way {
	t := trip{m: m, r: r}
	t.travel()
	return t.way
}

// trip is one request on its way, with what its explanation needs.
type trip struct {
	m   *Matcher
	r   *Request
	way Way

	arrived  arrival
	client   client
	chain    *chain
	headers  *headers
	table    *table
	hit      routes.Hit
	upgrade  string // what the connection is to become
	upgrades bool   // it is to become something else
	port     string // that was taken off the Host of a CONNECT, with its colon
}

func (t *trip) travel() {
	if t.arrive() && t.enter() && t.receive() {
		t.route()
	}
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
		return t.end(NoFilterChain, cs.noneBy(asked, &t.client)+": Envoy closes the connection")
	}
	t.chain = c
	t.way.FilterChain = c.name
	if len(cs.all) > 1 || cs.fallback != nil || cs.matched {
		t.step("filter chain", c.name, cs.why(c, asked, &t.client), l.key, c.path)
	} else {
		t.step("filter chain", c.name, "the only one", l.key, c.path)
	}
	if t.r.TLS && t.client.transport != "tls" && cs.matched && c.conn.security == encrypted {
		t.caveat("the listener has no TLS inspector for this port, so that filter chains cannot tell server names apart")
	}
	return t.connect(&c.conn)
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
		return
	}
	u := t.follow(t.way.Cluster, "the TCP proxy names it")
	switch {
	case !u.there:
		t.way.Reason = "cluster " + t.way.Cluster + " is not in the mesh: Envoy closes the connection"
	case u.none:
		t.way.Reason = "cluster " + t.way.Cluster + " has no endpoint that takes connections: Envoy closes the connection"
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

// receive is what codec and connection manager do before a route is looked for.
func (t *trip) receive() bool {
	n := t.chain.conn.manager
	t.headers = newHeaders(t.r.Headers)
	line, wrong := read(t.r, n.proto, t.headers)
	seen := &t.way.Seen
	*seen = routes.Request{
		Method: line.method, Scheme: line.scheme, Authority: line.host, Path: line.target, Headers: t.headers.list,
		TLS: t.r.TLS, Presented: t.r.Presented, Validated: t.r.Validated,
		Random: t.r.Random, Runtime: t.r.Runtime, Metadata: t.r.Metadata, FilterState: t.r.FilterState,
	}
	if wrong != nil {
		return t.refuse(wrong)
	}
	path, answer := normalPath(line.target, n.proto, t.r.Runtime)
	if answer == pathRejected || answer == pathRedirect && isGRPC(t.headers) {
		return t.refuse(refuse(400, "path_normalization_failed", "the connection manager rejects the path "+strconv.Quote(line.target)+whyRejected(line.target)))
	}
	if answer == pathRedirect {
		to := refuse(307, "path_normalization_failed", "the path has escaped slashes, and path_with_escaped_slashes_action redirects to the one without")
		to.location = path
		return t.refuse(to)
	}
	table, why, missing, undecided := n.routes(t.m, t.headers)
	seen.Path, seen.Authority = path, normalHost(line.host, n.proto, uint32(t.arrived.to.Port()))
	if line.method == "CONNECT" {
		t.port = strings.TrimPrefix(line.host, seen.Authority)
	}
	t.upgrade, t.upgrades = upgradeOf(line.method, t.headers, t.r.HTTP2)
	change := mutation{
		m: n.proto, from: t.client.from.Addr(), at: t.arrived.to, tls: t.r.TLS, shown: t.r.Presented,
	}
	if table != nil {
		change.internal = table.config.GetInternalOnlyHeaders()
	}
	seen.Scheme = change.apply(t.headers, line.scheme)
	seen.Headers = t.headers.list
	if t.upgrade != "CONNECT" {
		seen.Protocol = t.upgrade
	}
	if table == nil {
		if undecided {
			return t.end(Undecided, missing)
		}
		t.way.Status, t.way.Detail = 404, "route_not_found"
		return t.end(NotFound, missing)
	}
	t.table = table
	t.way.Config = table.config
	t.step("route configuration", table.config.GetName(), why, table.key, table.path)
	return true
}

func isGRPC(h *headers) bool {
	switch v := h.value("content-type"); {
	case v == "application/grpc":
		return true
	case len(v) > len("application/grpc"):
		return v[:len("application/grpc")] == "application/grpc" && (v[len("application/grpc")] == '+' || v[len("application/grpc")] == ';')
	}
	return false
}

func whyRejected(target string) string {
	for i := range len(target) {
		if target[i] == '#' {
			return ", which has a fragment"
		}
	}
	return " (path_with_escaped_slashes_action, or an escape that no path may hold)"
}

// route asks the route table and follows what it answers.
func (t *trip) route() {
	seen, w := &t.way.Seen, &t.way
	rt := t.table.compiled()
	t.hit = rt.Match(seen)
	t.way.Caveats = append(t.way.Caveats, t.hit.Assumed...)
	w.VHost, w.Entry, w.Domain = t.hit.VirtualHost, t.hit.Route, t.hit.Domain
	domain, route := rt.Why(t.hit, seen)
	if h := t.hit.VirtualHost; h != nil {
		w.VirtualHost = h.GetName()
		t.step("virtual host", h.GetName(), domain, t.table.key, t.table.virtualHost(t.hit.HostIndex))
	}
	if t.hit.Route != nil {
		w.Matched, w.Route = true, RouteID{Index: t.hit.RouteIndex, Name: t.hit.Route.GetName()}
		t.step("route", routeCalled(w.Route), route, t.table.key, t.table.route(t.hit.HostIndex, t.hit.RouteIndex))
	}
	out := rt.Act(t.hit, seen)
	if t.upgrades && out.Kind != routes.NotFound && !allowsUpgrade(w.Manager, t.hit.Route, t.upgrade) {
		t.refuse(refuse(403, "upgrade_failed", "neither connection manager nor route has upgrade_configs for "+t.upgrade))
		return
	}
	t.answer(&out)
	w.Weight = out.Weight
	t.filters()
}

func routeCalled(id RouteID) string {
	if id.Name != "" {
		return id.Name
	}
	return fmt.Sprintf("route %d", id.Index)
}

// answer takes over what the route does.
func (t *trip) answer(out *routes.Outcome) {
	w := &t.way
	w.Caveats = append(w.Caveats, out.Assumed...)
	w.Status, w.Detail, w.Location, w.Body, w.Settings = out.Status, out.Detail, out.Location, out.Body, out.Settings
	switch out.Kind {
	case routes.NotFound:
		w.Action = NotFound
		switch {
		case w.VHost == nil:
			w.Reason = "no virtual host has a domain for Host " + strconv.Quote(w.Seen.Authority)
		case t.headers.value("x-forwarded-proto") == "":
			w.Reason = "x-forwarded-proto is empty, and Envoy then looks at no route"
		default:
			w.Reason = "no route of virtual host " + w.VirtualHost + " matches"
		}
		if t.table.config.GetVhds() != nil {
			t.caveat("further virtual hosts are discovered on demand (VHDS), which is not part of the mesh")
		}
	case routes.Redirect:
		w.Action, w.Reason = Redirect, out.Why
	case routes.DirectResponse:
		w.Action = DirectResponse
		if out.BodyOpen {
			t.caveat("the body of the direct response is not known here")
		}
	case routes.Unsupported:
		w.Action, w.Reason = Undecided, out.Why
	case routes.Forward:
		w.Action = Forward
		w.Cluster, w.Weighted, w.Host, w.Path = out.Cluster, out.Weighted, out.Host, out.Path
		if out.Host == w.Seen.Authority {
			w.Host += t.port // a CONNECT goes on to the port that it asked for
		}
		if out.HostOpen {
			t.caveat("the Host that is sent upstream depends on the endpoint or on a format")
		}
		if out.PathOpen {
			t.caveat("the path that is sent upstream is made by a format that is not followed here")
		}
		t.forward(out)
	}
}

// forward follows the request to its cluster.
func (t *trip) forward(out *routes.Outcome) {
	w := &t.way
	if out.Cluster == "" {
		if out.Status != 0 {
			if w.Reason = out.Why; w.Reason == "" {
				w.Reason = "the header that names the cluster is not in the request"
			}
			return
		}
		for _, each := range out.Weighted {
			if each.Name != "" && each.Weight > 0 && t.m.cluster(each.Name) == nil {
				t.caveat("cluster " + each.Name + " is not in the mesh: its share of the requests is answered 503")
			}
		}
		return
	}
	why := out.Why
	if why == "" {
		why = "the route names it"
	}
	u := t.follow(out.Cluster, why)
	switch {
	case !u.there:
		w.Status, w.Detail = notFoundStatus(t.hit.Route), "cluster_not_found"
		w.Reason = "cluster " + out.Cluster + " is not in the mesh"
	case u.none:
		w.Status, w.Detail, w.Body = 503, "no_healthy_upstream", "no healthy upstream"
		w.Reason = "cluster " + out.Cluster + " has no endpoint that takes requests"
	}
}

// filters names what stands between the request and the router.
func (t *trip) filters() {
	n := t.chain.conn.manager
	before, routed := n.filtersFor(t.upgrade)
	if !routed {
		t.caveat("the connection manager has no router filter, so that requests hang until their client gives up")
	}
	p := passage{
		seen: &t.way.Seen, headers: t.headers, config: t.table.config,
		host: t.way.VHost, route: t.way.Entry, weight: t.way.Weight,
	}
	t.way.Caveats = append(t.way.Caveats, p.caveats(before)...)
	for _, e := range n.proto.GetEarlyHeaderMutationExtensions() {
		t.caveat("early header mutation " + filterCalled(e.GetName(), typeIn(e.GetTypedConfig())) + " changes the headers before the route is chosen")
	}
	for _, e := range n.proto.GetOriginalIpDetectionExtensions() {
		t.caveat("the client's address is detected by " + filterCalled(e.GetName(), typeIn(e.GetTypedConfig())) + ", which is not followed here")
	}
}
