package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// demoWorkspace is the mesh of the demo, with ports of its own.
func demoWorkspace(t *testing.T) *engine.Workspace {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"lds.yaml", "rds.yaml", "cds.yaml", "eds.yaml"} {
		tmpl, err := template.ParseFiles(filepath.Join("..", "demo", "workspace", name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		err = tmpl.Execute(f, map[string]any{"Port": 10000, "Backends": map[string]int{"app-v1-a": 9001, "app-v1-b": 9002, "app-v2-a": 9003, "legacy-a": 9004}})
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := engine.OpenMeshes(context.Background(), "demo", opened.Meshes, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func draftOf(w *engine.Workspace) *mesh.Mesh { return w.State().Group(mesh.DefaultGroup).Draft }

// said is every resource's text, by its key.
func said(m *mesh.Mesh) map[string]string {
	out := map[string]string{}
	for _, r := range m.All() {
		out[r.Key.String()] = r.Source.Text
	}
	return out
}

// replaced is the text with one of its lines, that behind another where behind is
// not empty, in another form.
func replaced(t *testing.T, conf, behind, old, new string) string {
	t.Helper()
	at := strings.Index(conf, behind)
	i := strings.Index(conf[max(at, 0):], old)
	if at < 0 || i < 0 {
		t.Fatalf("there is no %q behind %q in\n%s", old, behind, conf)
	}
	i += at
	return conf[:i] + new + conf[i+len(old):]
}

func TestEditNginxOfTheDemo(t *testing.T) {
	const pass = "proxy_pass http://legacy;"
	for _, c := range []struct {
		name, behind, old, new string
		shown                  string   // what the next projection says, the new text where empty
		touched                []string // resources, and nothing else
		yaml                   string   // what the first of them says then
	}{
		{name: "weight", old: "server 127.0.0.1:9001 ", new: "server 127.0.0.1:9001 weight=3 ", touched: []string{"endpoints app"}, yaml: "load_balancing_weight: 3"},
		{name: "down", old: "server 127.0.0.1:9004;", new: "server 127.0.0.1:9004 down;", touched: []string{"endpoints legacy"}, yaml: "health_status: DRAINING"},
		{name: "one more server", old: "server 127.0.0.1:9004;", new: "server 127.0.0.1:9004;\nserver 127.0.0.1:9005;", shown: "server 127.0.0.1:9005", touched: []string{"endpoints legacy"}, yaml: "port_value: 9005"},
		{name: "canary", old: "90% app;", new: "50% app;", touched: []string{"route local_route"}, yaml: "weight: 50"},
		{name: "timeout", behind: "location / ", old: "proxy_read_timeout 5s;", new: "proxy_read_timeout 8s;", touched: []string{"route local_route"}, yaml: "timeout: 8s"},
		{name: "another upstream", behind: "location / ", old: pass, new: "proxy_pass http://app-v2;", touched: []string{"route local_route"}, yaml: "cluster: app-v2"},
		{name: "header", behind: "location / ", old: pass, new: pass + "\nadd_header X-From legacy always;", shown: "add_header X-From legacy always;", touched: []string{"route local_route"}, yaml: "key: X-From"},
		{name: "redirect", behind: "location / ", old: "location / {", new: "location = /old {\nreturn 301 https://www.example.com/new;\n}\nlocation / {", shown: "location = /old {", touched: []string{"route local_route"}, yaml: "path: /old"},
		{name: "location", behind: "location / ", old: "location / {", new: "location /api/ {\nproxy_pass http://app;\n}\nlocation / {", shown: "location /api/ {", touched: []string{"route local_route"}, yaml: "prefix: /api/"},
		{name: "rename", old: "location /foo {", new: "location /shop {", touched: []string{"route local_route"}, yaml: "match: {prefix: /shop}"},
		{name: "name", old: "server_name www.example.com;", new: "server_name www.example.com shop.example.com;", shown: "server_name shop.example.com;", touched: []string{"route local_route"}, yaml: "domains: [www.example.com, shop.example.com]"},
		{name: "balance", behind: "upstream legacy", old: "server 127", new: "least_conn;\nserver 127", shown: "least_conn;", touched: []string{"cluster legacy"}, yaml: "selection_method: FULL_SCAN"},
		{name: "upstream", old: "upstream legacy", new: "upstream shop {\nserver 127.0.0.1:9010;\n}\nupstream legacy", shown: "upstream shop {", touched: []string{"cluster shop", "endpoints shop"}, yaml: "name: shop"},
		{name: "port", old: "listen 127.0.0.1:10000;", new: "listen 127.0.0.1:10080;", touched: []string{"listener web"}, yaml: "port_value: 10080"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := demoWorkspace(t)
			before := said(draftOf(w))
			shown := nginx.Project(draftOf(w))
			change, err := w.EditNginx(mesh.DefaultGroup, shown, replaced(t, shown.String(), c.behind, c.old, c.new))
			if err != nil {
				t.Fatal(err)
			}
			after := said(draftOf(w))
			if want := max(len(c.shown), len(c.new)); want == 0 || !strings.Contains(nginx.Project(draftOf(w)).String(), orNew(c.shown, c.new)) {
				t.Errorf("the edit is not in the projection:\n%s", nginx.Project(draftOf(w)))
			}
			for key, text := range after {
				if changed := text != before[key]; changed != contains(c.touched, key) {
					t.Errorf("%s: changed is %v", key, changed)
				}
			}
			if !strings.Contains(after[c.touched[0]], c.yaml) {
				t.Errorf("%s does not say %s:\n%s", c.touched[0], c.yaml, after[c.touched[0]])
			}
			keeps(t, before, after)
			if undo := w.State().Undo; len(undo) != 1 || !strings.HasPrefix(undo[0], "nginx.conf: ") || !strings.Contains(undo[0], change.Summary[0]) {
				t.Errorf("the step is called %q, the change %q", undo, change.Summary)
			}
			if err := w.Undo(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, said(draftOf(w))); diff != "" {
				t.Errorf("after undo (-before +after)\n%s", diff)
			}
			if err := w.Redo(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(after, said(draftOf(w))); diff != "" {
				t.Errorf("after redo\n%s", diff)
			}
		})
	}
}

func orNew(shown, new string) string {
	if shown == "" {
		return new
	}
	return shown
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// keeps holds that every comment, and what nginx has no words for, is still there.
func keeps(t *testing.T, before, after map[string]string) {
	t.Helper()
	for key, text := range before {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			for _, word := range []string{"#", "health_checks:", "unhealthy_threshold:", "max_ejection_percent:", "retry_host_predicate:", "host_selection_retry_max_attempts:", "common_lb_config:", "stat_prefix:"} {
				if strings.HasPrefix(line, word) && !strings.Contains(after[key], line) {
					t.Errorf("%s has lost %q", key, line)
				}
			}
		}
	}
}

func TestEditNginxRefuses(t *testing.T) {
	w := demoWorkspace(t)
	shown := nginx.Project(draftOf(w))
	broken := strings.Replace(shown.String(), "proxy_pass http://legacy;", "proxy_pass http://legacy", 1)
	_, err := w.EditNginx(mesh.DefaultGroup, shown, broken)
	var bad *engine.EditError
	if !errors.As(err, &bad) || bad.Text != broken || len(bad.Findings) == 0 {
		t.Fatalf("a broken text: %v", err)
	}
	if line := strings.Split(broken, "\n")[bad.Findings[0].Line-1]; strings.TrimSpace(line) != "proxy_pass http://legacy" {
		t.Errorf("the error is said of the line %q", line)
	}
	second := strings.Replace(shown.String(), "    server {", "    server {\nlisten 127.0.0.1:10000;\nserver_name www.example.com;\nreturn 204;\n}\nserver {", 1)
	for name, text := range map[string]string{"": "no http", "events {}": "no http", second: "Envoy would not take",
		strings.Replace(shown.String(), "proxy_pass http://legacy;", "proxy_pas http://legacy;", 1): `unknown directive "proxy_pas"`} {
		before := said(draftOf(w))
		if _, err := w.EditNginx(mesh.DefaultGroup, shown, name); !errors.As(err, &bad) || bad.Text != name || !strings.Contains(bad.Error(), text) {
			t.Errorf("%q is not refused for %q: %v", name, text, err)
		}
		if diff := cmp.Diff(before, said(draftOf(w))); diff != "" {
			t.Errorf("a refused edit changed the draft\n%s", diff)
		}
	}
	if _, err := w.EditNginx("nowhere", shown, shown.String()); err == nil {
		t.Error("a group that is not there was edited")
	}
	if err := w.Edit(mesh.DefaultGroup, engine.SetHealth{Key: mesh.Key{Type: mesh.Endpoints, Name: "legacy"}, Endpoint: "127.0.0.1:9004", Status: "DRAINING"}); err != nil {
		t.Fatal(err)
	}
	before := said(draftOf(w))
	if _, err := w.EditNginx(mesh.DefaultGroup, shown, strings.Replace(shown.String(), "90%", "80%", 1)); !errors.Is(err, engine.ErrStaleProjection) {
		t.Errorf("a projection of an older draft: %v", err)
	}
	if diff := cmp.Diff(before, said(draftOf(w))); diff != "" {
		t.Errorf("a refused edit changed the draft\n%s", diff)
	}
}

func TestEditNginxOfNothingIsNoStep(t *testing.T) {
	w := demoWorkspace(t)
	shown := nginx.Project(draftOf(w))
	change, err := w.EditNginx(mesh.DefaultGroup, shown, strings.ReplaceAll(shown.String(), "    ", "\t"))
	if err != nil || len(change.Edits) > 0 || len(w.State().Undo) > 0 {
		t.Errorf("%v, %+v, %q", err, change, w.State().Undo)
	}
}
