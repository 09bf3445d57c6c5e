package match

import (
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/match/routes"
)

// receive is what codec and connection manager do before a route is looked for.
func (t *trip) receive() bool {
	n := t.chain.conn.manager
	t.headers = newHeaders(t.r.Headers)
	line, wrong := read(t.r, n.proto, t.headers)
	t.way.Seen = routes.Request{
		Method: line.method, Scheme: line.scheme, Authority: line.host, Path: line.target, Headers: t.headers.list,
		TLS: t.r.TLS, Presented: t.r.Presented, Validated: t.r.Validated,
		Random: t.r.Random, Runtime: t.runtime, Metadata: t.r.Metadata, FilterState: t.r.FilterState,
	}
	if wrong != nil {
		return t.refuse(wrong)
	}
	// What only internal requests may bring is that of the configuration which the
	// headers choose as they came, the routes those of the one that they choose
	// when the connection manager is through with them.
	early, _, _, _ := n.routes(t.m, &t.way.Seen)
	if !t.normalise(n, line) {
		return false
	}
	t.mutate(n, line, early)
	filters := n.filtersFor(t.upgrade)
	if t.before, t.router = filters.before, filters.router; !filters.routed {
		t.caveat("the connection manager has no router filter, so that requests hang until their client gives up")
	}
	t.way.Caveats = append(t.way.Caveats, unfollowed(n.proto, t.r)...)
	return t.configure(n)
}

// configure finds the route configuration for the request as it is now.
func (t *trip) configure(n *manager) bool {
	table, why, missing, undecided := n.routes(t.m, &t.way.Seen)
	switch {
	case undecided:
		return t.end(Undecided, missing)
	case table == nil:
		t.way.Status, t.way.Detail = 404, "route_not_found"
		return t.end(NotFound, missing)
	}
	t.table, t.way.Config = table, table.config
	t.step("route configuration", table.config.GetName(), why, table.key, table.path)
	return true
}

// normalise brings path and Host into the form that routes are matched with.
func (t *trip) normalise(n *manager, line line) bool {
	path, answer := normalPath(line.target, n.proto, t.runtime)
	switch {
	case answer == pathRejected, answer == pathRedirect && isGRPC(t.headers):
		return t.refuse(refuse(400, "path_normalization_failed", "the connection manager rejects the path "+strconv.Quote(line.target)+whyRejected(line.target)))
	case answer == pathRedirect:
		to := refuse(307, "path_normalization_failed", "the path has escaped slashes, and path_with_escaped_slashes_action redirects to the one without")
		to.location = path
		return t.refuse(to)
	}
	seen := &t.way.Seen
	seen.Path, seen.Authority = path, normalHost(line.host, n.proto, uint32(t.arrived.to.Port()))
	if at := routes.PortStart(line.host); at >= 0 && line.method == "CONNECT" && routes.PortStart(seen.Authority) < 0 {
		t.port = line.host[at:]
	}
	return true
}

// mutate brings the headers into the form that routes are matched with.
func (t *trip) mutate(n *manager, line line, table *table) {
	t.upgrade, t.upgrades = upgradeOf(line.method, t.headers, t.r.HTTP2)
	t.headers.remove(":protocol")
	change := mutation{
		m: n.proto, from: t.client.from.Addr(), at: t.arrived.to, tls: t.r.TLS, shown: t.r.Presented,
	}
	if table != nil {
		change.internal = table.config.GetInternalOnlyHeaders()
	}
	seen := &t.way.Seen
	seen.Scheme, t.remote = change.apply(t.headers, line.scheme)
	seen.Headers = t.headers.list
	if t.upgrade != "CONNECT" {
		seen.Protocol = t.upgrade
	}
}

// isGRPC reports whether a request is gRPC, which Envoy answers in gRPC's way.
func isGRPC(h *headers) bool {
	rest, ok := strings.CutPrefix(h.value("content-type"), "application/grpc")
	return ok && (rest == "" || rest[0] == '+')
}

func whyRejected(target string) string {
	if strings.Contains(target, "#") {
		return ", which has a fragment"
	}
	return " (path_with_escaped_slashes_action, or an escape that no path may hold)"
}

