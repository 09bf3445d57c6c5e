package importer_test

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/xds/xdstest"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// both is one nginx.conf in force twice: in a real nginx, and as a mesh in a real
// Envoy.
type both struct {
	nginx, envoy *nginxtest.Asker
	addresses    [2]string // nginx's, Envoy's
}

// onBoth runs the text on both. LISTEN in it is where each listens.
func onBoth(t *testing.T, text string) both {
	t.Helper()
	nginxtest.Need(t)
	xdstest.NeedEnvoy(t)
	var b both
	for i := range b.addresses {
		b.addresses[i] = "127.0.0.1:" + strconv.Itoa(nginxtest.FreePort(t))
	}
	nginxtest.Start(t, strings.ReplaceAll(text, "LISTEN", b.addresses[0]))
	c, err := conf.Parse("nginx.conf", conf.Text(strings.ReplaceAll(text, "LISTEN", b.addresses[1])))
	if err != nil {
		t.Fatal(err)
	}
	bootstrap, err := files.Static(importer.Import(c).Mesh)
	if err != nil {
		t.Fatal(err)
	}
	config, err := protojson.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	xdstest.RunEnvoy(t, string(config), "--disable-hot-restart")
	listens(t, b.addresses[1])
	b.nginx, b.envoy = nginxtest.NewAsker(t, b.addresses[0]), nginxtest.NewAsker(t, b.addresses[1])
	return b
}

// listens waits until somebody does.
func listens(t *testing.T, address string) {
	t.Helper()
	deadline, tick := time.After(nginxtest.Patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		select {
		case <-deadline:
			t.Fatalf("nobody listens on %s", address)
		case <-tick.C:
		}
	}
}

// ask sends the same request to both.
func (b both) ask(raw string) (nginx, envoy nginxtest.Reply) {
	return b.nginx.Ask(raw), b.envoy.Ask(raw)
}

// get is a request without a body.
func get(method, host, target string, headers ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target, host, strings.Join(append(headers, ""), "\r\n"))
}

const everyday = `
events {}
http {
  types { }
  gzip_types text/plain; gzip_min_length 10; gzip_vary on;
  proxy_next_upstream_tries 0;
  limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  map $http_x_version $by_version { default one; v2 two; }
  split_clients $http_x_user $canary { 30% two; * one; }
  upstream one { server ONE; }
  upstream two { server TWO; }
  upstream weighted { server ONE weight=3; server TWO; }
  upstream spare { server ONE; server TWO backup; }
  upstream parked { server ONE down; server TWO; }
  upstream dying { server DEAD; server TWO max_fails=0; }
  upstream dead { server DEAD; }
  upstream busy { least_conn; server ONE; server TWO; }
  upstream sharded { hash $http_x_user consistent; server ONE; server TWO; }
  server {
    listen LISTEN;
    server_name a.test;
    location /plain { proxy_pass http://one; }
    location /kept { proxy_pass http://one; proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Proto $scheme; proxy_set_header X-Name $server_name;
      proxy_set_header X-Port $server_port; proxy_set_header X-Uri $request_uri; proxy_set_header X-Arg $arg_q; proxy_set_header X-Gone ""; proxy_set_header X-Mixed "a-${request_method}-100%"; }
    location /fixed { proxy_pass http://one; proxy_set_header Host fixed.test; }
    location /taken { proxy_pass http://one; proxy_set_header Host $http_x_host; }
    location /direct/ { proxy_pass http://ONE/; }
    location /weighted { proxy_pass http://weighted; }
    location /spare { proxy_pass http://spare; }
    location /parked { proxy_pass http://parked; }
    location /dying { proxy_pass http://dying; }
    location /dead { proxy_pass http://dead; }
    location /version { proxy_pass http://$by_version; }
    location /canary { proxy_pass http://$canary; }
    location /sharded { proxy_pass http://sharded; }
    location /busy { proxy_pass http://busy; }
    location /small { client_max_body_size 100; proxy_pass http://one; }
    location /any { client_max_body_size 0; proxy_pass http://one; }
    location /limited { limit_req zone=slow burst=1 nodelay; proxy_pass http://one; }
    location /refused { limit_req zone=slow burst=1 nodelay; limit_req_status 429; proxy_pass http://one; }
    location /denied { deny 127.0.0.1; proxy_pass http://one; }
    location /allowed { deny 10.0.0.0/8; allow 127.0.0.0/8; deny all; proxy_pass http://one; }
    location /reading { limit_except GET { deny all; } proxy_pass http://one; }
    location /told { add_header X-Told "yes $http_x_user" always; proxy_hide_header X-Echo; proxy_pass http://one; }
    location /json { default_type application/json; return 200 "{}"; }
    location /zipped { gzip on; proxy_pass http://one; }
    location /marked { gzip on; proxy_pass http://MARKED; }
    location /ws { proxy_pass http://UPGRADE; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; }
    location /silent { proxy_read_timeout 400ms; proxy_pass http://SILENT; }
  }
}`

