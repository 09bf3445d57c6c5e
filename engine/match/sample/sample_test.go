package sample_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func TestHost(t *testing.T) {
	for _, tt := range []struct {
		domains []string
		want    string
	}{
		{[]string{"*"}, "localhost"},
		{nil, "localhost"},
		{[]string{"*.example.com"}, "any.example.com"},
		{[]string{"*-b.example.com"}, "any-b.example.com"},
		{[]string{"*", "www.example.*", "*.example.com"}, "any.example.com"},
		{[]string{"www.example.*"}, "www.example.com"},
		{[]string{"www.example.com:*"}, "www.example.com:80"},
		{[]string{"*", "api.example.com", "*.example.com"}, "api.example.com"},
		{[]string{"example.com:8080"}, "example.com:8080"},
	} {
		if got := sample.Host(tt.domains); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.domains, got, tt.want)
		}
	}
}

// routed is a route configuration with one virtual host of one route.
func routed(t *testing.T, route string) *routev3.RouteConfiguration {
	t.Helper()
	r, findings := text.Decode(mesh.Route, mesh.Source{Text: "name: r\nvirtual_hosts:\n- name: v\n  domains: [x.com, \"x.com:443\"]\n  routes:\n  - " + route + "\n"})
	if r == nil {
		t.Fatalf("%s: %v", route, findings)
	}
	return r.Message.(*routev3.RouteConfiguration)
}

func TestRoute(t *testing.T) {
	zero := uint64(0)
	tests := map[string]match.Request{
		`match: { prefix: /foo }`:                             {Method: "GET", Path: "/foo"},
		`match: { prefix: "" }`:                               {Method: "GET", Path: "/"},
		`match: { path: /health }`:                            {Method: "GET", Path: "/health"},
		`match: { path_separated_prefix: /a }`:                {Method: "GET", Path: "/a"},
		`match: { connect_matcher: {} }`:                      {Method: "CONNECT", Host: "x.com:443"},
		`match: { prefix: /, grpc: {} }`:                      {Method: "POST", Path: "/", Headers: []routes.Header{{Name: "content-type", Value: "application/grpc"}}},
		`match: { safe_regex: { regex: "/v[0-9]+/(a|b)?" } }`: {Method: "GET", Path: "/v1/a"},
		`match: { path_match_policy: { name: t, typed_config: { "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "/a/{b}/{c=x/*}/**" } } }`: {
			Method: "GET", Path: "/a/any/x/any/any"},
		`match: { prefix: /, headers: [ { name: ":method", string_match: { exact: PUT } }, { name: x-a, string_match: { prefix: v } }, { name: x-b, present_match: true }, { name: x-c, present_match: true, invert_match: true }, { name: x-d, range_match: { start: 3, end: 9 } }, { name: x-e, string_match: { exact: b }, invert_match: true } ] }`: {
			Method: "PUT", Path: "/", Headers: []routes.Header{{Name: "x-a", Value: "v"}, {Name: "x-b", Value: "1"}, {Name: "x-d", Value: "3"}, {Name: "x-e", Value: "other"}}},
		`match: { prefix: /, query_parameters: [ { name: a, string_match: { exact: "1" } }, { name: b, present_match: true } ] }`: {Method: "GET", Path: "/?a=1&b"},
		`match: { prefix: /, runtime_fraction: { default_value: { numerator: 1 } } }`:                                             {Method: "GET", Path: "/", Random: &zero},
	}
	for route, want := range tests {
		if want.Host == "" {
			want.Host = "x.com"
		}
		if diff := cmp.Diff(want, sample.New(nil, routed(t, route)).Route(0, 0), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", route, diff)
		}
	}
}

