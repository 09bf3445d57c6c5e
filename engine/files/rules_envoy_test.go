package files

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
)

// What the checks say of scopes, extensions and api_listeners is what a real
// Envoy does: it rejects the resources that a rule is about, or opens nothing, and
// takes those of which the rule is silent.
func TestEnvoyDoesWhatTheRulesSay(t *testing.T) {
	binary := envoy(t)
	for _, rule := range []string{"duplicate-scope", "scope-route", "extension-type", "default-config", "api-listener"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			fires, silent := ofRule(t, rule)
			folder := func(m *mesh.Mesh) int {
				dir, admin := filepath.Join(t.TempDir(), "shop"), freePort(t)
				save(t, dir, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
				for _, name := range []string{"lds.yaml", "cds.yaml"} {
					if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
						write(t, dir, map[string]string{name: "resources: []\n"})
					}
				}
				start(t, binary, dir, admin)
				return admin
			}
			bad, good := folder(fires), folder(silent)
			eventually(t, "Envoy minds", func() error {
				stats, err := get(bad, "/stats?filter=update_rejected|total_listeners_active|workers_started")
				switch {
				case err != nil:
					return err
				case rule == "api-listener" && strings.Contains(stats, "workers_started: 1") && strings.Contains(stats, "total_listeners_active: 0"):
					return nil
				}
				for line := range strings.Lines(stats) {
					if strings.Contains(line, "update_rejected") && !strings.HasSuffix(line, ": 0\n") {
						return nil
					}
				}
				return fmt.Errorf("%s", stats)
			})
			listeners := 0
			for _, r := range silent.List(mesh.Listener) {
				if !strings.Contains(r.Source.Text, "api_listener") {
					listeners++
				}
			}
			eventually(t, "Envoy takes what is as it should be", func() error { return settled(good, listeners) })
		})
	}
}

// ofRule are the meshes of a rule's golden, on ports that are free. A scope is
// asked for by a listener, which the goldens of scopes may leave out.
func ofRule(t *testing.T, rule string) (fires, silent *mesh.Mesh) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("..", "check", "testdata", "rules", rule+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	scoped, err := txtar.ParseFile(filepath.Join("..", "check", "testdata", "rules", "no-scopes.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	fires, silent = &mesh.Mesh{}, &mesh.Mesh{}
	for _, f := range a.Files {
		name, ok := strings.CutPrefix(f.Name, "ok/")
		into := &fires
		if ok {
			into = &silent
		}
		*into = withAll(t, *into, name, string(f.Data))
	}
	for _, m := range []**mesh.Mesh{&fires, &silent} {
		if len((*m).List(mesh.ScopedRoute)) > 0 && len((*m).List(mesh.Listener)) == 0 {
			*m = withAll(t, *m, scoped.Files[0].Name, string(scoped.Files[0].Data))
		}
	}
	return fires, silent
}

// withAll is a mesh with the resources of one section of a golden.
func withAll(t *testing.T, m *mesh.Mesh, name, data string) *mesh.Mesh {
	t.Helper()
	for _, typ := range mesh.Types() {
		if !strings.HasPrefix(name, strings.ToLower(typ.Service())) {
			continue
		}
		for _, part := range strings.Split(data, "---\n") {
			part = strings.NewReplacer("10000", fmt.Sprint(freePort(t)), "10001", fmt.Sprint(freePort(t))).Replace(part)
			m = m.With(decoded(t, typ, mesh.Source{Text: part}))
		}
	}
	return m
}
