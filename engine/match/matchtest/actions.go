package matchtest

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	rewritev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/rewrite/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// clusterHeader is the header that names the cluster where a route asks for it.
const clusterHeader = "x-cluster"

// forward is a route action with a cluster of some kind and rewrites.
func (m *maker) forward(match *routev3.RouteMatch) *routev3.RouteAction {
	a := &routev3.RouteAction{}
	switch n := m.IntN(20); {
	case n < 13 || n >= 17 && !m.may("cluster_header", 100):
		a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: m.cluster()}
	case n < 17:
		a.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: m.weighted()}
	default:
		a.ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: clusterHeader}
	}
	a.ClusterNotFoundResponseCode = routev3.RouteAction_ClusterNotFoundResponseCode(m.IntN(3))
	if match.GetConnectMatcher() != nil {
		return a
	}
	m.pathRewrite(a, match)
	m.hostRewrite(a)
	if m.may("route upgrades", 8) {
		a.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket", Enabled: boolean(m.chance(60))}}
	}
	return a
}

func (m *maker) weighted() *routev3.WeightedCluster {
	w := &routev3.WeightedCluster{}
	for range 1 + m.IntN(3) {
		one := &routev3.WeightedCluster_ClusterWeight{Weight: wrapperspb.UInt32(pick[uint32](m, 0, 1, 3, 10, 50))}
		if m.may("weighted cluster_header", 10) {
			one.ClusterHeader = clusterHeader
		} else {
			one.Name = m.cluster()
		}
		if m.may("weighted host rewrite", 10) {
			one.HostRewriteSpecifier = &routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral{HostRewriteLiteral: "weighted.example.com"}
		}
		w.Clusters = append(w.Clusters, one)
	}
	w.Clusters = append(w.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: m.cluster(), Weight: wrapperspb.UInt32(5)})
	if m.may("runtime keys", 12) {
		w.RuntimeKeyPrefix = "matchtest.weights"
	}
	if m.may("weighted by header", 25) {
		w.RandomValueSpecifier = &routev3.WeightedCluster_HeaderName{HeaderName: "x-random"}
	}
	return w
}

func (m *maker) pathRewrite(a *routev3.RouteAction, match *routev3.RouteMatch) {
	policy := match.GetPathMatchPolicy()
	switch n := m.IntN(20); {
	case policy != nil && n < 10:
		config := &uritemplatev3.UriTemplateMatchConfig{}
		if err := policy.GetTypedConfig().UnmarshalTo(config); err != nil {
			panic(fmt.Sprintf("matchtest: %v", err))
		}
		a.PathRewritePolicy = &corev3.TypedExtensionConfig{
			Name:        "envoy.path.rewrite.uri_template.uri_template_rewriter",
			TypedConfig: packed(&rewritev3.UriTemplateRewriteConfig{PathTemplateRewrite: m.templateRewrite(config.PathTemplate)}),
		}
	case n < 5 && m.may("prefix_rewrite", 100):
		a.PrefixRewrite = m.replacement()
	case n < 9 && m.may("regex_rewrite", 100):
		a.RegexRewrite = m.substitution()
	case n < 10 && m.may("path_rewrite", 100):
		a.PathRewrite = pick(m, "/fixed", "/by/%REQ(x-a)%", "/%REQ(:method)%/x", "/fixed?q=1")
	}
}

func (m *maker) replacement() string { return pick(m, "/", "/new", "/new/", "/x/y", "new", "//") }

// substitution is a regex and what its matches become.
func (m *maker) substitution() *matcherv3.RegexMatchAndSubstitute {
	pattern := pick(m, "^/([^/]*)(/.*)?$", "/foo", "a", "^(.*?)o(.*)$", `(?i)/FOO`, `/+`, `[0-9]`, "^/", "$", `^/(\w+)/(\w+)`, "b*")
	if m.chance(30) {
		pattern = m.regex()
		if pattern == "" {
			pattern = "a"
		}
	}
	var to strings.Builder
	for range 1 + m.IntN(3) {
		to.WriteString(pick(m, "/", "x", "/new", `\0`, `\\`, "-"))
		if n := groups(pattern); n > 0 {
			fmt.Fprintf(&to, `\%d`, 1+m.IntN(min(n, 9)))
		}
	}
	return &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: to.String()}
}

func (m *maker) hostRewrite(a *routev3.RouteAction) {
	switch m.IntN(20) {
	case 0, 1:
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: pick(m, "up.example.com", "Up:8080")}
	case 2:
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteHeader{HostRewriteHeader: pick(m, "x-a", "x-env")}
	case 3:
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewritePathRegex{HostRewritePathRegex: &matcherv3.RegexMatchAndSubstitute{
			Pattern: &matcherv3.RegexMatcher{Regex: "^/([^/]+).*$"}, Substitution: `\1.example.com`,
		}}
	case 4:
		if m.may("auto_host_rewrite", 100) {
			a.HostRewriteSpecifier = &routev3.RouteAction_AutoHostRewrite{AutoHostRewrite: boolean(m.chance(70))}
		}
	case 5:
		if m.may("host_rewrite", 100) {
			a.HostRewriteSpecifier = &routev3.RouteAction_HostRewrite{HostRewrite: pick(m, "formatted.example.com", "%REQ(x-env)%.example.com")}
		}
	}
	a.AppendXForwardedHost = m.chance(5)
}

func (m *maker) redirect(match *routev3.RouteMatch) *routev3.RedirectAction {
	r := &routev3.RedirectAction{ResponseCode: routev3.RedirectAction_RedirectResponseCode(m.IntN(5)), StripQuery: m.chance(25)}
	switch m.IntN(5) {
	case 0:
		r.SchemeRewriteSpecifier = &routev3.RedirectAction_HttpsRedirect{HttpsRedirect: m.chance(80)}
	case 1:
		r.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: pick(m, "https", "http", "HTTPS", "ftp")}
	}
	if m.chance(35) {
		r.HostRedirect = pick(m, "new.example.com", "New.Example.com", "new.example.com:8443", "[::1]")
	}
	if m.chance(30) {
		r.PortRedirect = pick[uint32](m, 80, 443, 8443)
	}
	switch n := m.IntN(20); {
	case match.GetPathMatchPolicy() != nil && n >= 4: // Envoy takes no other rewrite with a template
	case n < 4:
		r.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: pick(m, "/new", "/new?x=1", "/new#frag", "/", "/new?")}
	case n < 8:
		r.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: m.replacement()}
	case n < 11:
		r.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: m.substitution()}
	case n < 12 && m.may("path_rewrite", 100):
		r.PathRewriteSpecifier = &routev3.RedirectAction_PathRewrite{PathRewrite: pick(m, "/fixed", "/by/%REQ(x-a)%", "/fixed?q=1")}
	}
	return r
}

func (m *maker) direct() *routev3.DirectResponseAction {
	d := &routev3.DirectResponseAction{Status: pick[uint32](m, 200, 204, 301, 404, 418, 503)}
	if m.chance(50) && d.Status != 204 {
		d.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "said by the route\n"}}
	}
	return d
}
