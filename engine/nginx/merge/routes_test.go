package merge_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// answering is a mesh on a port with routes that answer by themselves, each with a
// name of its own.
func answering(t *testing.T, rng *rand.Rand, port int) *mesh.Mesh {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `-- listener --
name: web
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      normalize_path: true
      rds: {route_config_name: r, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
-- route --
name: r
ignore_port_in_host_matching: true
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
`, port)
	matches := []string{`path: /a`, `path: /b/c`, `safe_regex: {regex: "/a/.*[.]png"}`, `prefix: /static/img`, `safe_regex: {regex: ".*[.]php"}`, `prefix: /static`, `prefix: /b`, `prefix: /`}
	for i, m := range matches {
		if i == len(matches)-1 || rng.IntN(3) > 0 {
			fmt.Fprintf(&b, "  # route %d\n  - match: {%s}\n    direct_response: {status: 200, body: {inline_string: r%d}}\n", i, m, i)
		}
	}
	return parseMesh(t, txtar.Parse([]byte(b.String())))
}

// randomEdit is one edit of the locations of a projected text: a new one, one that
// goes, is renamed, or answers otherwise. added is what the next projection has to
// say, "" where nothing is to be found again.
func randomEdit(rng *rand.Rand, conf string, n int) (edited, added string) {
	lines := strings.Split(conf, "\n")
	var at []int
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "location ") && i+2 < len(lines) && strings.Contains(lines[i+1], "return 200 r") {
			at = append(at, i)
		}
	}
	i := at[rng.IntN(len(at))]
	names := []string{"= /new", "/new", "/static/img/new", "/a", "/b/c/d", "^~ /static/im", "~ ^/new/[0-9]+$", "~ [.]png$", "= /static", "/st"}
	name := names[rng.IntN(len(names))]
	for _, l := range lines {
		if strings.Contains(l, "location "+name+" {") {
			return conf, ""
		}
	}
	switch rng.IntN(4) {
	case 0:
		block := []string{"location " + name + " {", fmt.Sprintf("return 200 n%d;", n), "}"}
		return strings.Join(append(lines[:i:i], append(block, lines[i:]...)...), "\n"), fmt.Sprintf("return 200 n%d;", n)
	case 1:
		if strings.Contains(lines[i], "location / {") {
			return conf, ""
		}
		return strings.Join(append(lines[:i:i], lines[i+3:]...), "\n"), ""
	case 2:
		if strings.Contains(lines[i], "location / {") {
			return conf, ""
		}
		lines[i] = "location " + name + " {"
		return strings.Join(lines, "\n"), strings.TrimSpace(lines[i+1])
	}
	lines[i+1] = fmt.Sprintf("return 200 n%d;", n)
	return strings.Join(lines, "\n"), lines[i+1]
}

var paths = []string{"/", "/a", "/a/x.png", "/a/x", "/ab", "/b", "/b/c", "/b/c/d", "/b/c/d/e", "/new", "/new/12", "/new/x", "/newer", "/static", "/static/", "/static/img", "/static/img/new",
	"/static/img/new/x.png", "/static/im", "/static/i.php", "/x.php", "/x.png", "/st", "/sta/x.php", "/img.png?x=1", "/b/x.php"}

// TestRoutesAsTheEditedNginx holds the mesh that an edit makes against a real nginx
// that runs the edited text.
func TestRoutesAsTheEditedNginx(t *testing.T) {
	nginxtest.Need(t)
	t.Parallel()
	asked, made := 0, 0
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 3))
		port := nginxtest.FreePort(t)
		m := answering(t, rng, port)
		shown := nginx.Project(m)
		edited, added := randomEdit(rng, shown.String(), int(seed))
		if edited == shown.String() {
			continue
		}
		made++
		c, err := merge.Merge(m, shown, edited)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, edited)
		}
		now, err := c.Apply(m)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !strings.Contains(nginx.Project(now).String(), added) {
			t.Errorf("seed %d: %q is not in the projection of the edit", seed, added)
		}
		asker := nginxtest.NewAsker(t, nginxServes(t, edited, port))
		matcher := match.New(now)
		for _, path := range paths {
			want := asker.Get("example.com", path)
			way := matcher.Match(&match.Request{Listener: "web", Host: "example.com", Path: path})
			if body := strings.TrimSpace(want.Body); want.Status != way.Status || want.Status == 200 && body != way.Body {
				t.Errorf("seed %d: %s: nginx says %d %s, the mesh %d %s\n%s\n%s", seed, path, want.Status, body, way.Status, way.Body, edited, outcome(t, m, c))
			}
			asked++
		}
		asker.Close()
		if t.Failed() {
			return
		}
	}
	if made < 8 || asked < 200 {
		t.Errorf("only %d edits and %d requests", made, asked)
	}
}

func nginxServes(t *testing.T, conf string, port int) string {
	nginxtest.Start(t, conf)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func FuzzMerge(f *testing.F) {
	ar, err := txtar.ParseFile("testdata/talk.txtar")
	if err != nil {
		f.Fatal(err)
	}
	m := parseMesh(f, ar)
	shown := nginx.Project(m)
	f.Add(shown.String())
	f.Add("")
	f.Add("http { server { listen 1; location ~ ( { proxy_pass http://$x; } } }")
	f.Add(strings.ReplaceAll(shown.String(), "app", "other"))
	f.Add(strings.ReplaceAll(shown.String(), ";", ""))
	f.Fuzz(func(t *testing.T, edited string) {
		c, err := merge.Merge(m, shown, edited)
		if err != nil {
			return
		}
		if _, err := c.Apply(m); err != nil {
			t.Error(err)
		}
	})
}
