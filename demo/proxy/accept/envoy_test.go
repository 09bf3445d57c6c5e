package accept_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
)

// envoyBinary is an Envoy to ask, or skips the test.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MESHTUI_ENVOY"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, ".tools", "envoy")); err == nil && !info.IsDir() {
			return filepath.Join(dir, ".tools", "envoy")
		}
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatal("MESHTUI_REQUIRE asks for an Envoy, and there is none")
	}
	t.Skip("needs a real Envoy")
	return ""
}

// What is refused, but for what the proxy does not do, an Envoy refuses too; and
// what is taken, it takes.
func TestRoutesBesideEnvoy(t *testing.T) {
	binary := envoyBinary(t)
	archive, err := txtar.ParseFile("testdata/route.txtar")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range archive.Files {
		said := ""
		if !strings.HasSuffix(f.Name, ".want") {
			said = answer(t, mesh.Route, string(f.Data))
		}
		if said == "" || strings.Contains(said, "built-in proxy") {
			continue
		}
		compared++
		if words := validate(t, binary, string(f.Data)); (words == "") != (said == "taken") {
			t.Errorf("%s: we say %q, Envoy %q", f.Name, said, words)
		}
	}
	if compared < 40 {
		t.Errorf("only %d were compared", compared)
	}
}

// validate is what an Envoy says against a route configuration; "" for nothing.
func validate(t *testing.T, binary, routes string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	text := `
static_resources:
  listeners:
  - name: web
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
            ` + strings.ReplaceAll(routes, "\n", "\n            ") + "\n"
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
