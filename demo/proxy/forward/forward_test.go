package forward_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/demo/proxy/forward"
)

// told collects what a handler records.
type told struct {
	mu  sync.Mutex
	all []forward.Answered
	new chan struct{}
}

func listen(h *forward.Handler) *told {
	o := &told{new: make(chan struct{}, 1000)}
	h.OnAnswer(func(a forward.Answered) {
		o.mu.Lock()
		o.all = append(o.all, a)
		o.mu.Unlock()
		o.new <- struct{}{}
	})
	return o
}

// last waits for the n-th record.
func (o *told) last(t *testing.T, n int) forward.Answered {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		if len(o.all) >= n {
			defer o.mu.Unlock()
			return o.all[n-1]
		}
		o.mu.Unlock()
		select {
		case <-o.new:
		case <-deadline:
			t.Fatalf("no record %d", n)
		}
	}
}

const failures = `
virtual_hosts:
- name: www
  domains: [www.example.com]
  routes:
  - {match: {prefix: /ok}, name: ok, route: {cluster: app}}
  - {match: {prefix: /nc}, route: {cluster: missing}}
  - {match: {prefix: /empty}, route: {cluster: empty}}
  - {match: {prefix: /closed}, route: {cluster: closed}}
  - {match: {prefix: /slow}, route: {cluster: app, timeout: 0.1s}}
  - {match: {prefix: /cut}, route: {cluster: app}}
  - {match: {prefix: /broken}, route: {cluster: app}}
  - {match: {prefix: /503}, route: {cluster: app, retry_policy: {retry_on: 5xx, num_retries: 2, retry_back_off: {base_interval: 0.001s}}}}
  - {match: {prefix: /long/slow}, route: {cluster: app, max_stream_duration: {max_stream_duration: 0.1s}}}
  - {match: {prefix: /stream}, route: {cluster: app, max_stream_duration: {max_stream_duration: 0.3s}}}
  - {match: {prefix: /teapot}, direct_response: {status: 418}}
  - {match: {prefix: /old}, redirect: {path_redirect: /new}}
`

// Each failure has the flags and details that an Envoy logs for it, and is
// counted.
func TestRecordsAndStats(t *testing.T) {
	p := serve(t, config{oneListener("", failures), twoClusters}, echo(t), closedPort(t))
	log := listen(p.handler)
	for i, c := range []struct {
		path           string
		status         int
		flags, details string
		attempts       int
	}{
		{"/ok", 200, "", "via_upstream", 1},
		{"/nothing", 404, "NR", "route_not_found", 0},
		{"/nc", 503, "NC", "cluster_not_found", 0},
		{"/empty", 503, "UH", "no_healthy_upstream", 1},
		{"/closed", 503, "UF", "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}", 1},
		{"/slow", 504, "UT", "response_timeout", 1},
		{"/cut", 503, "UC", "upstream_reset_before_response_started{connection_termination}", 1},
		{"/broken", 200, "UPE", "upstream_reset_after_response_started{protocol_error}", 1},
		{"/503", 503, "URX", "via_upstream", 3},
		{"/long/slow", 504, "", "max_duration_timeout", 1},
		{"/stream", 200, "", "max_duration_timeout", 1},
		{"/teapot", 418, "", "direct_response", 0},
		{"/old", 301, "", "direct_response", 0},
	} {
		ask(t, p.port, get(c.path, "www.example.com"))
		got := log.last(t, i+1)
		if got.Status != c.status || got.Flags != c.flags || got.Details != c.details || got.Attempts != c.attempts {
			t.Errorf("%s: %d %q %q, %d attempts", c.path, got.Status, got.Flags, got.Details, got.Attempts)
		}
	}
	if got := log.last(t, 1); got.Cluster != "app" || got.Endpoint == "" || got.Way.Route.Name != "ok" || got.Took <= 0 {
		t.Errorf("%+v", got)
	}
	got := p.handler.Stats()
	want := map[string]uint64{
		"http.web.downstream_rq_total": 13, "http.web.downstream_rq_active": 0, "http.web.downstream_rq_completed": 13,
		"http.web.downstream_rq_1xx": 0, "http.web.downstream_rq_2xx": 3, "http.web.downstream_rq_3xx": 1,
		"http.web.downstream_rq_4xx": 2, "http.web.downstream_rq_5xx": 7,
		"http.web.no_route": 1, "http.web.no_cluster": 1, "http.web.rq_direct_response": 2, "http.web.rq_total": 13,
		"listener.127.0.0.1_" + p.port + ".downstream_cx_total":        13,
		"listener.127.0.0.1_" + p.port + ".http.web.downstream_rq_5xx": 7,
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %d, not %d", name, got[name], n)
		}
	}
}