// route asks the route table and follows what it answers.
func (t *trip) route() {
	seen, w := &t.way.Seen, &t.way
	t.hit = t.table.compiled().Match(seen)
	if t.tag() {
		w.Steps = slices.DeleteFunc(w.Steps, func(s Step) bool { return s.Kind == "route configuration" })
		if t.table, w.Config = nil, nil; !t.configure(t.chain.conn.manager) {
			return
		}
		t.hit = t.table.compiled().Match(seen)
	}
	rt := t.table.compiled()
	t.way.Caveats = append(t.way.Caveats, t.hit.Assumed...)
	w.VHost, w.Entry, w.Domain = t.hit.VirtualHost, t.hit.Route, t.hit.Domain
	domain, route := rt.Why(t.hit, seen)
	if h := t.hit.VirtualHost; h != nil {
		w.VirtualHost = h.GetName()
		t.step("virtual host", h.GetName(), domain, t.table.key, t.table.virtualHost(t.hit.HostIndex))
	}
	if t.hit.Route != nil {
		w.Matched, w.Route = true, RouteID{Index: t.hit.RouteIndex, Name: t.hit.Route.GetName()}
		t.step("route", w.Route.called(), route, t.table.key, t.table.route(t.hit.HostIndex, t.hit.RouteIndex))
	}
	out := rt.ActWith(t.hit, seen, func(cluster string) routes.Policies { return t.m.policies(cluster) })
	if t.upgrades && out.Kind != routes.NotFound && !allowsUpgrade(w.Manager, t.hit.Route, t.upgrade) {
		t.refuse(refuse(403, "upgrade_failed", "neither connection manager nor route has upgrade_configs for "+t.upgrade))
		return
	}
	t.answer(&out)
	w.Weight = out.Weight
	p := t.passage(&out)
	w.Caveats = append(w.Caveats, p.caveats(t.before)...)
}

// refuseLate refuses a request that was on its way to a cluster already.
func (t *trip) refuseLate(wrong *refusal) {
	w := &t.way
	w.Cluster, w.Weighted, w.Host, w.Path, w.Settings, w.Mirrors = "", nil, "", "", nil, nil
	t.refuse(wrong)
}

// passage is the request on its way through the filters, with what the route
// says about them.
func (t *trip) passage(out *routes.Outcome) *passage {
	p := &passage{
		seen: &t.way.Seen, headers: t.headers, config: t.table.config,
		host: t.hit.VirtualHost, route: t.hit.Route, weight: out.Weight,
	}
	switch {
	case out.Kind != routes.Forward:
	case out.Cluster != "":
		p.to = []string{out.Cluster}
	default:
		for _, c := range out.Weighted {
			p.to = append(p.to, c.Name)
		}
	}
	return p
}

// called is a route's name, else its index.
func (id RouteID) called() string {
	if id.Name != "" {
		return id.Name
	}
	return strconv.Itoa(id.Index)
}

// answer takes over what the route does.
func (t *trip) answer(out *routes.Outcome) {
	w := &t.way
	w.Caveats = append(w.Caveats, out.Assumed...)
	w.Status, w.Detail, w.Location, w.Body = out.Status, out.Detail, out.Location, out.Body
	w.Settings, w.Mirrors, t.absent = out.Settings, out.Mirrors, out.Absent
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
			t.unnamed(out)
			return
		}
		if wrong := t.strictly(); wrong != nil {
			t.refuseLate(wrong)
			return
		}
		t.shares(false)
		t.copies(out)
		return
	}
	why := out.Why
	if why == "" {
		why = "the route names it"
	}
	u := t.follow(out.Cluster, why)
	if wrong := t.strictly(); u.there && wrong != nil {
		t.refuseLate(wrong)
		return
	}
	if f, ok := t.fate(out.Cluster, &u); !ok {
		t.doomed(f)
		t.certain()
	}
}

// copies notes the mirrors that the clusters bring among which the choice is
// open; those of the route are in the way already.
func (t *trip) copies(out *routes.Outcome) {
	for _, each := range out.Weighted {
		if each.Name == "" || each.Weight == 0 {
			continue
		}
		for _, p := range t.m.policies(each.Name).GetRequestMirrorPolicies() {
			t.way.Mirrors = append(t.way.Mirrors, routes.Mirror{
				Cluster: p.GetCluster(), Header: p.GetClusterHeader(), Level: routes.OfCluster,
			})
		}
	}
}
