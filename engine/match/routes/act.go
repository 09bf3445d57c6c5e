package routes

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// The statuses that Envoy answers with by itself.
const (
	statusCreated     = 201
	statusMoved       = 301
	statusNotFound    = 404
	statusInternal    = 500
	statusUnavailable = 503
)

// Act says what becomes of a request that found h, which must be of this table
// or empty: where it is sent and as what, or what Envoy answers itself.
func (t *Table) Act(h Hit, r *Request) Outcome { return t.ActWith(h, r, nil) }

// ActWith is Act with the policies that clusters bring, which go before those of
// routes. cluster is asked for the cluster that the request is sent to, once and
// only when it is known; it may be nil, and may return nil.
func (t *Table) ActWith(h Hit, r *Request, cluster func(name string) Policies) Outcome {
	v := t.look(r)
	return t.act(h, &v, cluster)
}

func (t *Table) act(h Hit, v *view, cluster func(name string) Policies) Outcome {
	switch {
	case h.VirtualHost == nil:
		return Outcome{Kind: NotFound, Status: statusNotFound, Detail: "route_not_found"}
	case h.TLSRequired:
		return requireTLS(v)
	case h.VirtualHost.GetMatcher() != nil:
		return Outcome{Kind: Unsupported, Why: "the matcher tree of the virtual host decides, and it is not followed here"}
	case h.Route == nil:
		return Outcome{Kind: NotFound, Status: statusNotFound, Detail: "route_not_found"}
	}
	rt := t.at(h)
	if rt == nil {
		return Outcome{Kind: NotFound, Status: statusNotFound, Detail: "route_not_found"}
	}
	out := t.action(rt, h, v, cluster)
	if why := t.customised(h); why != "" {
		out.Assumed = append(out.Assumed, why)
	}
	return out
}

// requireTLS is the redirect of a virtual host that demands TLS.
func requireTLS(v *view) Outcome {
	out := Outcome{Kind: Redirect, Status: statusMoved, Detail: "direct_response", Why: "require_tls of the virtual host"}
	if !v.pathless {
		out.Location = "https://" + v.r.Authority + v.r.Path
	}
	return out
}

// at is the compiled route of a hit, nil when it is not of this table.
func (t *Table) at(h Hit) *route {
	if h.Route == nil || h.HostIndex < 0 || h.HostIndex >= len(t.hosts) {
		return nil
	}
	host := &t.hosts[h.HostIndex]
	if h.RouteIndex < 0 || h.RouteIndex >= len(host.routes) || host.routes[h.RouteIndex].source != h.Route {
		return nil
	}
	return &host.routes[h.RouteIndex]
}

// customised tells of extensions that may change a route after it was found.
func (t *Table) customised(h Hit) string {
	if len(t.source.GetRouteSpecifiers())+len(h.VirtualHost.GetRouteSpecifiers())+len(h.Route.GetRouteSpecifiers()) == 0 {
		return ""
	}
	return "route_specifiers are assumed to leave the route as it is"
}

func (t *Table) action(rt *route, h Hit, v *view, cluster func(name string) Policies) Outcome {
	switch a := rt.source.GetAction().(type) {
	case *routev3.Route_Route:
		return t.forward(rt, h, v, cluster)
	case *routev3.Route_Redirect:
		return redirect(rt, a.Redirect, v)
	case *routev3.Route_DirectResponse:
		return t.direct(a.DirectResponse, v)
	case *routev3.Route_NonForwardingAction:
		return Outcome{
			Kind: Forward, Status: statusUnavailable, Detail: "cluster_not_found",
			Host: v.r.Authority, Path: v.r.Path, Why: "non_forwarding_action names no cluster", Absent: statusUnavailable,
		}
	case *routev3.Route_FilterAction:
		return Outcome{Kind: Unsupported, Why: "filter_action: a filter answers, and it is not known here"}
	}
	return Outcome{Kind: Unsupported, Why: "the route has no action, and Envoy refuses it"}
}

// direct is a direct response. Envoy adds a Location to one with a redirect's
// status, and it leads back to where the request came from.
func (t *Table) direct(d *routev3.DirectResponseAction, v *view) Outcome {
	out := Outcome{Kind: DirectResponse, Status: int(d.GetStatus()), Detail: "direct_response"}
	if (out.Status == statusCreated || out.Status >= 300 && out.Status < 400) && !v.pathless {
		out.Location = location(v, v.scheme(), "", "", v.r.Path)
	}
	switch b := d.GetBody().GetSpecifier().(type) {
	case *corev3.DataSource_InlineString:
		out.Body = b.InlineString
	case *corev3.DataSource_InlineBytes:
		out.Body = string(b.InlineBytes)
	case *corev3.DataSource_Filename, *corev3.DataSource_EnvironmentVariable:
		out.BodyOpen = true
	}
	if f := d.GetBodyFormat(); f != nil {
		source, known := inlineFormat(f)
		if known && !out.BodyOpen {
			out.Body, known = format(source, absentFor(f), out.Body, v)
		}
		if out.BodyOpen = out.BodyOpen || !known; out.BodyOpen {
			out.Body = ""
		}
	}
	return out
}

