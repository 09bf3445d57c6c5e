package tuitest

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

// PrivateKey is what the example's secret holds, and what no screen may show.
const PrivateKey = "MC4CAQAwBQYDK2VwBCIEINotToBeSeen"

var others = []source{
	{mesh.Secret, `name: www_cert
tls_certificate:
  certificate_chain: { inline_string: "-----BEGIN CERTIFICATE-----" }
  private_key: { inline_string: "` + PrivateKey + `" }
`},
	{mesh.Secret, `name: upstream_ca
validation_context:
  trusted_ca: { filename: /etc/ssl/ca.pem }
`},
	{mesh.VirtualHost, `name: local_route/late.example.com
domains: [late.example.com, later.example.com]
routes:
- match: { prefix: / }
  route: { cluster: app }
`},
	{mesh.ScopedRoute, `name: tenant-a
route_configuration_name: local_route
key: { fragments: [ { string_key: a } ] }
`},
	{mesh.Extension, `name: faults
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
`},
	{mesh.Runtime, `name: rt0
layer: { fault.http.abort.abort_percent: 5 }
`},
}

// Others is a scene with a resource of each type that has no pane.
func Others() *Scene {
	m := Mesh()
	for _, o := range others {
		m = m.With(Resource(o.t, o.text))
	}
	return &Scene{Workspace: NewWorkspace(m, m), Nodes: NodesFor(m, "envoy-1"), Evidence: EvidenceFor(m, "envoy-1")}
}

// Verdicts is a scene with two nodes and every verdict that there is: the first
// node has one resource of each, the second is a gRPC client whose CSDS has not
// been heard for a while.
func Verdicts() *Scene {
	s := Others()
	s.Nodes = NodesFor(s.Workspace.State().Groups[0].Live, "envoy-1", "shop-client")
	client := s.Nodes.state.Nodes[1]
	client.Agent, client.Admin = "grpc-go 1.85.0", ""
	client.Types = map[mesh.Type]xds.TypeStatus{mesh.Listener: {Subscribed: []string{"api"}}}
	ago := func(d time.Duration) truth.Mark { return truth.Mark{At: Now.Add(-d), Source: truth.Stream} }
	seen := func(d time.Duration) truth.Mark { return truth.Mark{At: Now.Add(-d), Source: truth.Admin} }
	served, acked := ago(4*time.Minute), ago(4*time.Minute-2*time.Millisecond)
	key := func(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }
	one := &truth.Node{ID: "envoy-1", Connected: true, At: Now, Seen: Now.Add(-400 * time.Millisecond), Worst: truth.Rejected}
	one.Resources = []truth.Resource{
		{Key: key(mesh.Listener, "web"), Revision: 12, Served: served, Acked: acked, Active: seen(4 * time.Minute), Carrying: seen(time.Second),
			Verdict: truth.Carrying, Says: "active; 118 requests in the last 1 s"},
		{Key: key(mesh.Listener, "raw"), Revision: 12, Served: served, Acked: acked, Verdict: truth.Missing, Says: "accepted, but not in the node"},
		{Key: key(mesh.Route, "local_route"), Revision: 12, Served: served, Acked: acked, Active: seen(4 * time.Minute), Verdict: truth.Active, Says: "active"},
		{Key: key(mesh.Cluster, "app"), Revision: 12, Served: served, Acked: acked, Verdict: truth.Drifted,
			Says: "accepted, but active with other content: connect_timeout is 5s, not 1s", Instead: &clusterv3.Cluster{Name: "app", ConnectTimeout: durationpb.New(5 * time.Second)}},
		{Key: key(mesh.Cluster, "app-v2"), Revision: 12, Served: ago(40 * time.Second), Warming: seen(40 * time.Second), Verdict: truth.Stuck,
			Says: "warming for 40 s: waits for endpoints app-v2, which nobody serves"},
		{Key: key(mesh.Cluster, "legacy"), Revision: 12, Served: served, Acked: acked, Verdict: truth.Overridden,
			Says: "the node has a cluster of this name from its bootstrap"},
		{Key: key(mesh.Endpoints, "app"), Revision: 12, Served: ago(2 * time.Second), Verdict: truth.Sent, Says: "sent, not answered yet"},
		{Key: key(mesh.Endpoints, "app-v2"), Verdict: truth.Unsent, Says: "not sent yet"},
		{Key: key(mesh.Secret, "www_cert"), Revision: 12, Served: served, Rejected: ago(9 * time.Second), Verdict: truth.Rejected, Says: "rejected; the node has none of it",
			Words: "Failed to load private key from <inline>"},
		{Key: key(mesh.Secret, "upstream_ca"), Revision: 12, Served: served, Acked: acked, Active: seen(time.Minute), Verdict: truth.Active,
			Says: "active; taken, although the response that it came in was rejected", Partly: true},
		{Key: key(mesh.Runtime, "rt0"), Verdict: truth.Unasked, Says: "nothing in the node asks for it"},
	}
	two := &truth.Node{ID: "shop-client", Connected: true, At: Now, Seen: Now.Add(-20 * time.Second), Stale: true, Why: "its CSDS does not answer: connection refused", Worst: truth.Unobservable}
	two.Resources = []truth.Resource{{Key: key(mesh.Listener, "web"), Revision: 12, Served: served, Acked: acked, Active: seen(time.Minute),
		Verdict: truth.Unobservable, Says: "20 s ago: active; since then connection refused"}}
	s.Said = map[string]*truth.Node{"envoy-1": one, "shop-client": two}
	return s
}
