package forward_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every counter that is told has a name that an Envoy has.
func TestStatsAreEnvoys(t *testing.T) {
	checked := strings.Replace(twoClusters, "  type: STATIC\n", `  type: STATIC
  outlier_detection: {}
  health_checks: [{timeout: 1s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]
  circuit_breakers: {thresholds: [{track_remaining: true}]}
`, 1)
	c := config{oneListener("", failures), checked}
	backend, closed := echo(t), closedPort(t)
	adminPort := closedPort(t)
	theirs := realEnvoy(t, c, backend, closed, "admin: {address: {socket_address: {address: 127.0.0.1, port_value: "+adminPort+"}}}\n")
	ours := serve(t, c, backend, closed)
	for _, path := range []string{"/ok", "/nothing", "/nc", "/empty", "/closed", "/slow", "/503", "/teapot", "/old"} {
		ask(t, theirs, get(path, "www.example.com"))
		ask(t, ours.port, get(path, "www.example.com"))
	}
	a := ask(t, adminPort, get("/stats", "admin"))
	if a.Status != 200 {
		t.Fatalf("Envoy's counters: %+v", a)
	}
	known := map[string]string{}
	for line := range strings.Lines(a.Body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			known[strings.ReplaceAll(name, theirs, "PORT")] = value
		}
	}
	all := ours.handler.Stats()
	for stat, n := range ours.world.clusters["app"].Snapshot().Stats {
		all["cluster.app."+stat] = n
	}
	for name, n := range all {
		want, ok := known[strings.ReplaceAll(name, ours.port, "PORT")]
		switch {
		case !ok:
			t.Errorf("%s is no counter of an Envoy's", name)
		case strings.HasPrefix(name, "http.") && !strings.Contains(name, "active") && want != strconv.FormatUint(n, 10):
			t.Errorf("%s is %d, and %s in an Envoy", name, n, want)
		}
	}
	if len(all) < 50 {
		t.Errorf("only %d counters", len(all))
	}
}

// Over HTTP/2 too, a client gets from us what it gets from an Envoy.
func TestLikeEnvoyHTTP2(t *testing.T) {
	c := config{oneListener("http_protocol_options: {enable_trailers: true}", mutations), twoClusters}
	backend, closed := echo(t), closedPort(t)
	theirs := realEnvoy(t, c, backend, closed)
	ours := serve(t, c, backend, closed)
	client := http2Client(t)
	call := func(port, method, path, body, kind string) answer {
		t.Helper()
		r, err := http.NewRequest(method, "http://127.0.0.1:"+port+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "www.example.com"
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Accept-Encoding", "identity")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		res, err := client.Transport.RoundTrip(r)
		if err != nil {
			return answer{Err: "no answer"}
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		a := answer{Status: res.StatusCode, Header: res.Header, Body: string(got)}
		if err != nil {
			a.Err = "cut"
		}
		return a
	}
	for _, q := range []struct{ method, path, body, kind string }{
		{"GET", "/", "", ""}, {"GET", "/rewrite/x?y", "", ""}, {"POST", "/post", "some body", "text/plain"},
		{"GET", "/weighted", "", ""}, {"GET", "/503", "", ""}, {"GET", "/closed", "", ""}, {"GET", "/slow", "", ""},
		{"GET", "/204", "", ""}, {"GET", "/plain", "", ""}, {"HEAD", "/plain", "", ""}, {"GET", "/cut", "", ""},
		{"GET", "/broken", "", ""}, {"POST", "/closed", "x", "application/grpc"}, {"POST", "/slow", "x", "application/grpc"},
		{"PUT", "/a%2Fb//c", "x", ""}, {"POST", "/none", "", ""},
	} {
		want := comparable(t, call(theirs, q.method, q.path, q.body, q.kind), theirs, theirs)
		got := comparable(t, call(ours.port, q.method, q.path, q.body, q.kind), ours.port, theirs)
		if q.kind == "application/grpc" && got.Header.Get("Content-Length") == "0" {
			got.Header.Del("Content-Length") // net/http's own, and harmless
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: Envoy -, ours +\n%s", q, diff)
		}
	}
}