// TestEnvoyAnswersAsNginx sends the same requests to a real nginx and to a real
// Envoy that has what was made of its configuration.
func TestEnvoyAnswersAsNginx(t *testing.T) {
	t.Parallel()
	one, two := nginxtest.NewEcho(t, "one"), nginxtest.NewEcho(t, "two")
	text := strings.NewReplacer("ONE", one.Address, "TWO", two.Address, "DEAD", "127.0.0.1:"+strconv.Itoa(nginxtest.FreePort(t)),
		"UPGRADE", upgrading(t), "SILENT", silent(t),
		"MARKED", saying(t, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nETag: \"e\"\r\nContent-Length: 40\r\n\r\n"+strings.Repeat("x", 40))).Replace(everyday)
	b := onBoth(t, text)
	t.Run("status", func(t *testing.T) { sameStatus(t, b) })
	t.Run("upstream", func(t *testing.T) { sameUpstream(t, b) })
	t.Run("shares", func(t *testing.T) { sameShares(t, b) })
	t.Run("answer", func(t *testing.T) { sameAnswer(t, b) })
	t.Run("upgrade", func(t *testing.T) {
		for _, address := range b.addresses {
			if line := firstLine(t, address, get("GET", "a.test", "/ws", "Upgrade: websocket", "Connection: Upgrade")); !strings.HasPrefix(line, "HTTP/1.1 101 ") {
				t.Errorf("%s answers %q", address, line)
			}
		}
	})
}

// firstLine sends a request after which there is no HTTP.
func firstLine(t *testing.T, address, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(nginxtest.Patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, raw)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Error(err)
	}
	return line
}

// sameStatus: both answer alike, and from the same backend.
func sameStatus(t *testing.T, b both) {
	body := func(path string, n int) string {
		return get("POST", "a.test", path, "Content-Length: "+strconv.Itoa(n)) + strings.Repeat("x", n)
	}
	for _, row := range []struct {
		name, raw string
		status    int
	}{
		{"plain", get("GET", "a.test", "/plain"), 200},
		{"a body at the limit", body("/small", 100), 200},
		{"a byte more", body("/small", 101), 413},
		{"1 MiB, the default", body("/plain", 1<<20), 200},
		{"1 MiB and a byte", body("/plain", 1<<20+1), 413},
		{"no limit", body("/any", 2<<20), 200},
		{"denied", get("GET", "a.test", "/denied"), 403},
		{"allowed", get("GET", "a.test", "/allowed"), 200},
		{"a method that may", get("HEAD", "a.test", "/reading"), 200},
		{"a method that may not", body("/reading", 3), 403},
		{"nobody listens there", get("GET", "a.test", "/dead"), 502},
		{"the other one listens", get("GET", "a.test", "/dying"), 200},
		{"and takes a POST too", body("/dying", 3), 200},
		{"silence", get("GET", "a.test", "/silent"), 504},
		{"first of two", get("GET", "a.test", "/limited"), 200},
		{"second of two", get("GET", "a.test", "/limited"), 200},
		{"third of two", get("GET", "a.test", "/limited"), 503},
	} {
		n, e := b.ask(row.raw)
		if n.Status != row.status || e.Status != row.status {
			t.Errorf("%s: nginx %d, Envoy %d, want %d", row.name, n.Status, e.Status, row.status)
		}
	}
}

// unlike are headers in which the two are known to differ: HTTP/1.1 against 1.0,
// what Envoy adds, and the port, which is each one's own.
var unlike = map[string]bool{"connection": true, "transfer-encoding": true, "content-length": true, "x-port": true,
	"x-forwarded-proto": true, "x-envoy-external-address": true}

// sameUpstream: the backend sees the same request.
func sameUpstream(t *testing.T, b both) {
	sameUpstreamFor(t, b, []string{
		get("GET", "A.test", "/plain?x=1", "User-Agent: u", "X-User: me"),
		get("GET", "a.test:80", "/kept/a?q=7&r=8", "X-Forwarded-For: 10.9.8.7", "X-Gone: x", "X-Real-IP: forged"),
		get("GET", "a.test", "/fixed"),
		get("GET", "a.test", "/taken", "X-Host: other.test"),
		get("GET", "a.test", "/direct/x/y?z"),
		get("GET", "a.test", "/plain", "X-Forwarded-For: 10.9.8.7", "x_under: 1"),
	})
}

func sameUpstreamFor(t *testing.T, b both, raws []string) {
	t.Helper()
	for _, raw := range raws {
		n, e := b.ask(raw)
		ns, ok := nginxtest.ParseSeen(n.Body)
		es, also := nginxtest.ParseSeen(e.Body)
		if !ok || !also || n.Status != 200 || e.Status != 200 {
			t.Errorf("%q: nginx %d, Envoy %d", raw, n.Status, e.Status)
			continue
		}
		if ns.Target != es.Target || ns.Backend != es.Backend {
			t.Errorf("%q: nginx sent %s %s, Envoy %s %s", raw, ns.Backend, ns.Target, es.Backend, es.Target)
		}
		want, got := headersOf(ns), headersOf(es)
		for name := range want {
			if got[name] != strings.ReplaceAll(want[name], "10.9.8.7, ", "10.9.8.7,") && got[name] != want[name] {
				t.Errorf("%q: nginx sent %s: %q, Envoy %q", raw, name, want[name], got[name])
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("%q: only Envoy sent %s: %q", raw, name, got[name])
			}
		}
	}
}

