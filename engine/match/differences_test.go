package match_test

import (
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

func TestDifferences(t *testing.T) {
	forward := match.Way{Action: match.Forward, Listener: "web", VirtualHost: "www", Cluster: "app"}
	weighted := match.Way{Action: match.Forward, Weighted: []routes.Weighted{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}, {Name: "off"}}}
	mirrored := forward
	mirrored.Mirrors = []routes.Mirror{{Cluster: "copy", Header: "x-m"}}
	changed := forward
	changed.Mirrors = []routes.Mirror{{Header: "x-m"}}
	missing := match.Way{Action: match.Forward, Cluster: "app", Status: 503, Detail: "cluster_not_found"}
	redirect := match.Way{Action: match.Redirect, Status: 301, Location: "https://a/"}
	closed := match.Way{Action: match.NoFilterChain}
	grpc := match.Way{Action: match.NotFound, Status: 404, Seen: routes.Request{Headers: h("content-type", "application/grpc")}}
	for _, c := range []struct {
		name string
		way  match.Way
		seen match.Seen
		want string // a part of the one sentence; "" for agreement
	}{
		{"answered by some upstream", forward, match.Seen{Status: 418}, ""},
		{"answered by the cluster", forward, match.Seen{Status: 200, Clusters: []string{"app"}}, ""},
		{"answered by another", forward, match.Seen{Status: 200, Clusters: []string{"other"}}, "predicted cluster app, but the counters of other moved"},
		{"answered by none", forward, match.Seen{Status: 403, Clusters: []string{}}, "the counters of no cluster moved"},
		{"one of the weights", weighted, match.Seen{Status: 200, Clusters: []string{"b"}}, ""},
		{"one without weight", weighted, match.Seen{Status: 200, Clusters: []string{"off"}}, "predicted cluster a or b"},
		{"mirrored", mirrored, match.Seen{Status: 200, Clusters: []string{"app", "copy"}}, ""},
		{"neither asked nor mirrored", mirrored, match.Seen{Status: 200, Clusters: []string{"app", "other"}}, "the counters of other moved"},
		{"mirrored to what cannot be told", changed, match.Seen{Status: 200, Clusters: []string{"app", "other"}}, ""},
		{"no answer", forward, match.Seen{Err: "timeout"}, "no answer: timeout"},
		{"missing cluster", missing, match.Seen{Status: 503, Clusters: []string{}}, ""},
		{"missing cluster is there", missing, match.Seen{Status: 200, Clusters: []string{"app"}}, "predicted the answer 503 (cluster_not_found), but it is 200"},
		{"redirected", redirect, match.Seen{Status: 301, Location: "https://a/"}, ""},
		{"redirected elsewhere", redirect, match.Seen{Status: 301, Location: "https://b/"}, "but it goes to https://b/"},
		{"closed", closed, match.Seen{Err: "EOF"}, ""},
		{"not closed", closed, match.Seen{Status: 200}, "predicted that the connection is closed, but the answer is 200"},
		{"gRPC", grpc, match.Seen{Status: 200}, ""},
		{"undecided", match.Way{Action: match.Undecided}, match.Seen{Status: 500}, ""},
	} {
		got := strings.Join(match.Differences(c.way, c.seen), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTarget(t *testing.T) {
	route := func(m *routev3.RouteMatch) match.Way {
		return match.Way{Action: match.Forward, Listener: "web", VirtualHost: "www", Route: match.RouteID{Index: 3}, Entry: &routev3.Route{Match: m}, Cluster: "app"}
	}
	for want, w := range map[string]match.Way{
		"web ▸ www ▸ prefix /a ▸ app":   route(&routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/a"}}),
		"web ▸ www ▸ path /a ▸ app":     route(&routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/a"}}),
		"web ▸ www ▸ route 3 ▸ app":     route(nil),
		"web ▸ tcp ▸ db":                {Action: match.TCPProxy, Listener: "web", Cluster: "db"},
		"redirect 302 /b":               {Action: match.Redirect, Status: 302, Location: "/b"},
		"direct response 204":           {Action: match.DirectResponse, Status: 204},
		"404":                           {Action: match.NotFound, Status: 404},
		"400 path_normalization_failed": {Action: match.Refused, Status: 400, Detail: "path_normalization_failed"},
		"307 /a/b":                      {Action: match.Refused, Status: 307, Location: "/a/b"},
		"no listener":                   {Action: match.NoListener},
		"connection closed":             {Action: match.NoFilterChain},
		"undecided":                     {Action: match.Undecided},
	} {
		if got := w.Target(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