// A client that goes away ends its request, which is recorded as that.
func TestClientGoesAway(t *testing.T) {
	p := serve(t, config{oneListener("", strings.Replace(failures, "0.1s}}", "0s}}", 1)), twoClusters}, echo(t), closedPort(t))
	log := listen(p.handler)
	c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, get("/slow", "www.example.com")); err != nil {
		t.Fatal(err)
	}
	for p.handler.Stats()["http.web.downstream_rq_active"] == 0 {
		<-time.After(5 * time.Millisecond)
	}
	c.Close()
	if got := log.last(t, 1); got.Status != 0 || got.Flags != "DC" {
		t.Errorf("%d %q %q", got.Status, got.Flags, got.Details)
	}
}

// A Host or port that no listener or chain takes closes the connection.
func TestNoFilterChain(t *testing.T) {
	c := config{strings.Replace(oneListener("", failures), "  - filters:", "  - filter_chain_match: {destination_port: 1}\n    filters:", 1), twoClusters}
	p := serve(t, c, echo(t), closedPort(t))
	if a := ask(t, p.port, get("/ok", "www.example.com")); a.Err != "no answer" {
		t.Errorf("%+v", a)
	}
}

// What the backend sends early arrives early.
func TestStreams(t *testing.T) {
	more := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "sized") {
			w.Header().Set("Content-Length", "6")
		}
		_, _ = io.WriteString(w, "one")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-more:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "two")
	}))
	t.Cleanup(backend.Close)
	_, port, _ := net.SplitHostPort(backend.Listener.Addr().String())
	p := serve(t, config{oneListener("", failures), twoClusters}, port, closedPort(t))
	for _, path := range []string{"/ok", "/ok/sized"} {
		c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, get(path, "www.example.com")); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 3)
		if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "one" {
			t.Fatalf("%s: %q, %v", path, first, err)
		}
		more <- struct{}{}
		rest, err := io.ReadAll(res.Body)
		if err != nil || string(rest) != "two" {
			t.Errorf("%s: %q, %v", path, rest, err)
		}
		c.Close()
	}
}

// upgrading answers an upgrade with 101 and echoes what follows.
func upgrading(t *testing.T) (port string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			http.Error(w, "no upgrade", http.StatusTeapot)
			return
		}
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, buffered)
	}))
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return port
}

func TestUpgrade(t *testing.T) {
	routes := `
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - {match: {prefix: /off}, route: {cluster: app, upgrade_configs: [{upgrade_type: websocket, enabled: false}]}}
  - {match: {prefix: /}, route: {cluster: app}}`
	p := serve(t, config{oneListener("upgrade_configs: [{upgrade_type: websocket}]", routes), twoClusters}, upgrading(t), closedPort(t))
	if a := ask(t, p.port, get("/off", "h", "Connection: Upgrade", "Upgrade: websocket")); a.Status != 403 {
		t.Errorf("where it is off: %+v", a)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, get("/chat", "h", "Connection: Upgrade", "Upgrade: websocket")+"early"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v %+v", err, res)
	}
	if _, err := io.WriteString(c, " and late"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("early and late"))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "early and late" {
		t.Fatalf("%q %v", got, err)
	}
}

