package friends

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// edited is how many places a fix changes at most: each is an edit of the text.
const edited = 200

// gathered is one friend of a route configuration with all its places.
type gathered struct {
	Friend
	edits []edit
	marks [][]int
}

// routing is the search in one route configuration.
type routing struct {
	*look
	resource *mesh.Resource
	by       map[string]*gathered
	order    []string
}

// at notes one place of a friend; the first one's words are told.
func (g *routing) at(path, directive string, f Friend, edits ...edit) {
	o := nginx.Origin{Key: g.resource.Key, Path: path}
	one := g.by[f.Subject]
	if one == nil {
		f.At = o
		one = &gathered{Friend: f}
		g.by[f.Subject] = one
		g.order = append(g.order, f.Subject)
	}
	one.Places++
	one.marks = append(one.marks, g.lines.saying(o, directive))
	if len(one.edits) < edited {
		one.edits = append(one.edits, edits...)
	}
}

// routes looks at a route configuration.
func (l *look) routes(r *mesh.Resource) {
	rc, ok := r.Message.(*routev3.RouteConfiguration)
	if !ok {
		return
	}
	g := &routing{look: l, resource: r, by: map[string]*gathered{}}
	if plain, ported := named(rc); plain && !rc.GetIgnorePortInHostMatching() && !l.bare[rc.GetName()] {
		f := Friend{
			Subject: "port in the Host", Kind: nginx.Exact,
			Nginx: "It strips `:8080` and a dot at the end from the Host before it compares names.",
			Envoy: "It compares the Host with its port: `Host: www.example.com:8080` misses the domain `www.example.com`.",
		}
		edits := []edit{set(r, "ignore_port_in_host_matching", true)}
		if f.Fix = (&Fix{Says: "ignore_port_in_host_matching: true"}); ported {
			f.Kind, f.Fix, edits = nginx.None, nil, nil
			f.Without = "No setting here: with ignore_port_in_host_matching the domains that have a port would never match. Take their ports off first."
		}
		g.at("ignore_port_in_host_matching", "server_name", f, edits...)
	}
	for i, vh := range rc.GetVirtualHosts() {
		for j, route := range vh.GetRoutes() {
			g.route(vh, route, fmt.Sprintf("virtual_hosts[%d].routes[%d]", i, j), fmt.Sprintf("virtual_hosts[%d]", i))
		}
	}
	for _, subject := range g.order {
		one := g.by[subject]
		one.Lines = merged(one.marks...)
		if one.Fix != nil {
			one.Fix.edits = one.edits
			if one.Places > 1 {
				one.Fix.Says += fmt.Sprintf(", at %d places", min(one.Places, max(len(one.edits), 1)))
			}
		}
		l.found = append(l.found, one.Friend)
	}
}

// named reports whether some domain is a name without a port, and whether some
// domain has a port.
func named(rc *routev3.RouteConfiguration) (plain, ported bool) {
	for _, vh := range rc.GetVirtualHosts() {
		for _, d := range vh.GetDomains() {
			port := strings.Contains(d[strings.LastIndexByte(d, ']')+1:], ":")
			plain, ported = plain || d != "*" && !port, ported || port
		}
	}
	return plain, ported
}

func (g *routing) route(vh *routev3.VirtualHost, route *routev3.Route, path, host string) {
	switch {
	case route.GetRedirect() != nil:
		g.redirect(route.GetRedirect(), path+".redirect")
	case route.GetRoute() != nil:
		g.silence(route.GetRoute(), path+".route")
		g.host(route.GetRoute(), path+".route")
		g.retries(vh, route.GetRoute(), path+".route", host)
		g.split(route.GetRoute(), path+".route")
	}
}

// redirect: the client's query.
func (g *routing) redirect(r *routev3.RedirectAction, path string) {
	if r.GetStripQuery() || r.GetPathRedirect() == "" || strings.Contains(r.GetPathRedirect(), "?") {
		return
	}
	g.at(path, "return", Friend{
		Subject: "query of a redirect", Kind: nginx.Exact,
		Nginx: "`return 301 /new` sends the client to /new alone.",
		Envoy: "It appends the query that the client sent.",
		Fix:   &Fix{Says: "strip_query: true"},
	}, set(g.resource, path+".strip_query", true))
}

// silence: sixty seconds between two reads, or fifteen in all.
func (g *routing) silence(a *routev3.RouteAction, path string) {
	of := 15 * time.Second
	if a.GetTimeout() != nil {
		of = a.GetTimeout().AsDuration()
	}
	if of == 0 {
		return
	}
	silence := "60s"
	if a.GetTimeout() != nil {
		silence = fmt.Sprintf("%gs", of.Seconds())
	}
	f := Friend{
		Subject: "silence", Kind: nginx.Exact,
		Nginx: "Its time is silence: 504 after 60.02 s without a byte, and an answer that drips for 20 s passes.",
		Envoy: fmt.Sprintf("Its time is the whole answer: here %g s, and a drip that takes longer stops then, after a 200.", of.Seconds()),
		Fix:   &Fix{Says: "timeout: 0s and idle_timeout: " + silence},
	}
	edits := []edit{set(g.resource, path+".timeout", "0s")}
	if a.GetIdleTimeout() == nil {
		edits = append(edits, set(g.resource, path+".idle_timeout", silence))
	}
	g.at(path+".timeout", "proxy_read_timeout", f, edits...)
}

