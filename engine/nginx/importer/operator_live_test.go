package importer_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/xds/xdstest"
)

// TestEnvoyKnowsEveryOperator has a real Envoy read what stands for each variable,
// in a log and in a header.
func TestEnvoyKnowsEveryOperator(t *testing.T) {
	t.Parallel()
	envoy := xdstest.NeedEnvoy(t)
	all := append(importer.Variables(), "http_a_b", "sent_http_a_b", "upstream_http_a_b", "arg_a", "server_name")
	header := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "remote_user" }) // of logs alone
	c, err := conf.Parse("nginx.conf", conf.Text(`http { log_format all '$`+strings.Join(all, " $")+` 100%'; access_log a.log all;
		server { listen 127.0.0.1:8080; server_name a.test; location / { proxy_pass http://127.0.0.1:1; proxy_set_header X-All '$`+strings.Join(header, " $")+` 100%'; } } }`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := files.Static(importer.Import(c).Mesh)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "X-All") || !strings.Contains(string(text), "EMIT_TIME") {
		t.Fatal("the variables are not in the mesh")
	}
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	plant(t, file, text)
	if out, err := exec.Command(envoy, "--mode", "validate", "-c", file, "--log-level", "error").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
