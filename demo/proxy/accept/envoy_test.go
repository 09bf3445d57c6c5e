package accept_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest"
)

// What is refused, but for what the proxy does not do, an Envoy refuses too; and
// what is taken, it takes.
func TestBesideEnvoy(t *testing.T) {
	beside(t, mesh.Route, 40, inListener)
	beside(t, mesh.Listener, 8, func(yaml string) string { return yaml })
}

// beside compares all cases of a type; listener makes a listener of one.
func beside(t *testing.T, kind mesh.Type, least int, listener func(string) string) {
	t.Helper()
	binary := xdstest.NeedEnvoy(t)
	archive, err := txtar.ParseFile(filepath.Join("testdata", kind.String()+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range archive.Files {
		said := ""
		if !strings.HasSuffix(f.Name, ".want") {
			said = answer(t, kind, string(f.Data))
		}
		if said == "" || strings.Contains(said, "built-in proxy") {
			continue
		}
		compared++
		if words := validate(t, binary, listener(string(f.Data))); (words == "") != (said == "taken") {
			t.Errorf("%s: we say %q, Envoy %q", f.Name, said, words)
		}
	}
	if compared < least {
		t.Errorf("only %d %ss were compared", compared, kind)
	}
}

// inListener is a listener with a route configuration in it.
func inListener(routes string) string {
	return `name: web
address: {socket_address: {address: 127.0.0.1, port_value: 1}}
filter_chains:
- filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      route_config:
        validate_clusters: false
        ` + strings.ReplaceAll(strings.TrimSpace(routes), "\n", "\n        ") + "\n"
}

// validate is what an Envoy says against a listener; "" for nothing.
func validate(t *testing.T, binary, listener string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	text := "node: {id: test, cluster: test}\nstatic_resources:\n  listeners:\n  - " + strings.ReplaceAll(strings.TrimSpace(listener), "\n", "\n    ") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--mode", "validate", "-c", file, "-l", "critical", "--disable-hot-restart")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(out)), " ")
	return words[max(0, len(words)-300):]
}
