package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds how long a test waits for what must happen.
const patience = 20 * time.Second

// eventually waits until ok holds, asking each time that wake says there is
// news.
func eventually(t *testing.T, wake <-chan struct{}, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-wake:
		case <-deadline.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func newDemo(t *testing.T, o Options) *Demo {
	t.Helper()
	d, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestBackendsComeAndGo(t *testing.T) {
	d := newDemo(t, Options{})
	b := d.Backends()[0]
	if code, body := get(t, b.Address, "/foo"); code != 200 || !strings.Contains(body, "app v1 at "+b.Address) {
		t.Fatalf("up: %d %q", code, body)
	}
	steps := []struct {
		to     BackendState
		code   int
		health int
	}{{Failing, 503, 200}, {Slow, 200, 200}, {Down, 0, 0}, {Down, 0, 0}, {Up, 200, 200}, {Down, 0, 0}, {Failing, 503, 200}}
	for _, s := range steps {
		if err := d.Become(b.Name, s.to); err != nil {
			t.Fatalf("%s: %v", s.to, err)
		}
		if got := d.Backends()[0].State; got != s.to {
			t.Errorf("state is %s, want %s", got, s.to)
		}
		if code, body := get(t, b.Address, "/foo"); code != s.code {
			t.Errorf("%s: answered %d %q, want %d", s.to, code, body, s.code)
		}
		if code, _ := get(t, b.Address, "/health"); code != s.health {
			t.Errorf("%s: health %d, want %d", s.to, code, s.health)
		}
	}
	if err := d.Become("nobody", Down); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown backend: %v", err)
	}
}

func TestReviveSaysWhenThePortIsTaken(t *testing.T) {
	d := newDemo(t, Options{})
	b := d.Backends()[2]
	if err := d.Become(b.Address, Down); err != nil {
		t.Fatal(err)
	}
	thief, err := net.Listen("tcp", b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	if err := d.Become(b.Name, Up); err == nil || !strings.Contains(err.Error(), b.Name) {
		t.Errorf("reviving on a taken port: %v", err)
	}
	if got := d.Backends()[2].State; got != Down {
		t.Errorf("state is %s", got)
	}
}

func TestAdd(t *testing.T) {
	d := newDemo(t, Options{})
	b, err := d.Add("app")
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "app-v1-c" || b.Version != "v1" {
		t.Errorf("added %+v", b)
	}
	if code, _ := get(t, b.Address, "/"); code != 200 {
		t.Errorf("it answers %d", code)
	}
	if _, err := d.Add("nothing"); err == nil || !strings.Contains(err.Error(), "app-v2") {
		t.Errorf("an unknown cluster: %v", err)
	}
}

// The load counts who answered and what failed, and does not hold a listener
// that is not there yet against anybody.
func TestLoad(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	d := newDemo(t, Options{Port: port, Rate: 200})
	wake, stop := d.Changed()
	defer stop()
	d.StartLoad()
	eventually(t, wake, "the load's clock ticks", func() bool { return len(wake) == 0 })
	if s := d.Snapshot(); !s.Waiting || s.Total != 0 {
		t.Errorf("before the listener: %+v", s)
	}

	app, legacy := d.Backends()[0], d.Backends()[3]
	proxy := func(b Backend) http.Handler {
		return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.Address})
	}
	foo, rest := proxy(app), proxy(legacy)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "www.example.com" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if r.URL.Path == "/foo" {
			foo.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}))
	front.Listener.Close()
	if front.Listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Fatal(err)
	}
	front.Start()
	defer front.Close()

	share := func(name string) Share {
		for _, b := range d.Snapshot().Backends {
			if b.Name == name {
				return b
			}
		}
		return Share{}
	}
	eventually(t, wake, "both backends have a share", func() bool {
		a, b := share(app.Name), share(legacy.Name)
		return a.Share > b.Share && b.Share > 0 && a.RPS > 0
	})
	if s := d.Snapshot(); s.Failed != 0 || s.Codes[200] == 0 || s.P50 <= 0 {
		t.Errorf("with a listener: %+v", s)
	}

	if err := d.Become(legacy.Name, Failing); err != nil {
		t.Fatal(err)
	}
	eventually(t, wake, "failures are seen", func() bool { return d.Snapshot().Errors > 0 })
	failures := d.Snapshot().Failures
	if f := failures[len(failures)-1]; f.Backend != legacy.Name || f.Code != 503 || f.Path != "/" {
		t.Errorf("the failure is %+v", f)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		code int
		body string
		want string
	}{
		{404, "", "NR"}, {503, "", "NC"}, {503, "no healthy upstream", "UH"},
		{503, "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure", "UF"},
		{504, "upstream request timeout", "UT"}, {200, "", ""}, {404, "not here", ""},
	} {
		if got := flags(Answer{Code: tt.code, Body: tt.body}); got != tt.want {
			t.Errorf("%d %q: %q, want %q", tt.code, tt.body, got, tt.want)
		}
	}
	if got := flags(Answer{Code: 503, Backend: "app-v1-a"}); got != "" {
		t.Errorf("a backend's own 503 has flags %q", got)
	}
}

