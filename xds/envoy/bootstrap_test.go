package envoy

import (
	"context"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

var bootstraps = map[string]Bootstrap{
	"unix":         {NodeID: "envoy-1", XDS: "unix:/run/meshtui/xds.sock", Admin: "127.0.0.1:9901", Events: true},
	"tcp, delta":   {NodeID: "a", Cluster: "shop", XDS: "127.0.0.1:18000", Delta: true},
	"IPv6":         {NodeID: "a", XDS: "[::1]:18000", Admin: "[::1]:9901"},
	"by name":      {NodeID: "a", XDS: "localhost:18000", Admin: "unix:/tmp/admin.sock"},
	"odd strings":  {NodeID: "a: \"b\" # {c}\n d é", Cluster: "'x'", XDS: "unix:/tmp/a b: {c}#"},
	"looks a bool": {NodeID: "true", Cluster: "1e3", XDS: "127.0.0.1:18000"},
}

func TestBootstrapReadsBack(t *testing.T) {
	for name, b := range bootstraps {
		t.Run(name, func(t *testing.T) {
			yaml, err := b.YAML()
			if err != nil {
				t.Fatal(err)
			}
			var got bootstrapv3.Bootstrap
			if findings := text.DecodeInto(&got, mesh.Source{Text: yaml}); mesh.Worst(findings) >= mesh.Warning {
				t.Fatalf("%v in\n%s", findings, yaml)
			}
			if err := got.ValidateAll(); err != nil {
				t.Errorf("%v in\n%s", err, yaml)
			}
			cluster := b.Cluster
			if cluster == "" {
				cluster = "meshtui"
			}
			if got.GetNode().GetId() != b.NodeID || got.GetNode().GetCluster() != cluster {
				t.Errorf("the node became %v", got.GetNode())
			}
			if admin := got.GetNode().GetMetadata().GetFields()[AdminMetadata].GetStringValue(); admin != b.Admin {
				t.Errorf("the metadata say admin is at %q", admin)
			}
			if (got.GetAdmin() != nil) != (b.Admin != "") {
				t.Errorf("admin is %v", got.GetAdmin())
			}
			if layer := got.GetLayeredRuntime().GetLayers()[0].GetRtdsLayer(); layer.GetName() != RuntimeLayer || layer.GetRtdsConfig().GetAds() == nil {
				t.Errorf("the runtime's layer became %v", layer)
			}
			ads := got.GetDynamicResources().GetAdsConfig()
			if delta := ads.GetApiType() == corev3.ApiConfigSource_DELTA_GRPC; delta != b.Delta {
				t.Errorf("the API type is %s", ads.GetApiType())
			}
			if !ads.GetSetNodeOnFirstMessageOnly() || ads.GetRateLimitSettings() == nil {
				t.Errorf("the stream's settings are lost: %v", ads)
			}
			if events := got.GetClusterManager().GetOutlierDetection().GetEventLogPath() == EventPipe; events != b.Events {
				t.Errorf("ejections go to the pipe: %v", events)
			}
		})
	}
}

func TestBootstrapEnvoyAccepts(t *testing.T) {
	binary := realEnvoy(t)
	for name, b := range bootstraps {
		t.Run(name, func(t *testing.T) {
			yaml, err := b.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if err := binary.Validate(context.Background(), []byte(yaml)); err != nil {
				t.Errorf("%v in\n%s", err, yaml)
			}
		})
	}
}

func TestBootstrapRefuses(t *testing.T) {
	for _, c := range []struct {
		b    Bootstrap
		want string
	}{
		{Bootstrap{XDS: "unix:/x"}, "the node needs an id"},
		{Bootstrap{NodeID: "a"}, `the xDS address: "" is neither unix:PATH nor HOST:PORT`},
		{Bootstrap{NodeID: "a", XDS: "unix:"}, "needs a path"},
		{Bootstrap{NodeID: "a", XDS: "unix:/" + strings.Repeat("x", 107)}, "at most 107 characters, this one has 108"},
		{Bootstrap{NodeID: "a", XDS: "127.0.0.1"}, "neither unix:PATH nor HOST:PORT"},
		{Bootstrap{NodeID: "a", XDS: "127.0.0.1:70000"}, "from 1 to 65535"},
		{Bootstrap{NodeID: "a", XDS: "127.0.0.1:0"}, "from 1 to 65535"},
		{Bootstrap{NodeID: "a", XDS: ":18000"}, "the host is missing"},
		{Bootstrap{NodeID: "a", XDS: "unix:/x", Admin: "9901"}, "the admin address"},
		{Bootstrap{NodeID: "a", XDS: "h:1", TLS: TLS{Certificate: "/c", Key: "/k"}}, "the authority"},
		{Bootstrap{NodeID: "a", XDS: "h:1", TLS: TLS{CA: "/a", Certificate: "/c"}}, "a certificate and of its key"},
		{Bootstrap{NodeID: "a", XDS: "unix:/x", TLS: TLS{CA: "/a", Certificate: "/c", Key: "/k"}}, "needs the server's name"},
	} {
		if _, err := c.b.YAML(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.b, err, c.want)
		}
	}
}
