package importtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/xds/xdstest"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// lab runs the same servers in nginx and, imported, in Envoy: each case on a
// loopback address of its own, nginx on one port and Envoy on another.
type lab struct {
	t            *testing.T
	cases        []server
	nginx, envoy int // ports
	file         *conf.Config
	made         *importer.Result
}

func loopback(i int) string { return fmt.Sprintf("127.26.%d.%d", i/250, 1+i%250) }

// newLab starts both. alter changes what was imported, or is nil.
func newLab(t *testing.T, cases []server, alter func(*mesh.Mesh) *mesh.Mesh) *lab {
	t.Helper()
	l := &lab{t: t, cases: cases, nginx: freePort(t), envoy: freePort(t)}
	l.start(conf.Text(textOf(cases, l.envoy)), alter)
	nginxtest.Start(t, textOf(cases, l.nginx))
	return l
}

func textOf(cases []server, port int) string {
	return file(cases, func(i int) string { return fmt.Sprintf("%s:%d", loopback(i), port) })
}

func (l *lab) start(text conf.Text, alter func(*mesh.Mesh) *mesh.Mesh) {
	l.t.Helper()
	var err error
	if l.file, err = conf.Parse("nginx.conf", text); err != nil {
		l.t.Fatal(err)
	}
	for _, p := range l.file.Problems {
		l.t.Fatalf("%d: %s", p.Line, p.Message)
	}
	l.made = importer.Import(l.file)
	if alter != nil {
		l.made.Mesh = alter(l.made.Mesh)
	}
	bootstrap, err := files.Static(l.made.Mesh)
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := protojson.Marshal(bootstrap)
	if err != nil {
		l.t.Fatal(err)
	}
	config := filepath.Join(l.t.TempDir(), "envoy.json")
	if err := os.WriteFile(config, b, 0o600); err != nil {
		l.t.Fatal(err)
	}
	xdstest.RunEnvoy(l.t, "", "-c", config, "--disable-hot-restart", "--service-node", "importtest", "--service-cluster", "importtest")
	deadline := time.Now().Add(nginxtest.Patience)
	for i := range l.cases {
		for {
			c, err := net.Dial("tcp", net.JoinHostPort(loopback(i), strconv.Itoa(l.envoy)))
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(deadline) {
				l.t.Fatalf("Envoy does not listen: %v\n%s", err, l.cases[i].text)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	p, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return p.Addr().(*net.TCPAddr).Port
}

// answer is what one of the servers did with a request.
type answer struct {
	status   int
	location string // path and query
	body     string // of an answer that a location gives itself
	hit      string // X-Loc at the upstream
	target   string // at the upstream
	upstream string
	method   string            // at the upstream
	sent     map[string]string // headers that the upstream saw
	told     map[string]string // headers that the client got, those of the location's own text with its type
}

func (a answer) String() string {
	return fmt.Sprintf("%d location %q body %q upstream %s loc %s target %s %q %q got %q", a.status, a.location, a.body, a.upstream, a.hit, a.method, a.target, a.sent, a.told)
}

func heard(r nginxtest.Reply) answer {
	a := answer{status: r.Status, location: pathOf(r.Location())}
	if seen, ok := nginxtest.ParseSeen(r.Body); ok {
		a.hit, a.target, a.upstream, a.method = seen.Header("X-Loc"), seen.Target, seen.Backend, seen.Method
		a.sent = map[string]string{}
		for _, h := range seen.Headers {
			if name := strings.ToLower(h[0]); !ofThePass[name] {
				a.sent[name] = strings.TrimPrefix(a.sent[name]+","+h[1], ",")
			}
		}
	} else if r.Status == 200 {
		a.body = r.Body
	}
	a.told = map[string]string{}
	for name, values := range r.Headers {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-") || name == "content-type" && a.body != "" {
			a.told[name] = strings.Join(values, ",")
		}
	}
	return a
}

// asNginx is an answer of Envoy's as it would be if it listened where nginx does.
func (l *lab) asNginx(a answer) answer {
	same := func(s string) string {
		return strings.ReplaceAll(s, strconv.Itoa(l.envoy), strconv.Itoa(l.nginx))
	}
	a.body = same(a.body)
	for _, headers := range []map[string]string{a.sent, a.told} {
		for name, value := range headers {
			headers[name] = same(value)
		}
	}
	return a
}

// ofThePass are the headers of a pass itself, which each writes in its own way: how
// long the connection lives, how long the body is.
var ofThePass = map[string]bool{"connection": true, "content-length": true, "transfer-encoding": true, "x-loc": true}

// pathOf is the path and query of a URL.
func pathOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return ""
}
