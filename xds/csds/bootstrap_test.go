package csds_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/envoy"
)

func TestBootstrap(t *testing.T) {
	got, err := csds.Bootstrap{
		NodeID: "grpc-1", XDS: "control.test:18000", CSDS: "127.0.0.1:50051",
		TLS: envoy.TLS{CA: "/etc/ca.pem", Certificate: "/etc/node.pem", Key: "/etc/node.key"},
	}.JSON()
	want := `{
  "node": {
    "cluster": "meshtui",
    "id": "grpc-1",
    "metadata": {
      "meshtui.csds": "127.0.0.1:50051"
    }
  },
  "xds_servers": [
    {
      "channel_creds": [
        {
          "config": {
            "ca_certificate_file": "/etc/ca.pem",
            "certificate_file": "/etc/node.pem",
            "private_key_file": "/etc/node.key"
          },
          "type": "tls"
        }
      ],
      "server_features": [
        "xds_v3"
      ],
      "server_uri": "dns:///control.test:18000"
    }
  ]
}
`
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

func TestBootstrapRefuses(t *testing.T) {
	good := csds.Bootstrap{NodeID: "grpc-1", XDS: "unix:/run/xds.sock"}
	if out, err := good.JSON(); err != nil || !strings.Contains(out, `"server_uri": "unix:/run/xds.sock"`) || !strings.Contains(out, "insecure") {
		t.Errorf("%s %v", out, err)
	}
	for want, change := range map[string]func(*csds.Bootstrap){
		"needs an id":                       func(b *csds.Bootstrap) { b.NodeID = "" },
		"the xDS address: unix: needs":      func(b *csds.Bootstrap) { b.XDS = "unix:" },
		"has at most 107 characters":        func(b *csds.Bootstrap) { b.XDS = "unix:/" + strings.Repeat("a", 107) },
		`"nonsense" is neither unix:PATH`:   func(b *csds.Bootstrap) { b.XDS = "nonsense" },
		"the CSDS address: 192.0.2.1:1: ":   func(b *csds.Bootstrap) { b.CSDS = "192.0.2.1:1" },
		"the authority that":                func(b *csds.Bootstrap) { b.TLS.Certificate = "/x" },
		"another server name cannot be set": func(b *csds.Bootstrap) { b.TLS.ServerName = "x" },
	} {
		b := good
		change(&b)
		if _, err := b.JSON(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
