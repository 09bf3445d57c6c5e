package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// shopConf is an nginx.conf of two files, with something that Envoy has not.
func shopConf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"nginx.conf": `events {}
http {
    upstream app {
        server 127.0.0.1:9001 weight=3;
        server 127.0.0.1:9002 down;
    }
    include sites/*.conf;
}
`,
		"sites/shop.conf": `server {
    listen 8080;
    server_name shop.test;
    location = /health { return 200 "fine"; }
    location /static/ { root /srv; }
    location / { proxy_pass http://app; }
}
`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "nginx.conf")
}

// TestConvertToEnvoy holds both forms, and that the report has the place of what
// is not carried over.
func TestConvertToEnvoy(t *testing.T) {
	conf := shopConf(t)
	out, errOut, status := meshtui(t, home(t), "convert", conf)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, errOut)
	}
	want := filepath.Join(filepath.Dir(conf), "sites", "shop.conf") + ":5: warning: location /static/"
	if alt := strings.Replace(want, "location /static/", "root /srv", 1); !strings.Contains(errOut, want) && !strings.Contains(errOut, alt) {
		t.Errorf("the report does not say %q:\n%s", alt, errOut)
	}
	for name, content := range map[string]string{"envoy.yaml": out} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		opened(t, path, files.Bootstrap)
	}
	dir := filepath.Join(t.TempDir(), "mesh")
	out, errOut, status = meshtui(t, home(t), "convert", conf, "-o", dir, "--json")
	if status != 0 || out != "" {
		t.Fatalf("status %d, stdout %q\n%s", status, out, errOut)
	}
	opened(t, dir, files.Folder)
	for line := range strings.Lines(errOut) {
		var f findingJSON
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.File == "" || f.Line == 0 {
			t.Errorf("no finding with a place: %s (%v)", line, err)
		}
	}
}

// opened holds that what was written is the shop.
func opened(t *testing.T, path string, kind files.Kind) {
	t.Helper()
	o, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m := o.Meshes[mesh.DefaultGroup]
	if o.Kind != kind || len(o.Problems) > 0 || len(m.List(mesh.Listener)) != 1 || m.Get(mesh.Key{Type: mesh.Cluster, Name: "app"}) == nil {
		t.Errorf("%s: %s with the problems %v, of %d resources", path, o.Kind, o.Problems, m.Len())
	}
}

// TestConvertToNginxAndBack takes the mesh of an nginx.conf back to one.
func TestConvertToNginxAndBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mesh")
	if _, errOut, status := meshtui(t, home(t), "convert", shopConf(t), "-o", dir); status != 0 {
		t.Fatal(errOut)
	}
	out, errOut, status := meshtui(t, home(t), "convert", dir)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, errOut)
	}
	for _, want := range []string{"upstream app {", "server 127.0.0.1:9001 weight=3", "location = /health {", "server_name shop.test;"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	target := t.TempDir()
	if _, errOut, status := meshtui(t, home(t), "convert", dir, "-o", target); status != 0 {
		t.Fatal(errOut)
	}
	written, err := os.ReadFile(filepath.Join(target, "nginx.conf"))
	if err != nil || string(written) != out {
		t.Errorf("the file and the output differ: %v", err)
	}
	if _, errOut, status := meshtui(t, home(t), "convert", dir, "-o", target); status != 1 || !strings.Contains(errOut, "is there already") {
		t.Errorf("written over: status %d, %s", status, errOut)
	}
}

// TestConvertRefuses holds the wrong uses.
func TestConvertRefuses(t *testing.T) {
	conf := shopConf(t)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"convert"}, 2, "accepts 1 arg"},
		{[]string{"convert", conf, "--to", "haproxy"}, 2, "envoy or nginx"},
		{[]string{"convert", filepath.Join(t.TempDir(), "none.conf")}, 1, "there is no"},
	} {
		_, errOut, status := meshtui(t, home(t), c.args...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: status %d, want %d and %q: %s", c.args, status, c.status, c.says, errOut)
		}
	}
}

// TestEveryCommandTakesAnNginxConf asks check, match and diff.
func TestEveryCommandTakesAnNginxConf(t *testing.T) {
	conf := shopConf(t)
	out, errOut, _ := meshtui(t, home(t), "check", conf)
	if !strings.Contains(out, "shop.conf:5: warning") {
		t.Errorf("check does not name line 5:\n%s%s", out, errOut)
	}
	out, errOut, status := meshtui(t, home(t), "match", conf, "--host", "shop.test", "--path", "/health")
	if status != 0 || !strings.Contains(out, "200") || !strings.Contains(out, "[shop.conf:4]") {
		t.Errorf("match: status %d\n%s%s", status, out, errOut)
	}
	if _, own, _ := strings.Cut(out, "nginx itself\n"); !strings.Contains(own, "location           = /health") || !strings.Contains(own, "200") {
		t.Errorf("match does not say what nginx does:\n%s", out)
	}
	out, errOut, _ = meshtui(t, home(t), "match", conf, "--host", "shop.test", "--path", "/x?y", "--json")
	var report reportJSON
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Nginx == nil || report.Nginx.Upstream != "app" || report.Nginx.Location.Line != 6 || report.Nginx.Path != "/x?y" {
		t.Errorf("match --json: %v\n%s%s", err, out, errOut)
	}
	dir := filepath.Join(t.TempDir(), "mesh")
	if _, errOut, status := meshtui(t, home(t), "convert", conf, "-o", dir); status != 0 {
		t.Fatal(errOut)
	}
	if out, errOut, status := meshtui(t, home(t), "diff", conf, dir); status != 0 {
		t.Errorf("diff of a conf and what it was converted to: status %d\n%s%s", status, out, errOut)
	}
}
