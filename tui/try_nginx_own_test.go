package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/tui/tuitest"
)

const ownFile = `events {}
http {
    upstream shop { server 127.0.0.1:9101; }
    upstream blog { server 127.0.0.1:9102; }
    include conf.d/*.conf;
    server {
        listen 8080 default_server;
        location / { proxy_pass http://shop; }
        location /api/ {
            proxy_pass http://127.0.0.1:9103/v1/;
        }
    }
}
`

const ownInclude = `server {
    listen 8080;
    server_name blog.test;
    location / { proxy_pass http://blog; }
}
`

// ownConf is an nginx.conf with an include, on disk, and what it is made into.
func ownConf(t *testing.T) *OwnNginx {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.conf")
	for name, text := range map[string]string{path: ownFile, filepath.Join(filepath.Dir(path), "conf.d", "blog.conf"): ownInclude} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.Parse(path, conf.Disk{})
	if err != nil {
		t.Fatal(err)
	}
	return &OwnNginx{Path: path, Config: c, Mesh: opened.Meshes[mesh.DefaultGroup], Origin: opened.Known(mesh.DefaultGroup).Origin}
}

// asking is the tester on a draft beside an nginx.conf of the operator's own, with a
// request in its form.
func asking(t *testing.T, own *OwnNginx, draft *mesh.Mesh, host, path string, w int) *App {
	t.Helper()
	s := tuitest.Calm()
	s.Workspace = tuitest.NewWorkspace(own.Mesh, draft)
	d := depsOf(s)
	d.Own = func() *OwnNginx { return own }
	a := stage(t, d, w, 40)
	press(a, "t")
	run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("http://" + host + ":8080" + path), Paste: true})
	return a
}

// The operator's own file says what nginx does, with its lines, and the projection
// says the same.
func TestTheOwnNginxConfIsAsked(t *testing.T) {
	own := ownConf(t)
	a := asking(t, own, own.Mesh, "any.test", "/api/x?q", 150)
	shows(t, a, "nginx would by your own shop.conf", "location /api/", "(line 9)", "= the same as Envoy", "The projection in pane 5 says the same.")
	a = asking(t, own, own.Mesh, "blog.test", "/", 150)
	shows(t, a, "(blog.conf:4)", "upstream blog", "= the same as Envoy")
	a = asking(t, own, own.Mesh, "blog.test", "/", 80)
	shows(t, a, "nginx would the same: to blog by shop.conf; ctrl+n")
	press(a, "ctrl+n", "ctrl+g")
	line := a.data.nginx.lines[a.lists[PanelNginx].Cursor]
	if a.screen != nil || a.focus != PanelNginx || !strings.Contains(line.Text, "location /") || !strings.Contains(line.From.Path, "virtual_hosts[0]") {
		t.Errorf("ctrl+g leads to panel %d, %q of %v", a.focus, line.Text, line.From)
	}
}

// Where the mesh was edited the projection follows it and the file does not, which
// is said.
func TestWhereTheOwnNginxConfAndTheProjectionPart(t *testing.T) {
	own := ownConf(t)
	route := own.Mesh.List(mesh.Route)[0]
	edited := strings.ReplaceAll(route.Source.Text, "cluster: shop", "cluster: blog")
	if edited == route.Source.Text {
		t.Fatalf("the route has no cluster shop:\n%s", edited)
	}
	draft := own.Mesh.Replace(route.Key, tuitest.Resource(mesh.Route, edited))
	a := asking(t, own, draft, "any.test", "/", 150)
	shows(t, a, "Try a request on the draft", "nginx would by your own shop.conf", "here they part: nginx: to shop; Envoy: to blog (line 8)",
		"the projection in pane 5 says otherwise: to blog as shop/.", "edited since it was made of shop.conf")
	a.data.ws.Disk = &engine.DiskChange{Files: []string{own.Path}, Changes: 1}
	run(a, nil)
	shows(t, a, "o in the panes takes it into the draft")
	shows(t, asking(t, own, draft, "any.test", "/", 80), "by shop.conf, otherwise by │ │ the projection; ctrl+n says how")
	shows(t, asking(t, own, draft, "any.test", "/api/", 150), "The projection in pane 5 says the same, although it and shop.conf are no")
}

// A file that nginx would not take is not asked, and that is said.
func TestAnOwnNginxConfThatIsBroken(t *testing.T) {
	own := ownConf(t)
	own.Wrong = `shop.conf:9: error: unexpected "}"`
	a := asking(t, own, own.Mesh, "any.test", "/", 150)
	shows(t, a, "nginx would by the projection in pane 5", `your own nginx.conf is not asked: shop.conf:9: error: unexpected "}"`, "upstream shop")
}

// The mesh has a route elsewhere than the file: only where that can be told is it
// said.
func TestOwnLocationsAndRoutes(t *testing.T) {
	own := ownConf(t)
	route := own.Mesh.List(mesh.Route)[0]
	swapped := own.Mesh.Replace(route.Key, tuitest.Resource(mesh.Route, strings.Replace(route.Source.Text, "timeout: 0s", "timeout: 9s", 1)))
	if own.same(swapped) || !own.same(own.Mesh) {
		t.Error("an edited mesh is the same, or an unedited one is not")
	}
	a := asking(t, own, swapped, "any.test", "/", 150)
	shows(t, a, "= the same as Envoy")
}