// Mirrored requests go out with all of the body, ask for a host of their own,
// and change nothing for the client.
func TestMirror(t *testing.T) {
	type copied struct{ Method, Host, URI, Body, Added string }
	got := make(chan copied, 10)
	shadow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- copied{r.Method, r.Host, r.RequestURI, string(body), r.Header.Get("X-Added")}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(shadow.Close)
	_, port, _ := net.SplitHostPort(shadow.Listener.Addr().String())
	routes := `
virtual_hosts:
- name: all
  domains: ["*"]
  request_headers_to_add: [{header: {key: x-added, value: "1"}}]
  request_mirror_policies: [{cluster: closed}]
  routes:
  - {match: {prefix: /never}, route: {cluster: app, request_mirror_policies: [{cluster: closed, runtime_fraction: {default_value: {numerator: 0}}}]}}
  - {match: {prefix: /same}, route: {cluster: app, prefix_rewrite: /new, request_mirror_policies: [{cluster: closed, disable_shadow_host_suffix_append: true}]}}
  - {match: {prefix: /}, route: {cluster: app}}`
	p := serve(t, config{oneListener("", routes), twoClusters}, echo(t), port)
	ask(t, p.port, get("/never", "h"))
	for _, c := range []struct {
		raw  string
		want copied
	}{
		{get("/a?b", "www.example.com:80"), copied{"GET", "www.example.com-shadow:80", "/a?b", "", "1"}},
		{request("POST", "/a", "h", "body"), copied{"POST", "h-shadow", "/a", "body", "1"}},
		{request("PUT", "/same", "h", "") + "", copied{"PUT", "h", "/new", "", "1"}},
	} {
		if a := ask(t, p.port, c.raw); a.Status != 200 {
			t.Errorf("%q: %+v", c.raw, a)
		}
		select {
		case seen := <-got:
			if diff := cmp.Diff(c.want, seen); diff != "" {
				t.Error(diff)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q was not mirrored", c.raw)
		}
	}
	if len(got) > 0 {
		t.Errorf("one too many: %+v", <-got)
	}
}

// A cookie that is asked for is given once, and then kept.
func TestCookie(t *testing.T) {
	p := serve(t, config{oneListener("", mutations), twoClusters}, echo(t), closedPort(t))
	a := ask(t, p.port, get("/hash", "h"))
	set, err := http.ParseSetCookie(a.Header.Get("Set-Cookie"))
	if err != nil || set.Name != "sticky" || len(set.Value) != 16 || set.MaxAge != 60 || set.Path != "/" || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode {
		t.Errorf("%v %+v", err, set)
	}
	if a := ask(t, p.port, get("/hash", "h", "Cookie: sticky="+set.Value)); a.Header.Get("Set-Cookie") != "" {
		t.Errorf("given again: %v", a.Header)
	}
	if a := ask(t, p.port, get("/session", "h")); !strings.HasSuffix(a.Header.Get("Set-Cookie"), `"; HttpOnly`) {
		t.Errorf("for a session: %v", a.Header)
	}
}

// Without a matcher there is no listener.
func TestNoWorld(t *testing.T) {
	h := forward.New("web", &world{})
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	defer func() {
		if v := recover(); !errors.Is(v.(error), http.ErrAbortHandler) {
			t.Errorf("%v", v)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil))
	t.Error("it answered")
}

// FuzzRequest holds that any bytes end in an answer or in the end of the
// connection, and that the proxy lives on.
func FuzzRequest(f *testing.F) {
	for _, s := range append(forwarded, "GET\r\n\r\n", "\x00\x01", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n") {
		f.Add(s)
	}
	p := serve(f, config{oneListener("", failures), twoClusters}, echo(f), closedPort(f))
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, raw); err != nil {
			return
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatalf("%q gets no answer", raw)
			}
		}
		if a := ask(t, p.port, get("/ok", "www.example.com")); a.Status != 200 {
			t.Fatalf("after %q: %+v", raw, a)
		}
	})
}