func TestSharesAreOfWholeSeconds(t *testing.T) {
	now := time.Unix(100, 0)
	ta := tally{now: func() time.Time { return now }}
	ta.count(Answer{}, true)
	if ta.snapshot(nil).Total != 0 {
		t.Error("a refused connection before the first answer counts")
	}
	for range 10 {
		ta.count(Answer{Code: 200, Backend: "a"}, false)
	}
	if ta.count(Answer{Port: 1, Err: "refused"}, true); ta.snapshot(nil).Total != 10 {
		t.Error("a second listener that is not there yet counts as a failure")
	}
	if got := ta.snapshot([]Backend{{Name: "a"}}).RPS; got != 0 {
		t.Errorf("the present second counts: %v", got)
	}
	now = now.Add(time.Second)
	s := ta.snapshot([]Backend{{Name: "a"}, {Name: "b"}})
	if s.RPS != 2 || s.Backends[0].Share != 1 || s.Backends[1].Share != 0 {
		t.Errorf("after it: %+v", s)
	}
	now = now.Add(window * time.Second)
	if got := ta.snapshot(nil).RPS; got != 0 {
		t.Errorf("an old second counts: %v", got)
	}
}

// The demo's kept requests find in its mesh what they expect.
func TestKeptRequestsAreAsExpected(t *testing.T) {
	d := newDemo(t, Options{})
	meshes, err := d.Meshes()
	if err != nil {
		t.Fatal(err)
	}
	asks, err := d.Kept()
	if err != nil || len(asks) == 0 {
		t.Fatalf("%d kept: %v", len(asks), err)
	}
	for _, r := range kept.Run(match.New(meshes[mesh.DefaultGroup]), asks) {
		if len(r.Differs) > 0 {
			t.Errorf("%s: %v", r.Request.Name, r.Differs)
		}
	}
}

func TestWho(t *testing.T) {
	d := newDemo(t, Options{})
	b := d.Backends()[0]
	says := func(name string) func(string) string {
		return func(header string) string {
			if header == backendHeader {
				return name
			}
			return ""
		}
	}
	if name, address := d.Who(says(b.Name)); name != b.Name || address != b.Address {
		t.Errorf("%s %s", name, address)
	}
	for _, stranger := range []string{"", "nobody"} {
		if name, address := d.Who(says(stranger)); name != "" || address != "" {
			t.Errorf("%q is taken for %s %s", stranger, name, address)
		}
	}
}

// A request can ask a backend to wait, and to become a connection that echoes;
// going down cuts that.
func TestBackendsLinger(t *testing.T) {
	d := newDemo(t, Options{})
	b := d.Backends()[0]
	ctx, cancel := context.WithCancel(t.Context())
	waiting, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.Address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	waiting.Header.Set(PauseHeader, "1h")
	answered := make(chan error, 1)
	go func() {
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(waiting)
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	conn, err := net.Dial("tcp", b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("X-Backend") != b.Name {
		t.Fatalf("answered %d %v", resp.StatusCode, resp.Header)
	}
	fmt.Fprintln(conn, "hello")
	if line, err := r.ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("echoed %q, %v", line, err)
	}
	select {
	case err := <-answered:
		t.Fatalf("the request that was to wait came back: %v", err)
	default:
	}
	cancel()
	if err := <-answered; err == nil {
		t.Error("it was answered")
	}
	if err := d.Become(b.Name, Down); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadString('\n'); err == nil {
		t.Error("the upgraded connection outlived its backend")
	}
}