// host: what the upstream sees as its name.
func (g *routing) host(a *routev3.RouteAction, path string) {
	if a.GetHostRewriteSpecifier() != nil || a.GetCluster() == "" {
		return
	}
	f := Friend{
		Subject: "Host upstream", Kind: nginx.Exact,
		Nginx:   "It sends the upstream's name as Host unless told: `Host: " + a.GetCluster() + "`.",
		Envoy:   "It passes the client's Host on.",
		Here:    "The nginx.conf says it as Envoy does, by `proxy_set_header Host $http_host`; without that line the two part.",
		Fix:     &Fix{Says: "host_rewrite_literal with the cluster's name"},
		Without: "Envoy adds x-envoy-original-host. Most people who move to Envoy want the client's Host, and write `proxy_set_header Host $host` in nginx.",
	}
	g.at(path+".cluster", "proxy_pass", f, set(g.resource, path+".host_rewrite_literal", a.GetCluster()))
}

// retries: the next server.
func (g *routing) retries(vh *routev3.VirtualHost, a *routev3.RouteAction, path, host string) {
	policy, at := a.GetRetryPolicy(), path+".retry_policy"
	if policy == nil {
		policy, at = vh.GetRetryPolicy(), host+".retry_policy"
	}
	n := 0
	for _, c := range clustersOf(a) {
		n = max(n, g.endpoints(c))
	}
	if policy == nil {
		if n < 2 {
			return
		}
		g.at(path+".cluster", "proxy_pass", Friend{
			Subject: "the next server", Kind: nginx.Exact,
			Nginx: "With one of two servers refusing, 10 of 10 requests succeed: it tries the next one unless told not to, a POST too.",
			Envoy: "The same gives 5 of 10: it retries nothing unless told.",
			Fix:   &Fix{Says: "retry_policy: connect-failure,refused-stream,reset, another endpoint each time"},
		}, set(g.resource, path+".retry_policy", yml(fmt.Sprintf("{retry_on: 'connect-failure,refused-stream,reset', num_retries: %d, "+
			`retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}], `+
			"host_selection_retry_max_attempts: 5}", n-1))))
		return
	}
	if on := policy.GetRetryOn(); slices.ContainsFunc(strings.Split(on, ","), func(s string) bool {
		return slices.Contains([]string{"reset", "5xx", "gateway-error", "retriable-status-codes"}, strings.TrimSpace(s))
	}) {
		g.at(at, "proxy_next_upstream", Friend{
			Subject: "retry of a POST", Kind: nginx.Approximate,
			Nginx:   "A POST that reached the upstream is not sent again: closed after the request it gave 502 in 5 of 10.",
			Envoy:   "`" + on + "` repeats a POST too.",
			Without: "No setting looks at the method: split the route by the :method header, with connect-failure,refused-stream alone for POST.",
		})
	}
}

func clustersOf(a *routev3.RouteAction) []string {
	if a.GetCluster() != "" {
		return []string{a.GetCluster()}
	}
	var out []string
	for _, w := range a.GetWeightedClusters().GetClusters() {
		out = append(out, w.GetName())
	}
	return out
}

// endpoints counts those of a cluster.
func (l *look) endpoints(cluster string) int {
	n := 0
	if cla, _ := l.assignment(cluster); cla != nil {
		for _, loc := range cla.GetEndpoints() {
			n += len(loc.GetLbEndpoints())
		}
	}
	return n
}

// split: who sees the canary.
func (g *routing) split(a *routev3.RouteAction, path string) {
	w := a.GetWeightedClusters()
	if len(w.GetClusters()) < 2 || w.GetUseHashPolicy().GetValue() || w.GetHeaderName() != "" {
		return
	}
	edits := []edit{set(g.resource, path+".weighted_clusters.use_hash_policy", true)}
	if len(a.GetHashPolicy()) == 0 {
		edits = append(edits, set(g.resource, path+".hash_policy", yml("[{connection_properties: {source_ip: true}}]")))
	}
	g.at(path+".weighted_clusters", "split_clients", Friend{
		Subject: "who sees the canary", Kind: nginx.Exact,
		Nginx: "`split_clients $remote_addr` keeps a client in its part: 0 of 400 keys changed sides.",
		Envoy: "It draws lots for each request: 137 of 400 keys changed sides.",
		Fix:   &Fix{Says: "use_hash_policy: true, by the client's address unless a hash_policy is there"},
	}, edits...)
}

// assignment is the load assignment of a cluster, in a resource of its own or
// within the cluster; nil without one.
func (l *look) assignment(cluster string) (*endpointv3.ClusterLoadAssignment, *mesh.Resource) {
	r := l.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: cluster})
	if r == nil {
		return nil, nil
	}
	name, ok := mesh.EndpointsOf(r.Message)
	if !ok {
		return nil, nil
	}
	e := l.mesh.Get(mesh.Key{Type: mesh.Endpoints, Name: name})
	if e == nil {
		return nil, nil
	}
	cla, _ := e.Message.(*endpointv3.ClusterLoadAssignment)
	return cla, e
}

// unhealthy reports whether an endpoint is set aside by UNHEALTHY.
func unhealthy(e *endpointv3.LbEndpoint) bool {
	return e.GetHealthStatus() == corev3.HealthStatus_UNHEALTHY
}
