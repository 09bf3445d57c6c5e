package accept_test

import (
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// TestRefusals holds the sentence that each resource of testdata is refused
// with; "taken" where it is not.
func TestRefusals(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind := typeOf(t, strings.TrimSuffix(filepath.Base(path), ".txtar"))
		got := &txtar.Archive{Comment: archive.Comment}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".want") {
				continue
			}
			got.Files = append(got.Files, f, txtar.File{Name: f.Name + ".want", Data: []byte(answer(t, kind, string(f.Data)) + "\n")})
		}
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, txtar.Format(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
			t.Errorf("%s (UPDATE=1 writes it):\n%s", path, diff)
		}
	}
}

func typeOf(t *testing.T, name string) mesh.Type {
	t.Helper()
	for _, kind := range mesh.Types() {
		if kind.String() == name {
			return kind
		}
	}
	t.Fatalf("%q is no type", name)
	return 0
}

func answer(t *testing.T, kind mesh.Type, yaml string) string {
	t.Helper()
	r, findings := text.Decode(kind, mesh.Source{Text: yaml})
	if r == nil {
		t.Fatalf("%v in\n%s", findings, yaml)
	}
	if err := accept.Accept(kind, r.Message); err != nil {
		return err.Error()
	}
	return "taken"
}

// Everything that the demo serves is taken.
func TestTheDemoIsTaken(t *testing.T) {
	dir := t.TempDir()
	port := regexp.MustCompile(`\{\{[^}]*\}\}`)
	for _, name := range []string{"lds.yaml", "rds.yaml", "cds.yaml", "eds.yaml"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "workspace", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), port.ReplaceAll(raw, []byte("9001")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := taken(t, dir); n != 8 {
		t.Errorf("%d resources", n)
	}
}

// taken fails for each resource of a workspace that is refused, and returns how
// many there are.
func taken(t *testing.T, path string) int {
	t.Helper()
	opened, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range opened.Meshes {
		for _, r := range m.All() {
			n++
			if err := accept.Accept(r.Key.Type, r.Message); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	return n
}

// Of what people bring, what is refused is refused for a reason that they can
// read.
func TestBootstraps(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "engine", "files", "testdata", "bootstraps")
	refused := map[string]string{
		"grpc.json":          "listener grpc: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config: the built-in proxy does not run GrpcWeb (envoy.filters.http.grpc_web); use a real Envoy (--data-plane envoy)",
		"health-checks.yaml": "",
		"tcp-proxy.yaml":     "listener postgres: filter_chains[0].filters[0].typed_config: the built-in proxy does not run TcpProxy (envoy.filters.network.tcp_proxy); use a real Envoy (--data-plane envoy)",
		"tls-termination.yaml": "listener https: filter_chains[0].transport_socket: the built-in proxy does not do TLS; use a real Envoy (--data-plane envoy)\n" +
			"secret server_cert: the built-in proxy does not do TLS, nor anything else with a secret; use a real Envoy (--data-plane envoy)",
		"front-proxy.yaml": "", "quick-start.yaml": "", "weighted-routes.yaml": "",
	}
	got := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		opened, err := files.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, m := range opened.Meshes {
			for _, r := range m.All() {
				if err := accept.Accept(r.Key.Type, r.Message); err != nil {
					said = append(said, err.Error())
				}
			}
		}
		sort.Strings(said)
		got[filepath.Base(path)] = strings.Join(said, "\n")
	}
	if diff := cmp.Diff(refused, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrongType(t *testing.T) {
	r, _ := text.Decode(mesh.Cluster, mesh.Source{Text: "name: app\n"})
	if err := accept.Accept(mesh.Listener, r.Message); err == nil || err.Error() != "it is no listener" {
		t.Error(err)
	}
	if err := accept.Accept(mesh.Listener, nil); err == nil {
		t.Error("nothing is taken for a listener")
	}
}
