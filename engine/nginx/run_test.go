package nginx

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// asked is what a reply says: its status, and what an upstream saw as
// "backend host target protocol", else the body.
func asked(r nginxtest.Reply) (int, string) {
	if seen, ok := nginxtest.ParseSeen(r.Body); ok {
		return r.Status, fmt.Sprintf("%s %s %s %s", seen.Backend, seen.Header("Host"), seen.Target, seen.Proto)
	}
	return r.Status, r.Body
}

// backend is the port of an upstream that says what it was asked.
func backend(t *testing.T, name string) (port string) {
	t.Helper()
	return strconv.Itoa(nginxtest.NewEcho(t, name).Port)
}

// TestNginxServesTheMeshAsTold runs the demo's mesh in a real nginx: the same
// backends answer for the same requests as the mesh says.
func TestNginxServesTheMeshAsTold(t *testing.T) {
	port := nginxtest.FreePort(t)
	cluster := func(name string) [2]string {
		return [2]string{"cluster", "name: " + name + "\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}\n"}
	}
	endpoints := func(name string, ports ...string) [2]string {
		y := "cluster_name: " + name + "\nendpoints:\n- lb_endpoints:\n"
		for i, p := range ports {
			health := "HEALTHY"
			if i > 0 {
				health = "DRAINING"
			}
			y += fmt.Sprintf("  - {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %s}}}, health_status: %s}\n", p, health)
		}
		return [2]string{"endpoints", y}
	}
	m := parseMesh(t,
		[2]string{"listener", fmt.Sprintf(`
name: web
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: local_route, config_source: {ads: {}, resource_api_version: V3}}
`, port)},
		[2]string{"route", `
name: local_route
virtual_hosts:
- name: www
  domains: [www.example.com]
  routes:
  - match: {prefix: /rewritten/}
    route: {cluster: legacy, prefix_rewrite: /new/, host_rewrite_literal: internal}
  - match: {path_separated_prefix: /sep}
    route:
      prefix_rewrite: /s
      weighted_clusters: {clusters: [{name: legacy, weight: 1}]}
  - match: {prefix: /foo}
    route:
      weighted_clusters: {clusters: [{name: app, weight: 50}, {name: app-v2, weight: 50}, {name: gone, weight: 0}]}
  - match: {prefix: /gone}
    route: {cluster: gone}
  - match: {prefix: /moved}
    redirect: {prefix_rewrite: /there, response_code: TEMPORARY_REDIRECT}
  - match: {prefix: /}
    route: {cluster: legacy}
`}, cluster("app"), cluster("app-v2"), cluster("legacy"),
		endpoints("app", backend(t, "v1"), backend(t, "drained")), endpoints("app-v2", backend(t, "v2")), endpoints("legacy", backend(t, "legacy")))
	c := Project(m)
	held(t, m, c)
	a := nginxtest.NewAsker(t, nginxtest.Start(t, c.String()).Address)
	for _, want := range []struct {
		host, path string
		code       int
		body       string
	}{
		{"www.example.com", "/", 200, "legacy www.example.com / HTTP/1.1"},
		{"www.example.com", "/bar?x=1", 200, "legacy www.example.com /bar?x=1 HTTP/1.1"},
		{"www.example.com", "/rewritten/a?b", 200, "legacy internal /new/a?b HTTP/1.1"},
		{"www.example.com", "/sep", 200, "legacy www.example.com /s HTTP/1.1"},
		{"www.example.com", "/sep/x", 200, "legacy www.example.com /s/x HTTP/1.1"},
		{"www.example.com", "/separate", 200, "legacy www.example.com /separate HTTP/1.1"},
		{"www.example.com", "/a//b", 200, "legacy www.example.com /a//b HTTP/1.1"},
		{"www.example.com", "/gone", 503, ""},
		{"www.example.com", "/moved/x?y", 307, ""},
		{"other.example.com", "/", 404, ""},
	} {
		code, body := asked(a.Get(want.host, want.path))
		if code != want.code || code == 200 && body != want.body {
			t.Errorf("%s%s: %d %q, want %d %q", want.host, want.path, code, body, want.code, want.body)
		}
	}
	seen := map[string]int{}
	for range 60 {
		_, body := asked(a.Get("www.example.com", "/foo/x"))
		who, _, _ := strings.Cut(body, " ")
		seen[who]++
	}
	if seen["v1"] < 10 || seen["v2"] < 10 || seen["v1"]+seen["v2"] != 60 {
		t.Errorf("who answers for /foo: %v, want v1 and v2 about equally, and nobody else", seen)
	}
}