func headersOf(s nginxtest.Seen) map[string]string {
	out := map[string]string{}
	for _, h := range s.Headers {
		if name := strings.ToLower(h[0]); !unlike[name] && !strings.EqualFold(strings.Trim(h[1], " "), "") {
			out[name] += h[1]
		}
	}
	return out
}

// sameShares: as many requests on each backend.
func sameShares(t *testing.T, b both) {
	for _, row := range []struct {
		path, header string
		n, slack     int
	}{
		{"/weighted", "X-A: b", 40, 0}, {"/spare", "X-A: b", 10, 0}, {"/parked", "X-A: b", 10, 0}, {"/dying", "X-A: b", 10, 0},
		{"/version", "X-Version: V2", 5, 0}, {"/version", "X-Version: v3", 5, 0}, {"/version", "X-A: b", 5, 0},
	} {
		on := [2]map[string]int{{}, {}}
		for range row.n {
			n, e := b.ask(get("GET", "a.test", row.path, row.header))
			for i, r := range []nginxtest.Reply{n, e} {
				s, ok := nginxtest.ParseSeen(r.Body)
				if !ok {
					t.Fatalf("%s %s: server %d answers %d", row.path, row.header, i, r.Status)
				}
				on[i][s.Backend]++
			}
		}
		for _, name := range []string{"one", "two"} {
			if d := on[0][name] - on[1][name]; d > row.slack || d < -row.slack {
				t.Errorf("%s %s: nginx %v, Envoy %v", row.path, row.header, on[0], on[1])
				break
			}
		}
	}
	stays(t, b, "/canary")
	stays(t, b, "/sharded")
}

// stays: a key comes to the same backend each time, and the keys to both.
func stays(t *testing.T, b both, path string) {
	for i, ask := range []*nginxtest.Asker{b.nginx, b.envoy} {
		seen := map[string]bool{}
		for user := range 30 {
			first := ""
			for range 3 {
				s, _ := nginxtest.ParseSeen(ask.Ask(get("GET", "a.test", path, "X-User: "+strconv.Itoa(user*7919))).Body)
				if first != "" && s.Backend != first {
					t.Errorf("%s: server %d sends one user to %s and %s", path, i, first, s.Backend)
				}
				first = s.Backend
			}
			seen[first] = true
		}
		if len(seen) != 2 {
			t.Errorf("%s: server %d uses %v alone", path, i, seen)
		}
	}
}

// sameAnswer: the client gets the same headers.
func sameAnswer(t *testing.T, b both) {
	for _, row := range []struct{ raw, header string }{
		{get("GET", "a.test", "/told", "X-User: me"), "X-Told"},
		{get("GET", "a.test", "/json"), "Content-Type"},
		{get("GET", "a.test", "/zipped", "Accept-Encoding: gzip"), "Content-Encoding"},
		{get("GET", "a.test", "/zipped"), "Content-Encoding"},
		{get("GET", "a.test", "/marked", "Accept-Encoding: gzip"), "Content-Encoding"},
		{get("GET", "a.test", "/marked", "Accept-Encoding: gzip"), "ETag"},
		{get("GET", "a.test", "/marked", "Accept-Encoding: gzip"), "Vary"},
		{get("GET", "a.test", "/plain", "Accept-Encoding: gzip"), "Content-Encoding"},
	} {
		n, e := b.ask(row.raw)
		if n.Headers.Get(row.header) != e.Headers.Get(row.header) {
			t.Errorf("%q: nginx says %s: %q, Envoy %q", row.raw, row.header, n.Headers.Get(row.header), e.Headers.Get(row.header))
		}
	}
	for range 2 {
		b.ask(get("GET", "a.test", "/refused"))
	}
	if n, e := b.ask(get("GET", "a.test", "/refused")); n.Status != 429 || e.Status != 429 {
		t.Errorf("limit_req_status: nginx %d, Envoy %d", n.Status, e.Status)
	}
}

// upgrading takes every request for one to change the protocol.
func upgrading(t *testing.T) string {
	return saying(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
}

// saying answers every request with these bytes.
func saying(t *testing.T, answer string) string {
	return accepting(t, func(c net.Conn) { fmt.Fprint(c, answer) })
}

// silent takes connections and says nothing.
func silent(t *testing.T) string { return accepting(t, func(net.Conn) {}) }

// accepting hands a connection on each time that something has come over it.
func accepting(t *testing.T, then func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				for buf := make([]byte, 4096); ; {
					if _, err := c.Read(buf); err != nil {
						return
					}
					then(c)
				}
			}()
		}
	}()
	return l.Addr().String()
}
