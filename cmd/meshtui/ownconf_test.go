package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
)

const ownServer = "events {}\nhttp {\n    include more/*.conf;\n    server {\n        listen 8080;\n        location / { proxy_pass http://127.0.0.1:9001; }\n    }\n}\n"

// The operator's own file is read again when it, or what it includes, has changed,
// and is not asked while nginx would not take it.
func TestTheOwnFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.conf")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, ownServer)
	own := &ownConf{path: path}
	first := own.now()
	if first.Wrong != "" || first.Config == nil || first.Mesh.Len() == 0 {
		t.Fatalf("%+v", first)
	}
	route := first.Mesh.List(mesh.Route)[0]
	if file, line, ok := first.Origin(route.Key, "virtual_hosts[0].domains"); !ok || file != path || line != 4 {
		t.Errorf("the routes come from %s:%d, %t", file, line, ok)
	}
	if own.now() != first {
		t.Error("it was read again although nothing has changed")
	}
	write(filepath.Join(filepath.Dir(path), "more", "a.conf"), "upstream more { server 127.0.0.1:9002; }\n")
	second := own.now()
	if second == first || len(second.Config.Files) != 2 {
		t.Errorf("a new include is not seen: %v", second.Config.Files)
	}
	write(path, "events {}\nhttp {\n    server {\n")
	if broken := own.now(); broken.Config != nil || !strings.Contains(broken.Wrong, "own.conf") {
		t.Errorf("a broken one: %+v", broken)
	}
	write(path, ownServer)
	if mended := own.now(); mended.Wrong != "" || mended.Config == nil {
		t.Errorf("mended: %+v", mended)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if gone := own.now(); gone.Wrong == "" {
		t.Error("one that is gone is asked")
	}
}
