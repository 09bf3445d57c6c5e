package files

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// nginxConf writes an nginx.conf of two files.
func nginxConf(t *testing.T) (main, site string) {
	t.Helper()
	dir := t.TempDir()
	main, site = filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "sites", "shop.conf")
	for path, content := range map[string]string{
		main: "events {}\nhttp {\n    include sites/*.conf;\n}\n",
		site: "server {\n    listen 8080;\n    server_name shop.test;\n    location = /health { return 200 fine; }\n" +
			"    location /php/ { fastcgi_pass 127.0.0.1:9000; }\n    location / { proxy_pass http://127.0.0.1:9001; }\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return main, site
}

// TestOpenNginxConf holds what is opened, where its fields stand, what is
// watched and what is told.
func TestOpenNginxConf(t *testing.T) {
	path, site := nginxConf(t)
	o, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind != Nginx || o.Kind.String() != "nginx.conf" || len(o.Problems) > 0 {
		t.Errorf("%s with the problems %v", o.Kind, o.Problems)
	}
	if got := o.Paths(); !slices.Equal(got, []string{path, site}) {
		t.Errorf("it watches %v", got)
	}
	told := slices.ContainsFunc(o.Notices, func(f mesh.Finding) bool {
		return f.File == site && f.Line == 5 && f.Rule == "nginx-not-carried" && strings.Contains(f.Message, "fastcgi_pass")
	})
	if !told {
		t.Errorf("fastcgi_pass is not told at %s:5: %v", site, o.Notices)
	}
	r := o.Meshes[mesh.DefaultGroup].List(mesh.Route)[0]
	for name, line := range map[string]int{"= /health": 4, "/php/": 5, "/": 6} {
		i := strings.Index(r.Source.Text, "name: "+name+"\n")
		if i < 0 {
			t.Errorf("no route %s in\n%s", name, r.Source.Text)
			continue
		}
		if at, _ := r.Source.Place(1+strings.Count(r.Source.Text[:i], "\n"), 1); at != line || r.Source.File != site {
			t.Errorf("route %s is at %s:%d, want %s:%d", name, r.Source.File, at, site, line)
		}
	}
	if file, line, ok := o.Known(mesh.DefaultGroup).Origin(r.Key, "virtual_hosts[0].domains[0]"); !ok || file != site || line != 3 {
		t.Errorf("the domain comes from %s:%d, want %s:3", file, line, site)
	}
	if back, findings := text.Decode(mesh.Route, r.Source); back == nil || mesh.Worst(findings) == mesh.Error {
		t.Errorf("its text does not read back: %v", findings)
	}
}

// TestNginxConfChanged sees a change of an included file.
func TestNginxConfChanged(t *testing.T) {
	path, site := nginxConf(t)
	o, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := o.Changed(); err != nil || len(got) != 0 {
		t.Fatalf("nothing changed: %v, %v", got, err)
	}
	if err := os.WriteFile(site, []byte("server { listen 8081; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Changed(); err != nil || !slices.Equal(got, []string{site}) {
		t.Errorf("changed: %v, %v, want %s", got, err, site)
	}
}

// TestNginxConfGrows sees a file that an include finds later.
func TestNginxConfGrows(t *testing.T) {
	path, site := nginxConf(t)
	o, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	more := filepath.Join(filepath.Dir(site), "more.conf")
	if err := os.WriteFile(more, []byte("server { listen 8081; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Changed(); err != nil || !slices.Equal(got, []string{more}) {
		t.Errorf("changed: %v, %v, want %s", got, err, more)
	}
	if got := o.Folders(); !slices.Equal(got, []string{filepath.Dir(path), filepath.Dir(site)}) {
		t.Errorf("it looks into %v", got)
	}
}

// TestNginxConfIncludeComesBack sees an included file that was not there when the
// configuration was read.
func TestNginxConfIncludeComesBack(t *testing.T) {
	dir := t.TempDir()
	path, deny := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "snippets", "deny.inc")
	text := "events {}\nhttp { server { listen 8080; include snippets/deny.inc; return 200; } }\n"
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Mkdir(filepath.Dir(deny), 0o755)); err != nil {
		t.Fatal(err)
	}
	o, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := o.Changed(); err != nil || len(got) != 0 {
		t.Fatalf("nothing changed: %v, %v", got, err)
	}
	if !slices.Contains(o.Folders(), filepath.Dir(deny)) {
		t.Errorf("it looks into %v", o.Folders())
	}
	if err := os.WriteFile(deny, []byte("deny all;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Changed(); err != nil || !slices.Equal(got, []string{deny}) {
		t.Errorf("changed: %v, %v, want %s", got, err, deny)
	}
}

// TestOpenNginxConfWithMistakes keeps the rest of a broken file, and refuses an
// empty one.
func TestOpenNginxConfWithMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nginx.conf")
	for content, want := range map[string]string{
		"events {}\nhttp {\n}\n": "without a server or an upstream",
		"events {}\nhttp {\n    server {\n        listen 8080;\n        return 200 ok;\n": "nginx.conf:",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		o, err := Open(path)
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v, want %q", content, err, want)
		case err == nil && (len(o.Problems) == 0 || !strings.Contains(o.Problems[0].String(), want)):
			t.Errorf("%q: the problems %v, want %q", content, o.Problems, want)
		}
	}
}