// What is made up for a route is taken by it: the matcher says so.
func TestTheMatcherTakesIt(t *testing.T) {
	rs := []string{
		"{ prefix: /foo }", "{ path: /health }", "{ path_separated_prefix: /a }", "{ prefix: /Foo, case_sensitive: false }",
		`{ safe_regex: { regex: "/v[0-9]+/(a|b)?" } }`, "{ prefix: /, grpc: {} }",
		`{ path_match_policy: { name: t, typed_config: { "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "/a/{b}/{c=x/*}/**" } } }`,
		`{ prefix: /, headers: [ { name: ":method", string_match: { exact: PUT } }, { name: x-a, string_match: { prefix: v } }, { name: x-b, present_match: true }, { name: x-c, present_match: true, invert_match: true } ] }`,
		`{ prefix: /, headers: [ { name: x-d, range_match: { start: 3, end: 9 } }, { name: x-e, string_match: { exact: b }, invert_match: true }, { name: x-f, string_match: { safe_regex: { regex: "[a-c]{2}" } } } ] }`,
		`{ prefix: /, headers: [ { name: x-g, string_match: { contains: mid } }, { name: x-h, string_match: { suffix: end } } ] }`,
		`{ prefix: /, query_parameters: [ { name: a, string_match: { exact: "1" } }, { name: b, present_match: true } ] }`,
		`{ prefix: /, cookies: [ { name: c, string_match: { exact: v } } ] }`,
		`{ prefix: /, runtime_fraction: { default_value: { numerator: 1, denominator: MILLION } } }`,
	}
	var b strings.Builder
	b.WriteString("name: r\nvirtual_hosts:\n")
	for i, m := range rs {
		fmt.Fprintf(&b, "- name: v%d\n  domains: [%q]\n  routes:\n  - { match: %s, route: { cluster: c } }\n", i, fmt.Sprintf("h%d.x.com", i), m)
	}
	res, findings := text.Decode(mesh.Route, mesh.Source{Text: b.String()})
	if res == nil {
		t.Fatal(findings)
	}
	lis, findings := text.Decode(mesh.Listener, mesh.Source{Text: `name: l
address: { socket_address: { address: 127.0.0.1, port_value: 10000 } }
filter_chains:
- filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: l
      rds: { route_config_name: r, config_source: { ads: {} } }
      http_filters: [ { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
`})
	if lis == nil {
		t.Fatal(findings)
	}
	m := match.New((&mesh.Mesh{}).With(res).With(lis))
	rc := res.Message.(*routev3.RouteConfiguration)
	s := sample.New(nil, rc)
	for i, vh := range rc.GetVirtualHosts() {
		req := s.Route(i, 0)
		if way := m.Match(&req); !way.Matched || way.VirtualHost != vh.GetName() {
			t.Errorf("%s: %+v is not taken: %s %s", rs[i], req, way.Action, way.Reason)
		}
	}
}

// Of the requests that a route takes, one is made that no route before it does.
func TestWhatStandsBeforeIsAvoided(t *testing.T) {
	r, findings := text.Decode(mesh.Route, mesh.Source{Text: `name: r
virtual_hosts:
- name: v
  domains: ["*"]
  routes:
  - { match: { path: /foo }, route: { cluster: a } }
  - { match: { path_separated_prefix: /foo/any }, route: { cluster: a } }
  - { match: { prefix: /foo }, route: { cluster: b } }
  - { match: { prefix: /fo, case_sensitive: false }, route: { cluster: b } }
  - { match: { prefix: / , headers: [ { name: x, string_match: { prefix: k } }, { name: x, string_match: { suffix: z } } ] }, route: { cluster: b } }
  - { match: { prefix: / }, route: { cluster: b } }
  - { match: { prefix: /bar }, route: { cluster: c } }
- { name: local, domains: [localhost, "any.*"], routes: [ { match: { prefix: / }, route: { cluster: d } } ] }
`})
	if r == nil {
		t.Fatal(findings)
	}
	s := sample.New(nil, r.Message.(*routev3.RouteConfiguration))
	for j, want := range []string{"/foo", "/foo/any", "/fooany", "/fo", "/", "/", "/bar"} {
		got := s.Route(0, j)
		if got.Path != want || got.Host != "127.0.0.1" {
			t.Errorf("route %d: %s%s, want 127.0.0.1%s", j, got.Host, got.Path, want)
		}
		if j == 4 && (len(got.Headers) != 1 || got.Headers[0].Value != "kz") {
			t.Errorf("route %d: %v, want x: kz", j, got.Headers)
		}
	}
	for _, none := range [][2]int{{-1, 0}, {2, 0}, {0, -1}, {0, 9}} {
		if got := s.Route(none[0], none[1]); got.Path != "/" || got.Method != "GET" {
			t.Errorf("there is no route %v, and it gets %+v", none, got)
		}
	}
}