// inlineFormat is a format that stands in the configuration as text; ok is
// false for JSON and for what is read from elsewhere.
func inlineFormat(f *corev3.SubstitutionFormatString) (text string, ok bool) {
	switch x := f.GetFormat().(type) {
	case *corev3.SubstitutionFormatString_TextFormat:
		return x.TextFormat, true
	case *corev3.SubstitutionFormatString_TextFormatSource:
		return x.TextFormatSource.GetInlineString(), x.TextFormatSource.GetSpecifier() != nil && x.TextFormatSource.GetInlineString() != ""
	}
	return "", false
}

func absentFor(f *corev3.SubstitutionFormatString) string {
	if f.GetOmitEmptyValues() {
		return absentEmpty
	}
	return absentDash
}

// forward is a route to a cluster.
func (t *Table) forward(rt *route, h Hit, v *view, cluster func(name string) Policies) Outcome {
	a := rt.source.GetRoute()
	out := Outcome{Kind: Forward, Absent: notFoundStatus(a)}
	switch c := a.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		out.Cluster = c.Cluster
	case *routev3.RouteAction_ClusterHeader:
		out.byHeader(c.ClusterHeader, v)
	case *routev3.RouteAction_WeightedClusters:
		out.byWeight(c.WeightedClusters, v)
	case *routev3.RouteAction_ClusterSpecifierPlugin:
		out.Kind, out.Why = Unsupported, "the cluster specifier plugin "+show(c.ClusterSpecifierPlugin)+" names the cluster, and it is not known here"
	case *routev3.RouteAction_InlineClusterSpecifierPlugin:
		out.Kind, out.Why = Unsupported, "a cluster specifier plugin names the cluster, and it is not known here"
	default:
		out.Why = "the route names no cluster"
	}
	if out.Kind == Forward && out.Cluster == "" && (len(out.Weighted) == 0 || out.Weight != nil) {
		out.Status, out.Detail = out.Absent, "cluster_not_found"
	}
	rt.rewrite.apply(&out, v)
	t.mutated(&out, rt, h, v)
	var brought Policies
	if cluster != nil && out.Cluster != "" {
		brought = cluster(out.Cluster)
	}
	t.settings(&out, h, newPolicies(h, brought), v)
	return out
}

// mutated notes where a Host or a path is made of a header that Envoy itself
// adds, removes or changes before: what it says then is not followed here.
func (t *Table) mutated(out *Outcome, rt *route, h Hit, v *view) {
	a := rt.source.GetRoute()
	for _, name := range append(formatHeaders(a.GetHostRewrite()), a.GetHostRewriteHeader()) {
		if name != "" && t.changes(name, h, out.Weight) {
			out.Host, out.HostOpen = v.r.Authority, true
			out.Assumed = append(out.Assumed, "header "+name+", which names the Host that is sent upstream, is changed before by request_headers_to_add or _to_remove")
		}
	}
	for _, name := range formatHeaders(a.GetPathRewrite()) {
		if t.changes(name, h, out.Weight) {
			out.Path, out.PathOpen = v.r.Path, true
			out.Assumed = append(out.Assumed, "header "+name+", which stands in path_rewrite, is changed before by request_headers_to_add or _to_remove")
		}
	}
}

// mutations is what changes the headers of a request on their way.
type mutations interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
}

// changes reports whether the request's header is added to, changed or removed
// on its way through the route.
func (t *Table) changes(name string, h Hit, weight *routev3.WeightedCluster_ClusterWeight) bool {
	for _, m := range []mutations{t.source, h.VirtualHost, h.Route, weight} {
		for _, o := range m.GetRequestHeadersToAdd() {
			if equalFold(o.GetHeader().GetKey(), name) {
				return true
			}
		}
		for _, removed := range m.GetRequestHeadersToRemove() {
			if equalFold(removed, name) {
				return true
			}
		}
	}
	return false
}

// notFoundStatus is what Envoy answers when the cluster is not there.
func notFoundStatus(a *routev3.RouteAction) int {
	switch a.GetClusterNotFoundResponseCode() {
	case routev3.RouteAction_NOT_FOUND:
		return statusNotFound
	case routev3.RouteAction_INTERNAL_SERVER_ERROR:
		return statusInternal
	}
	return statusUnavailable
}

// byHeader takes the cluster that a request header names.
func (o *Outcome) byHeader(name string, v *view) {
	value, times := v.first(lower(name))
	if times == 0 || value == "" {
		o.Why = "header " + name + " is absent, and it would name the cluster"
		return
	}
	o.Cluster, o.Why = value, "header "+name
}
