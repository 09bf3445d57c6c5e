package routes

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestActWithClusterPolicies holds that what a cluster brings goes before what
// the route says, and that a request's own headers go before both.
func TestActWithClusterPolicies(t *testing.T) {
	table, _ := Compile(decodeConfig(t, `
request_mirror_policies: [{cluster: all}]
virtual_hosts:
- name: v
  domains: ["*"]
  routes:
  - match: {path: /named}
    route:
      cluster: one
      retry_policy: {retry_on: reset}
      hash_policy: [{header: {header_name: x-user}}]
      request_mirror_policies: [{cluster: copy}]
  - {match: {path: /header}, route: {cluster_header: x-c}}
  - {match: {path: /open}, route: {weighted_clusters: {clusters: [{name: one, weight: 1}, {name: two, weight: 1}]}}}
  - {match: {path: /other}, route: {cluster: two}}
`))
	brought := &httpv3.HttpProtocolOptions{
		RetryPolicy: &routev3.RetryPolicy{RetryOn: "5xx", NumRetries: wrapperspb.UInt32(3)},
		HashPolicy: []*routev3.RouteAction_HashPolicy{{PolicySpecifier: &routev3.RouteAction_HashPolicy_QueryParameter_{
			QueryParameter: &routev3.RouteAction_HashPolicy_QueryParameter{Name: "q"},
		}}},
		RequestMirrorPolicies: []*routev3.RouteAction_RequestMirrorPolicy{{ClusterHeader: "x-m"}},
	}
	const at = `typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]`
	timeout := Setting{Name: "timeout", Value: "15s", Level: Default}
	none := Setting{Name: "retry", Value: "none", Level: Default}
	all := Setting{Name: "mirror", Value: "all", Level: OfConfig, Path: "request_mirror_policies[0]"}
	toAll := []Mirror{{Cluster: "all", Level: OfConfig, Path: "request_mirror_policies[0]"}}
	byCluster := []Setting{
		timeout,
		{"retry", "3 retries on 5xx", OfCluster, at + ".retry_policy"},
		{"hash policy", "query parameter q", OfCluster, at + ".hash_policy[0]"},
		{"mirror", "m, by header x-m", OfCluster, at + ".request_mirror_policies[0]"},
	}
	toM := []Mirror{{Cluster: "m", Header: "x-m", Level: OfCluster, Path: at + ".request_mirror_policies[0]"}}
	tests := []struct {
		line     string
		settings []Setting
		mirrors  []Mirror
		asked    []string
	}{
		{"GET http://x/named x-m=m", byCluster, toM, []string{"one"}},
		{"GET http://x/header x-c=one x-m=m", byCluster, toM, []string{"one"}},
		{"GET http://x/open x-m=m", []Setting{timeout, none, all}, toAll, nil},
		{"GET http://x/open x-m=m random=0", byCluster, toM, []string{"one"}},
		{"GET http://x/other x-m=m", []Setting{timeout, none, all}, toAll, []string{"two"}},
		{"GET http://x/named x-envoy-max-retries=1", []Setting{
			timeout,
			{"retry", "1 retry on 5xx", OfCluster, at + ".retry_policy"},
			{"retries", "1", OfRequest, "x-envoy-max-retries"},
			byCluster[2],
			{"mirror", "no cluster, as header x-m is absent", OfCluster, at + ".request_mirror_policies[0]"},
		}, nil, []string{"one"}},
	}
	for _, test := range tests {
		r := requestOf(t, test.line)
		var asked []string
		out := table.ActWith(table.Match(r), r, func(name string) Policies {
			if asked = append(asked, name); name == "one" {
				return brought
			}
			return nil
		})
		if diff := cmp.Diff(test.settings, out.Settings); diff != "" {
			t.Errorf("%s: settings (-want +got):\n%s", test.line, diff)
		}
		if diff := cmp.Diff(test.mirrors, out.Mirrors); diff != "" {
			t.Errorf("%s: mirrors (-want +got):\n%s", test.line, diff)
		}
		if diff := cmp.Diff(test.asked, asked); diff != "" {
			t.Errorf("%s: clusters asked (-want +got):\n%s", test.line, diff)
		}
	}
}

// TestAbsent holds what is answered where the cluster is not there.
func TestAbsent(t *testing.T) {
	table, _ := Compile(decodeConfig(t, `
virtual_hosts:
- name: v
  domains: ["*"]
  routes:
  - {match: {path: /404}, route: {cluster: c, cluster_not_found_response_code: NOT_FOUND}}
  - {match: {path: /500}, route: {cluster: c, cluster_not_found_response_code: INTERNAL_SERVER_ERROR}}
  - {match: {path: /503}, route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}}
  - {match: {path: /none}, non_forwarding_action: {}}
  - {match: {path: /0}, direct_response: {status: 200}}
`))
	for path, want := range map[string]int{"/404": 404, "/500": 500, "/503": 503, "/none": 503, "/0": 0, "/nowhere": 0} {
		r := &Request{Method: "GET", Scheme: "http", Authority: "x", Path: path}
		if got := table.Act(table.Match(r), r).Absent; got != want {
			t.Errorf("%s: Absent is %d, want %d", path, got, want)
		}
	}
}
