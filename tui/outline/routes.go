package outline

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// routes adds the rows of a RouteConfiguration that stands at path; inline is
// the listener that holds it inline, "" when it is a resource of its own.
func (b *builder) routes(rc *routev3.RouteConfiguration, path, inline string) {
	row := Row{Kind: RouteConfigRow, Path: path, Label: rc.GetName()}
	if inline != "" {
		row.Value = "inline in " + inline
	}
	b.add(RDS, row)
	for i, vh := range rc.GetVirtualHosts() {
		b.virtualHost(vh, item(path, "virtual_hosts", i))
	}
}

func (b *builder) virtualHost(vh *routev3.VirtualHost, path string) {
	row := Row{Kind: VirtualHostRow, Path: path, Depth: 1, Label: vh.GetName()}
	if d := vh.GetDomains(); len(d) > 0 {
		row.Label = d[0]
		if len(d) > 1 {
			row.Label += fmt.Sprintf(" +%d", len(d)-1)
		}
	}
	b.add(RDS, row)
	for i, r := range vh.GetRoutes() {
		b.route(r, item(path, "routes", i))
	}
}

func (b *builder) route(r *routev3.Route, path string) {
	b.add(RDS, Row{Kind: RouteRow, Path: path, Depth: 2, Label: Match(r.GetMatch()), Value: target(r), Plain: plain(r)})
	wc := r.GetRoute().GetWeightedClusters()
	var sum float64
	for _, c := range wc.GetClusters() {
		sum += float64(c.GetWeight().GetValue())
	}
	for i, c := range wc.GetClusters() {
		w := Row{Kind: WeightRow, Path: item(path, "route.weighted_clusters.clusters", i), Depth: 3,
			Label: "→ " + c.GetName(), Weight: c.GetWeight().GetValue()}
		if sum > 0 {
			w.Share = float64(w.Weight) / sum
		}
		b.add(RDS, w)
	}
}

// plain is Row.Plain.
func plain(r *routev3.Route) bool {
	m := r.GetMatch()
	byPath := m.GetPath() != "" || m.GetPrefix() != "" || m.GetPathSeparatedPrefix() != ""
	return r.GetRoute() != nil && byPath && len(m.GetHeaders()) == 0 && len(m.GetQueryParameters()) == 0
}

// Match is how a route match is written: as an nginx location would be ("=
// /exact", "~ regex", "/prefix"), with what else it asks for behind it.
func Match(m *routev3.RouteMatch) string {
	var s string
	switch {
	case m.GetPath() != "":
		s = "= " + m.GetPath()
	case m.GetSafeRegex() != nil:
		s = "~ " + m.GetSafeRegex().GetRegex()
	case m.GetPathSeparatedPrefix() != "":
		s = m.GetPathSeparatedPrefix() + "[/…]"
	case m.GetPathMatchPolicy() != nil:
		s = "path policy " + shortExtension(m.GetPathMatchPolicy().GetName())
	case m.GetConnectMatcher() != nil:
		s = "CONNECT"
	default:
		s = m.GetPrefix()
	}
	var also []string
	for _, h := range m.GetHeaders() {
		if h.GetName() == ":method" {
			also = append(also, methodOf(h))
			continue
		}
		also = append(also, "header "+h.GetName())
	}
	for _, q := range m.GetQueryParameters() {
		also = append(also, "?"+q.GetName())
	}
	if m.GetGrpc() != nil {
		also = append(also, "gRPC")
	}
	if f := m.GetRuntimeFraction(); f != nil {
		also = append(also, "sampled")
	}
	if len(also) > 0 {
		s += " [" + strings.Join(also, ", ") + "]"
	}
	return s
}

func methodOf(h *routev3.HeaderMatcher) string {
	if v := h.GetStringMatch().GetExact(); v != "" {
		return v
	}
	return "method"
}

// target says where a route leads.
func target(r *routev3.Route) string {
	switch a := r.GetAction().(type) {
	case *routev3.Route_Route:
		switch c := a.Route.GetClusterSpecifier().(type) {
		case *routev3.RouteAction_Cluster:
			return "→ " + c.Cluster
		case *routev3.RouteAction_WeightedClusters:
			return fmt.Sprintf("→ %d clusters", len(c.WeightedClusters.GetClusters()))
		case *routev3.RouteAction_ClusterHeader:
			return "→ by header " + c.ClusterHeader
		}
		return "→ by plugin"
	case *routev3.Route_Redirect:
		return "→ redirect " + redirect(a.Redirect)
	case *routev3.Route_DirectResponse:
		return fmt.Sprintf("→ answers %d", a.DirectResponse.GetStatus())
	case *routev3.Route_NonForwardingAction:
		return "→ not forwarded"
	}
	return "→ nowhere"
}

func redirect(a *routev3.RedirectAction) string {
	var parts []string
	if a.GetHttpsRedirect() {
		parts = append(parts, "https")
	}
	if a.GetSchemeRedirect() != "" {
		parts = append(parts, a.GetSchemeRedirect())
	}
	for _, s := range []string{a.GetHostRedirect(), a.GetPathRedirect(), a.GetPrefixRewrite()} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}
