package csds_test

import (
	"context"
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

const (
	plainCluster = "cluster\nname: app\ntype: STATIC\nconnect_timeout: 1s\n"
	badCluster   = "cluster\nname: bad\ntype: STATIC\nconnect_timeout: 2s\n"
	certificate  = `secret
name: cert
tls_certificate:
  certificate_chain: {inline_string: chain}
  private_key: {inline_string: TOP-SECRET}
`
	tlsCluster = `cluster
name: app
type: STATIC
connect_timeout: 1s
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    sni: app.test
    common_tls_context: {tls_certificates: [{certificate_chain: {inline_string: chain}, private_key: {inline_string: TOP-SECRET}}]}
`
)

// node is a scripted client that takes whatever comes of the types that it asks for.
func (l *lab) node(id string, metadata map[string]string) *xdstest.Stream {
	l.t.Helper()
	return xdstest.Dial(l.t, l.address, xdstest.Config{ID: id, Cluster: "edge", Metadata: metadata}).Open()
}

func fetch(t *testing.T, l *lab, request string) (*statusv3.ClientStatusResponse, error) {
	t.Helper()
	var r statusv3.ClientStatusRequest
	if err := prototext.Unmarshal([]byte(request), &r); err != nil {
		t.Fatal(err)
	}
	return statusv3.NewClientStatusDiscoveryServiceClient(dial(t, l.address)).FetchClientStatus(context.Background(), &r)
}

// summary is each status on one line.
func summary(c *statusv3.ClientConfig) string {
	var b strings.Builder
	for _, g := range c.GetGenericXdsConfigs() {
		url := g.GetTypeUrl()
		b.WriteString(strings.Join([]string{url[strings.LastIndex(url, ".")+1:], g.GetName(), g.GetConfigStatus().String(), g.GetClientStatus().String()}, " "))
		if g.GetErrorState() != nil {
			b.WriteString(": " + g.GetErrorState().GetDetails())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestStatusOfEachResource(t *testing.T) {
	l := newLab(t)
	l.push(plainCluster, badCluster, certificate)
	s := l.node("envoy-1", nil)
	s.Subscribe(mesh.Cluster)
	first := s.Next()
	s.Nack(first, "Error adding/updating cluster(s) bad: it is bad")
	s.Subscribe(mesh.Secret, "cert", "nosuch")
	s.Ack(s.Next())
	s.Subscribe(mesh.Route, "main")
	l.until("all is answered", func(st *xds.State) bool {
		n := st.Node("envoy-1")
		return n != nil && n.Types[mesh.Cluster].Rejected != nil && !n.Types[mesh.Secret].Acked.At.IsZero() && len(n.Types[mesh.Route].Subscribed) > 0
	})
	out, err := fetch(t, l, "")
	if err != nil || len(out.GetConfig()) != 1 {
		t.Fatalf("%v %v", out, err)
	}
	c := out.GetConfig()[0]
	if c.GetNode().GetId() != "envoy-1" || c.GetNode().GetCluster() != "edge" {
		t.Errorf("node %v", c.GetNode())
	}
	want := `RouteConfiguration main NOT_SENT DOES_NOT_EXIST
Cluster app ERROR NACKED: Error adding/updating cluster(s) bad: it is bad
Cluster bad ERROR NACKED: Error adding/updating cluster(s) bad: it is bad
Secret cert SYNCED ACKED
Secret nosuch NOT_SENT DOES_NOT_EXIST
`
	if diff := cmp.Diff(want, summary(c)); diff != "" {
		t.Error(diff)
	}
	bad, cert := c.GetGenericXdsConfigs()[2], c.GetGenericXdsConfigs()[3]
	if bad.GetVersionInfo() != first.Version || bad.GetErrorState().GetVersionInfo() != first.Version ||
		!bad.GetLastUpdated().IsValid() || !bad.GetErrorState().GetLastUpdateAttempt().IsValid() || bad.GetXdsConfig() == nil {
		t.Errorf("%v", bad)
	}
	var secret tlsv3.Secret
	if err := cert.GetXdsConfig().UnmarshalTo(&secret); err != nil {
		t.Fatal(err)
	}
	if secret.GetTlsCertificate().GetPrivateKey().GetInlineString() != "[redacted]" || secret.GetTlsCertificate().GetCertificateChain().GetInlineString() != "chain" {
		t.Errorf("the secret is shown as %v", &secret)
	}
}

// A node that came before anything was published waits.
func TestNothingIsSentYet(t *testing.T) {
	l := newLab(t)
	l.node("envoy-1", nil).Subscribe(mesh.Route, "main")
	l.until("the route is asked for", func(st *xds.State) bool {
		n := st.Node("envoy-1")
		return n != nil && len(n.Types[mesh.Route].Subscribed) > 0
	})
	out, err := fetch(t, l, "")
	if err != nil || len(out.GetConfig()) != 1 || summary(out.GetConfig()[0]) != "RouteConfiguration main NOT_SENT REQUESTED\n" {
		t.Errorf("%v %v", out, err)
	}
}

// No key gets out, however deep it lies.
func TestKeysAreTakenOutOfEverything(t *testing.T) {
	l := newLab(t)
	l.push(tlsCluster, certificate)
	s := l.node("envoy-1", nil)
	s.Subscribe(mesh.Cluster)
	s.Ack(s.Next())
	s.Subscribe(mesh.Secret, "cert")
	s.Ack(s.Next())
	out, err := fetch(t, l, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "TOP-SECRET") || !strings.Contains(string(b), "app.test") || strings.Count(string(b), "[redacted]") != 2 {
		t.Errorf("%q", b)
	}
}

func TestNodesAreChosen(t *testing.T) {
	l := newLab(t)
	l.push(plainCluster)
	for id, region := range map[string]string{"envoy-1": "north", "envoy-2": "south", "grpc-1": "north"} {
		s := l.node(id, map[string]string{"region": region})
		s.Subscribe(mesh.Cluster)
		s.Ack(s.Next())
	}
	region := func(value string) string {
		return `node_matchers { node_metadatas { path { key: "region" } value { ` + value + ` } } }`
	}
	for request, want := range map[string]string{
		"": "envoy-1 envoy-2 grpc-1",
		`node_matchers { node_id { exact: "envoy-2" } }`:                                                         "envoy-2",
		`node_matchers { node_id { exact: "ENVOY-2" ignore_case: true } }`:                                       "envoy-2",
		`node_matchers { node_id { prefix: "envoy" } }`:                                                          "envoy-1 envoy-2",
		`node_matchers { node_id { suffix: "-1" } }`:                                                             "envoy-1 grpc-1",
		`node_matchers { node_id { contains: "voy" } }`:                                                          "envoy-1 envoy-2",
		`node_matchers { node_id { safe_regex { regex: "[a-z]+-2" } } }`:                                         "envoy-2",
		`node_matchers { node_id { safe_regex { regex: "2" } } }`:                                                "",
		`node_matchers { node_id { exact: "grpc-1" } } node_matchers { node_id { exact: "envoy-2" } }`:           "envoy-2 grpc-1",
		region(`string_match { exact: "north" }`):                                                                "envoy-1 grpc-1",
		region(`present_match: false`):                                                                           "",
		region(`present_match: true`):                                                                            "envoy-1 envoy-2 grpc-1",
		region(`or_match { value_matchers { null_match {} } value_matchers { string_match { prefix: "so" } } }`): "envoy-2",
		region(`double_match { exact: 1 }`):                                                                      "",
		region(`bool_match: true`):                                                                               "",
		region(`list_match { one_of { string_match { exact: "north" } } }`):                                      "",
		`node_matchers { node_id { prefix: "envoy" } node_metadatas { path { key: "region" } value { string_match { exact: "north" } } } }`: "envoy-1",
		`node_matchers { node_metadatas { path { key: "region" } path { key: "deeper" } value { present_match: false } } }`:                 "envoy-1 envoy-2 grpc-1",
	} {
		out, err := fetch(t, l, request)
		if err != nil {
			t.Errorf("%s: %v", request, err)
			continue
		}
		var got []string
		for _, c := range out.GetConfig() {
			got = append(got, c.GetNode().GetId())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", request, got, want)
		}
	}
}

func TestInvalidRequests(t *testing.T) {
	l := newLab(t)
	for request, want := range map[string]string{
		`node_matchers { node_id {} }`:                                       "MatchPattern",
		`node_matchers { node_id { safe_regex { regex: "[" } } }`:            "node_matchers: [0].node_id: safe_regex: ",
		`node_matchers { node_id { safe_regex {} } }`:                        "Regex",
		`node_matchers { node_metadatas { value { present_match: true } } }`: "Path",
		`node_matchers { node_metadatas { path { key: "a" } } }`:             "Value",
		`node_matchers { node_id { custom { name: "x" typed_config {} } } }`: "is not supported",
	} {
		if _, err := fetch(t, l, request); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", request, err, want)
		}
	}
}

// The stream answers each request, without the contents where they are not
// wanted, and ends in order or at an invalid request.
func TestStream(t *testing.T) {
	l := newLab(t)
	l.push(plainCluster)
	s := l.node("envoy-1", nil)
	s.Subscribe(mesh.Cluster)
	s.Ack(s.Next())
	stream, err := statusv3.NewClientStatusDiscoveryServiceClient(dial(t, l.address)).StreamClientStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, bare := range []bool{false, true} {
		if err := stream.Send(&statusv3.ClientStatusRequest{ExcludeResourceContents: bare}); err != nil {
			t.Fatal(err)
		}
		out, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if app := out.GetConfig()[0].GetGenericXdsConfigs()[0]; (app.GetXdsConfig() == nil) != bare || app.GetName() != "app" {
			t.Errorf("%v", app)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil || status.Code(err) != codes.Unknown && err.Error() != "EOF" {
		t.Errorf("after the end: %v", err)
	}
}

// A tool that has no protos finds the service by reflection.
func TestReflection(t *testing.T) {
	l := newLab(t)
	stream, err := reflectionv1.NewServerReflectionClient(dial(t, l.address)).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	out, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range out.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if all := strings.Join(names, " "); !strings.Contains(all, "envoy.service.status.v3.ClientStatusDiscoveryService") || !strings.Contains(all, "AggregatedDiscoveryService") {
		t.Errorf("%v", names)
	}
}