// first is Envoy's own rule, as plainly as it can be said: the first route
// that matches; -1 for none.
func firstMatch(routes []*routev3.Route, path string) int {
	for i, r := range routes {
		fold := func(s string) string { return s }
		if cs := r.GetMatch().GetCaseSensitive(); cs != nil && !cs.GetValue() {
			fold = strings.ToLower
		}
		hit := false
		switch ps := r.GetMatch().GetPathSpecifier().(type) {
		case *routev3.RouteMatch_Prefix:
			hit = strings.HasPrefix(fold(path), fold(ps.Prefix))
		case *routev3.RouteMatch_Path:
			hit = fold(path) == fold(ps.Path)
		case *routev3.RouteMatch_PathSeparatedPrefix:
			hit = fold(path) == fold(ps.PathSeparatedPrefix) || strings.HasPrefix(fold(path), fold(ps.PathSeparatedPrefix)+"/")
		case *routev3.RouteMatch_SafeRegex:
			hit = regexp.MustCompile("^(?:" + ps.SafeRegex.GetRegex() + ")$").MatchString(path)
		}
		if hit {
			return i
		}
	}
	return -1
}

// TestNginxChoosesEnvoysRoute sends requests for random routes through a real
// nginx. Where Project says that the order cannot be kept, it may be wrong.
func TestNginxChoosesEnvoysRoute(t *testing.T) {
	nginxtest.Need(t)
	r := rand.New(rand.NewPCG(3, 3))
	segments := []string{"", "a", "b", "ab", "A", "1"}
	path := func() string {
		p := ""
		for range 1 + r.IntN(3) {
			p += "/" + segments[r.IntN(len(segments))]
		}
		return p
	}
	rc := &routev3.RouteConfiguration{Name: "random", IgnorePortInHostMatching: true}
	for h := range 150 {
		vh := &routev3.VirtualHost{Name: fmt.Sprint(h), Domains: []string{fmt.Sprintf("h%d.test", h)}}
		for i := range 1 + r.IntN(8) {
			m := &routev3.RouteMatch{}
			switch r.IntN(8) {
			case 0, 1, 2:
				m.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: path()}
			case 3, 4:
				m.PathSpecifier = &routev3.RouteMatch_Path{Path: path()}
			case 5:
				m.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: strings.TrimSuffix(path()+"a", "/")}
			default:
				m.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: path() + []string{".*", "(a|b)?", "[^/]+", "(?P<args>/.*)?"}[r.IntN(4)]}}
			}
			if r.IntN(6) == 0 && m.GetSafeRegex() == nil {
				m.CaseSensitive = wrapperspb.Bool(false)
			}
			vh.Routes = append(vh.Routes, &routev3.Route{Match: m, Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
				Status: 200, Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: fmt.Sprint("route ", i)}}}}})
		}
		rc.VirtualHosts = append(rc.VirtualHosts, vh)
	}
	port := nginxtest.FreePort(t)
	m := listening(t, port, rc)
	c := Project(m)
	unsure := map[string]bool{}
	for _, l := range c.Lines {
		if l.Lesson == lessonInterleaved {
			at, _, _ := strings.Cut(l.From.Path, ".routes[")
			unsure[at[strings.LastIndexByte(at, '[')+1:len(at)-1]] = true
		}
	}
	if len(unsure) > 0 {
		t.Errorf("%d of 150 virtual hosts are said to be out of order, want none", len(unsure))
	}
	a, count := nginxtest.NewAsker(t, nginxtest.Start(t, c.String()).Address), 0
	for _, vh := range rc.GetVirtualHosts() {
		if unsure[vh.GetName()] {
			continue
		}
		for range 25 {
			p := path()
			want := firstMatch(vh.GetRoutes(), p)
			code, body := asked(a.Get(vh.GetDomains()[0], p))
			count++
			if got := strings.TrimPrefix(body, "route "); want < 0 && code != 404 || want >= 0 && (code != 200 || got != fmt.Sprint(want)) {
				t.Errorf("%s%s: nginx answers %d %q, want route %d of %v", vh.GetDomains()[0], p, code, body, want, vh.GetRoutes())
			}
		}
	}
	if count < 1000 {
		t.Errorf("%d requests were compared, want 1000 at least", count)
	}
}

// listening is a mesh of one listener with the route configuration in it.
func listening(t testing.TB, port int, rc *routev3.RouteConfiguration) *mesh.Mesh {
	t.Helper()
	l := &listenerv3.Listener{Name: "web",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)}}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{ConfigType: &listenerv3.Filter_TypedConfig{
			TypedConfig: packed(&hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: rc}})}}}}}}
	r, err := mesh.NewResource(l, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
