package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rawBackend answers each request with the bytes that say gives for it, and
// closes the connection when those are to have no end. The request's body is
// only read by say.
func rawBackend(t *testing.T, say func(r *http.Request) (bytes string, more bool)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		_ = l.Close()
	})
	serve := func(c net.Conn) {
		defer c.Close()
		go func() {
			<-ended
			_ = c.Close()
		}()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			bytes, more := say(r)
			if _, err := io.WriteString(c, bytes); err != nil || !more {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// oddities are answers by their path that net/http takes, and what an Envoy
// makes of them is another matter.
var oddities = map[string]string{
	"/099":      "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok",
	"/000":      "HTTP/1.1 000 Odd\r\nContent-Length: 2\r\n\r\nok",
	"/999":      "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok",
	"/204":      "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
	"/204/0":    "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
	"/304":      "HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\nContent-Type: text/x\r\nEtag: a\r\n\r\n",
	"/304/none": "HTTP/1.1 304 Not Modified\r\nEtag: a\r\n\r\n",
	"/name":     "HTTP/1.1 200 OK\r\nX A: 2\r\nContent-Length: 2\r\n\r\nok",
	"/many":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 150) + "Content-Length: 2\r\n\r\nok",
	"/trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
	"/cookie":   "HTTP/1.1 200 OK\r\nSet-Cookie: mine=1\r\nContent-Length: 2\r\n\r\nok",
	"/hop":      "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
	"/early":    "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig",
	"/":         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}

const oddRoutes = `
virtual_hosts:
- name: all
  domains: ["*"]
  response_headers_to_add: [{header: {key: x-details, value: "%RESPONSE_CODE_DETAILS%|%RESPONSE_FLAGS%"}}]
  routes:
  - {match: {prefix: /cookie}, route: {cluster: ring, hash_policy: [{cookie: {name: sticky, ttl: 60s}}]}, response_headers_to_add: [{header: {key: set-cookie, value: route=1}}]}
  - {match: {prefix: /closed}, route: {cluster: closed, hash_policy: [{cookie: {name: sticky, ttl: 60s}}]}}
  - {match: {prefix: /direct}, direct_response: {status: 200, body: {inline_string: direct}}}
  - {match: {prefix: /missing}, route: {cluster: missing}}
  - {match: {prefix: /idle}, route: {cluster: app, idle_timeout: 0.3s}}
  - {match: {prefix: /max}, route: {cluster: app, max_stream_duration: {max_stream_duration: 0.3s}}}
  - {match: {prefix: /}, route: {cluster: app}}
`

// twoAndARing are clusters of which one looks at hashes.
var twoAndARing = twoClusters + strings.Replace(strings.Split(twoClusters, "- name: closed")[0], "name: app\n", "name: ring\n  lb_policy: RING_HASH\n", 1)

// odd answers with the oddity of a path; below /idle and /max it waits for all of
// the request first.
func odd(r *http.Request) (string, bool) {
	if answer, ok := oddities[r.URL.Path]; ok {
		if r.URL.Path != "/early" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return answer, r.URL.Path != "/early"
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return oddities["/"], true
}

// What a backend may not say is the backend's failure, and what else is odd comes
// out as from an Envoy.
func TestLikeEnvoyOddAnswers(t *testing.T) {
	backend, closed := rawBackend(t, odd), closedPort(t)
	for name, manager := range map[string]string{"default": "", "trailers": "http_protocol_options: {enable_trailers: true}"} {
		t.Run(name, func(t *testing.T) {
			c := config{oneListener(manager, oddRoutes), twoAndARing}
			theirs, ours := realEnvoy(t, c, backend, closed), serve(t, c, backend, closed).port
			for path := range oddities {
				if path == "/early" {
					continue
				}
				alike(t, theirs, ours, get(path, "h"))
			}
			alike(t, theirs, ours, get("/cookie", "h", "Cookie: sticky=a"))
			alike(t, theirs, ours, get("/closed", "h"))
		})
	}
}

// alike sends the same bytes to an Envoy and to our proxy, and compares what
// comes.
func alike(t *testing.T, theirs, ours, raw string) {
	t.Helper()
	want, got := comparable(t, ask(t, theirs, raw), theirs, theirs), comparable(t, ask(t, ours, raw), ours, theirs)
	for _, a := range []answer{want, got} {
		for i, c := range a.Header["Set-Cookie"] {
			a.Header["Set-Cookie"][i] = stickies.ReplaceAllString(c, `sticky="HASH"`)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: Envoy -, ours +\n%s", raw, diff)
	}
}

// While a client still owes a part of its request, it is answered as by an Envoy:
// at once where nobody needs that part, 408 when it never comes.
func TestLikeEnvoyHalfRequests(t *testing.T) {
	backend, closed := rawBackend(t, odd), closedPort(t)
	c := config{oneListener("stream_idle_timeout: 0.5s", oddRoutes), twoAndARing}
	theirs, ours := realEnvoy(t, c, backend, closed), serve(t, c, backend, closed).port
	for _, path := range []string{"/direct", "/missing", "/early", "/idle", "/max", "/", "/closed"} {
		alike(t, theirs, ours, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhi")
	}
	for _, path := range []string{"/direct", "/"} {
		alike(t, theirs, ours, "POST "+path+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi")
		alike(t, theirs, ours, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
	}
}

// A client that waits to be told is told to send its body, by the proxy, whatever
// answers then.
func TestLikeEnvoyContinue(t *testing.T) {
	backend, closed := rawBackend(t, odd), closedPort(t)
	c := config{oneListener("", oddRoutes), twoAndARing}
	theirs, ours := realEnvoy(t, c, backend, closed), serve(t, c, backend, closed).port
	first := func(port, path string) string {
		t.Helper()
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, request("POST", path, "h", "", "Expect: 100-continue", "Content-Length: 2")); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	for _, path := range []string{"/", "/direct", "/missing"} {
		if want, got := first(theirs, path), first(ours, path); got != want {
			t.Errorf("%s: Envoy %q, ours %q", path, want, got)
		}
	}
}

// Trailers of a request go on only where the client may send them.
func TestRequestTrailers(t *testing.T) {
	seen := make(chan string, 1)
	backend := rawBackend(t, func(r *http.Request) (string, bool) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r.Trailer.Get("X-T")
		return oddities["/"], true
	})
	taking := strings.Replace(twoAndARing, "  type: STATIC\n", "  type: STATIC\n  http_protocol_options: {enable_trailers: true}\n", 1)
	raw := request("POST", "/", "h", "", "Transfer-Encoding: chunked", "Trailer: X-T") + "2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"
	for manager, want := range map[string]string{"": "", "http_protocol_options: {enable_trailers: true}": "1"} {
		p := serve(t, config{oneListener(manager, oddRoutes), taking}, backend, closedPort(t))
		if a := ask(t, p.port, raw); a.Status != http.StatusOK {
			t.Fatalf("%q: %+v", manager, a)
		}
		if got := <-seen; got != want {
			t.Errorf("%q: the backend saw %q", manager, got)
		}
	}
}

// A client that stops reading loses its request when a timer fires, and gives
// back what the request held, the breaker's only place among it.
func TestStalledReader(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 1<<20)
		for range 1 << 10 { // until it breaks
			if r.URL.Path == "/ok" {
				return
			}
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	t.Cleanup(backend.Close)
	_, port, _ := net.SplitHostPort(backend.Listener.Addr().String())
	one := strings.ReplaceAll(twoClusters, "- name: app\n", "- name: app\n  circuit_breakers: {thresholds: [{max_requests: 1}]}\n")
	for _, c := range []struct{ name, manager, route, flags, details string }{
		{"idle", "stream_idle_timeout: 0.5s", "timeout: 0s", "SI", "stream_idle_timeout"},
		{"whole answer", "", "timeout: 0.5s", "UT", "response_timeout"},
		{"stream", "", "max_stream_duration: {max_stream_duration: 0.5s}", "", "max_duration_timeout"},
	} {
		for _, protocol := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, HTTP/%d", c.name, protocol), func(t *testing.T) {
				routes := "virtual_hosts: [{name: all, domains: [\"*\"], routes: [{match: {prefix: /}, route: {cluster: app, " + c.route + "}}]}]"
				p := serve(t, config{oneListener(c.manager, routes), one}, port, closedPort(t))
				log := listen(p.handler)
				stall(t, p.port, protocol)
				if got := log.last(t, 1); got.Flags != c.flags || got.Details != c.details {
					t.Errorf("%q %q", got.Flags, got.Details)
				}
				if a := ask(t, p.port, get("/ok", "h")); a.Status != http.StatusOK {
					t.Errorf("the next request: %+v", a)
				}
			})
		}
	}
}

// stall asks for what has no end, and reads nothing of its body until the end of
// the test.
func stall(t *testing.T, port string, protocol int) {
	t.Helper()
	if protocol == 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http2Client(t).Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, get("/", "h")); err != nil {
		t.Fatal(err)
	}
}

// A timer that fired late for one answer is not that of the next one on the same
// connection.
func TestDeadlineEndsWithItsAnswer(t *testing.T) {
	backend := rawBackend(t, odd)
	p := serve(t, config{oneListener("stream_idle_timeout: 0.2s", oddRoutes), twoAndARing}, backend, closedPort(t))
	c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	for i, raw := range []string{get("/", "h"), "NONSENSE\r\n\r\n"} {
		if i > 0 { // the first answer's deadline is over by then
			<-time.After(300 * time.Millisecond)
		}
		if _, err := io.WriteString(c, raw); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

// What a POST is upgraded to has no length.
func TestUpgradeOfPost(t *testing.T) {
	p := serve(t, config{oneListener("upgrade_configs: [{upgrade_type: websocket}]", oddRoutes), twoAndARing}, upgrading(t), closedPort(t))
	a := ask(t, p.port, request("POST", "/", "h", "", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0"))
	if a.Status != http.StatusSwitchingProtocols || a.Header.Get("Content-Length") != "" {
		t.Errorf("%+v", a)
	}
}