// A random value fits the fraction of the route and the weights behind it; a
// header that stands for one is set.
func TestWeightedBesideOtherChoices(t *testing.T) {
	clusters := `weighted_clusters: { clusters: [ { name: a, weight: 3 }, { name: b, weight: 4 } ]`
	s := sample.New(nil, routed(t, `{ match: { prefix: /, runtime_fraction: { default_value: { numerator: 2 } } }, route: { `+clusters+` } } }`))
	if r := s.Weighted(0, 0, 1).Random; r == nil || *r%100 >= 2 || *r%7 < 3 {
		t.Errorf("random %v: no value below 2 of 100 that lies at 3 or more of 7", r)
	}
	s = sample.New(nil, routed(t, `{ match: { prefix: / }, route: { `+clusters+`, header_name: x-choice } } }`))
	if got := s.Weighted(0, 0, 1); got.Random != nil || len(got.Headers) != 1 || got.Headers[0] != (routes.Header{Name: "x-choice", Value: "3"}) {
		t.Errorf("%+v: want header x-choice: 3", got)
	}
}

func TestWeightedChoosesTheCluster(t *testing.T) {
	s := sample.New(nil, routed(t, `{ match: { prefix: / }, route: { weighted_clusters: { clusters: [ { name: a, weight: 90 }, { name: b, weight: 0 }, { name: c, weight: 10 } ] } } }`))
	for i, want := range []string{"0", "open", "90", "open"} {
		got := "open"
		if r := s.Weighted(0, 0, i).Random; r != nil {
			got = fmt.Sprint(*r)
		}
		if got != want {
			t.Errorf("cluster %d: random %s, want %s", i, got, want)
		}
	}
}

// FuzzRegex: whatever is found is really taken, and nothing hangs.
func FuzzRegex(f *testing.F) {
	for _, s := range []string{"/a(b|c)*", "(a{100}){100}", `\d{3}-\w+`, "[^/]+", "(?i)ABC", "$^", "(", "/.*", `\bfoo\b`, "[[:^ascii:]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		got := sample.Regex(pattern)
		if got == "" {
			return
		}
		if ok, err := regexp.MatchString("^(?:"+pattern+")$", got); err != nil || !ok {
			t.Errorf("%q does not take %q: %v", pattern, got, err)
		}
	})
}

func TestRegex(t *testing.T) {
	for pattern, want := range map[string]string{"/foo": "/foo", "/a/.*": "/a/x", "/u/[0-9]+": "/u/1", "(": "", "[^/]+": "a", `/(en|de)/\w{2,}`: "/en/aa"} {
		if got := sample.Regex(pattern); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}

// BenchmarkManyConditions is of a route that says a thousand things about one
// header of a virtual host with a thousand domains, which nobody can meet.
func BenchmarkManyConditions(b *testing.B) {
	m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	vh := &routev3.VirtualHost{Name: "v", Routes: []*routev3.Route{{Match: m}}}
	for i := range 1000 {
		name := []string{"x", ":authority"}[i%2]
		m.Headers = append(m.Headers, &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
			StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: fmt.Sprint("p", i)}}}})
		vh.Domains = append(vh.Domains, fmt.Sprintf("*.d%d.example", i))
	}
	s := sample.New(nil, &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{vh}})
	for b.Loop() {
		if s.Route(0, 0).Method != "GET" {
			b.Fatal("it has a method")
		}
	}
}
