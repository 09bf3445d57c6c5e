package files

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
)

// everyType is a workspace in memory with resources of all types, which ask each
// other by ADS.
func everyType(t *testing.T, port int) *mesh.Mesh {
	t.Helper()
	a, err := txtar.ParseFile("testdata/types/mesh.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh.Mesh{}
	for _, f := range a.Files {
		service, _, _ := strings.Cut(f.Name, "-")
		for _, typ := range mesh.Types() {
			if strings.ToLower(typ.Service()) == service {
				m = m.With(decoded(t, typ, mesh.Source{Text: strings.ReplaceAll(string(f.Data), "PORT", fmt.Sprint(port))}))
			}
		}
	}
	return m
}

// Saved and opened again, every type is as it was: what points into the workspace
// says where on disk, and is served by ADS.
func TestEveryTypeGoesToDiskAndBack(t *testing.T) {
	m := everyType(t, 10000)
	dir := filepath.Join(t.TempDir(), "shop")
	o := save(t, dir, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
	if diff := mesh.Diff(m, o.Meshes[mesh.DefaultGroup]); len(diff) != 0 {
		t.Errorf("after the save: %v", diff)
	}
	var all strings.Builder
	on := snapshot(t, dir)
	for _, name := range sortedKeys(on) {
		fmt.Fprintf(&all, "-- %s --\n%s", name, relative(on[name], dir))
	}
	for _, s := range said(t, o) {
		fmt.Fprintln(&all, s)
	}
	golden(t, "types.txt", all.String())

	again := open(t, dir)
	if diff := mesh.Diff(m, again.Meshes[mesh.DefaultGroup]); len(diff) != 0 || len(again.Problems) != 0 {
		t.Errorf("opened again: %v %v", diff, again.Problems)
	}
	refuse := writerFunc(func(path string, _ []byte, _ fs.FileMode) error { return fmt.Errorf("%s was written", path) })
	if _, err := Save(dir, again, again.Rules, again.Meshes, refuse); err != nil {
		t.Error(err)
	}
}

// A real Envoy reads scoped routes, extensions and a runtime from a saved folder.
func TestEnvoyReadsEveryTypeThatAFileCanHold(t *testing.T) {
	binary := envoy(t)
	port, admin := freePort(t), freePort(t)
	m := everyType(t, port)
	hosts := m.List(mesh.VirtualHost) // by delta xDS alone
	m = m.Without(hosts[0].Key).Without(mesh.Key{Type: mesh.Route, Name: "joined"})
	dir := filepath.Join(t.TempDir(), "shop")
	save(t, dir, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
	run(t, binary, "--config-yaml", fmt.Sprintf(`node: {id: test, cluster: test}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
dynamic_resources:
  lds_config: {path_config_source: {path: %[2]s/lds.yaml}}
  cds_config: {path_config_source: {path: %[2]s/cds.yaml}}
layered_runtime:
  layers:
  - {name: rt, rtds_layer: {name: rt0, rtds_config: {path_config_source: {path: %[2]s/rtds.yaml}}}}
`, admin, dir))
	eventually(t, "an answer by scope, from the extension", func() error {
		r, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
		if err != nil {
			return err
		}
		r.Header.Set("x-tenant", "gold")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != 200 || answer.Header.Get("x-by") != "extension" {
			return fmt.Errorf("%s, x-by %q", answer.Status, answer.Header.Get("x-by"))
		}
		return nil
	})
	eventually(t, "the runtime", func() error {
		if body, err := get(admin, "/runtime"); err != nil || !strings.Contains(body, "overload.example") {
			return fmt.Errorf("%s %w", body, err)
		}
		return nil
	})
	eventually(t, "nothing rejected", func() error { return settled(admin, 1) })
}

// Scopes have one config source for all their routes, and a file has one.
func TestScopesWithSeveralRoutesNeedAServer(t *testing.T) {
	m := everyType(t, 10000)
	m = m.With(decoded(t, mesh.ScopedRoute, mesh.Source{Text: "name: silver\nroute_configuration_name: joined\nkey: {fragments: [{string_key: silver}]}\n"}))
	o := save(t, filepath.Join(t.TempDir(), "shop"), nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
	if on := snapshot(t, o.Path); strings.Contains(on["lds.yaml"], "/rds") {
		t.Errorf("a file of one route for all scopes:\n%s", on["lds.yaml"])
	}
	found := false
	for _, f := range o.Notices {
		found = found || f.Rule == "not-from-files" && f.Key.Type == mesh.Listener && f.Line == 18
	}
	if !found {
		t.Errorf("it is not said: %q", said(t, o))
	}
}

// What Envoy itself says of extensions and scopes comes back as resources.
func TestADumpHoldsExtensionsAndScopes(t *testing.T) {
	o := open(t, filepath.Join(write(t, t.TempDir(), map[string]string{"dump.json": `{"configs": [
{"@type": "type.googleapis.com/envoy.admin.v3.ScopedRoutesConfigDump",
 "inline_scoped_route_configs": [{"name": "inline", "scoped_route_configs": [
  {"@type": "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration", "name": "stays-in-its-listener"}]}],
 "dynamic_scoped_route_configs": [{"name": "tenants", "version_info": "1", "scoped_route_configs": [
  {"@type": "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration", "name": "gold",
   "route_configuration_name": "gold", "key": {"fragments": [{"string_key": "gold"}]}}]}]},
{"@type": "type.googleapis.com/envoy.admin.v3.EcdsConfigDump", "ecds_filters": [
 {"version_info": "1", "ecds_filter": {"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "toggle",
  "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}}}]}]}`}), "dump.json"))
	var keys []string
	for _, r := range o.Meshes[mesh.DefaultGroup].All() {
		keys = append(keys, fmt.Sprintf("%s:%d", r.Key, r.Source.Line))
	}
	if diff := cmp.Diff([]string{"extension toggle:9", "scoped route gold:6"}, keys); diff != "" {
		t.Error(diff)
	}
}

// What a bootstrap has from files is part of the workspace, extensions, scopes
// and runtimes too.
func TestABootstrapWithExtensionsScopesAndRuntimesInFiles(t *testing.T) {
	m := everyType(t, 10000)
	dir := filepath.Join(t.TempDir(), "shop")
	save(t, dir, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
	lds, err := os.ReadFile(filepath.Join(dir, "lds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	static := "static_resources:\n  listeners:\n"
	for line := range strings.Lines(strings.TrimPrefix(string(lds), "resources:\n")) {
		if !strings.Contains(line, `"@type": `+mesh.Listener.URL()) {
			static += "  " + line
		} else {
			static += "  -\n"
		}
	}
	static += fmt.Sprintf("layered_runtime:\n  layers:\n  - {name: rt, rtds_layer: {name: rt0, rtds_config: {path_config_source: {path: %s/rtds.yaml}}}}\n", dir)
	o := open(t, filepath.Join(write(t, t.TempDir(), map[string]string{"envoy.yaml": static}), "envoy.yaml"))
	for _, k := range []mesh.Key{{Type: mesh.Extension, Name: "by-extension"}, {Type: mesh.ScopedRoute, Name: "gold"},
		{Type: mesh.ScopedRoute, Name: "silver"}, {Type: mesh.Runtime, Name: "rt0"}} {
		if o.Meshes[mesh.DefaultGroup].Get(k) == nil {
			t.Errorf("%s was not read: %v", k, said(t, o))
		}
	}
	body := o.Meshes[mesh.DefaultGroup].List(mesh.Listener)[0].Source.Text
	if strings.Contains(body, "path_config_source") {
		t.Errorf("it still asks a file:\n%s", body)
	}
}

func TestFilesWithKeysAreTheirOwnersAlone(t *testing.T) {
	for name, c := range map[string]struct {
		typ  mesh.Type
		text string
		mine bool
	}{
		"secret": {mesh.Secret, "name: a\n", true},
		"key in PEM": {mesh.Extension, `name: a
typed_config:
  "@type": type.googleapis.com/google.protobuf.StringValue
  value: "-----BEGIN PRIVATE KEY-----"
`, true},
		"key as bytes": {mesh.Cluster, `name: a
transport_socket:
  name: tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    common_tls_context:
      tls_certificates:
      - certificate_chain: {filename: /c.pem}
        private_key:
          inline_bytes: LS0tLS1CRUdJTg==
`, true},
		"key in a file": {mesh.Cluster, `name: a
transport_socket:
  name: tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    common_tls_context:
      tls_certificates:
      - certificate_chain: {inline_string: x}
        private_key: {filename: /k.pem}
`, false},
		"no key": {mesh.Runtime, "name: a\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "shop")
			m := (&mesh.Mesh{}).With(decoded(t, c.typ, mesh.Source{Text: c.text}))
			save(t, dir, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
			info, err := os.Stat(filepath.Join(dir, c.typ.File()))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); (got&0o077 == 0) != c.mine {
				t.Errorf("%s has mode %v", c.typ.File(), got)
			}
		})
	}
}

func TestAnUnreadableFileStandsForItsOwnTypeAlone(t *testing.T) {
	for name, want := range map[string]mesh.Type{"srds.yaml": mesh.ScopedRoute, "rtds-x.yaml": mesh.Runtime, "ecds.yaml": mesh.Extension, "vhds.yaml": mesh.VirtualHost, "sds.yaml": mesh.Secret} {
		o := open(t, write(t, t.TempDir(), map[string]string{name: "resources: [\n"}))
		for _, typ := range mesh.Types() {
			if _, known := o.Known(mesh.DefaultGroup).Absent(mesh.Key{Type: typ, Name: "x"}); known != (typ == want) {
				t.Errorf("%s: known to lack a %s: %v", name, typ, known)
			}
		}
	}
}
