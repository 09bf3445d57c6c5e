package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"go.uber.org/goleak"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/demo/proxy/forward"
	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/xdstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a mesh with its clusters running.
type world struct {
	matcher  *match.Matcher
	clusters map[string]*upstream.Cluster
}

func (w *world) Matcher() *match.Matcher               { return w.matcher }
func (w *world) Cluster(name string) *upstream.Cluster { return w.clusters[name] }

// config is a listener and its clusters, as YAML lists of resources; $PORT is the
// listener's, $BACKEND that of the echoing backend, $CLOSED one where nobody is.
type config struct{ listener, clusters string }

// oneListener is a listener whose connection manager has more fields, and whose
// route configuration is as given.
func oneListener(manager, routes string) string {
	return `
- name: web
  address: {socket_address: {address: 127.0.0.1, port_value: $PORT}}
  filter_chains:
  - filters:
    - name: hcm
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: web
        http_filters:
        - name: envoy.filters.http.router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
` + indent(manager, 8) + `
        route_config:
          name: main
          validate_clusters: false
` + indent(routes, 10)
}

func indent(s string, by int) string {
	var out []string
	for _, line := range strings.Split(strings.Trim(s, "\n"), "\n") {
		out = append(out, strings.Repeat(" ", by)+line)
	}
	return strings.Join(out, "\n")
}

const twoClusters = `
- name: app
  type: STATIC
  connect_timeout: 1s
  load_assignment:
    cluster_name: app
    endpoints:
    - lb_endpoints:
      - endpoint:
          hostname: app.internal
          address: {socket_address: {address: 127.0.0.1, port_value: $BACKEND}}
- name: closed
  type: STATIC
  connect_timeout: 1s
  load_assignment:
    cluster_name: closed
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $CLOSED}}}
- name: empty
  type: STATIC
  connect_timeout: 1s
`

// resources are the elements of a YAML list.
func resources(t testing.TB, kind mesh.Type, list string) []*mesh.Resource {
	t.Helper()
	var out []*mesh.Resource
	for _, item := range strings.Split("\n"+strings.Trim(list, "\n"), "\n- ") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		r, findings := text.Decode(kind, mesh.Source{Text: strings.ReplaceAll("  "+item, "\n  ", "\n")[2:] + "\n"})
		if r == nil {
			t.Fatalf("%v in\n%s", findings, item)
			return nil
		}
		if err := accept.Accept(kind, r.Message); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func (c config) with(port, backend, closed string) config {
	r := strings.NewReplacer("$PORT", port, "$BACKEND", backend, "$CLOSED", closed)
	return config{r.Replace(c.listener), r.Replace(c.clusters)}
}

// proxy is our proxy on a port of its own.
type proxy struct {
	handler *forward.Handler
	port    string
	world   *world
}

// serve runs our proxy until the end of the test.
func serve(t testing.TB, c config, backend, closed string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c = c.with(port, backend, closed)
	all := append(resources(t, mesh.Listener, c.listener), resources(t, mesh.Cluster, c.clusters)...)
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{matcher: match.New(m), clusters: map[string]*upstream.Cluster{}}
	for _, r := range m.List(mesh.Cluster) {
		u, err := upstream.New(r.Message.(*clusterv3.Cluster), upstream.Options{Node: "n"})
		if err != nil {
			t.Fatal(err)
		}
		w.clusters[r.Key.Name] = u
		<-u.Warm()
	}
	h := forward.New("web", w)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
		h.ServeHTTP(w, r)
	})
	s := &http.Server{Handler: handler, ConnState: h.ConnState, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute, DisableGeneralOptionsHandler: true}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		for _, u := range w.clusters {
			u.Close()
		}
	})
	return &proxy{handler: h, port: port, world: w}
}

// seenRequest is what a backend saw.
type seenRequest struct {
	Method, URI, Host, Proto, Body string
	Header                         http.Header
}

// echo answers with what it saw, and with what the path asks for.
func echo(t testing.TB) (port string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // all of it, or the end of the connection goes unnoticed
		switch {
		case strings.Contains(r.URL.Path, "/slow"):
			<-r.Context().Done()
			return
		case strings.Contains(r.URL.Path, "/stream"):
			_, _ = io.WriteString(w, "beginning")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		case strings.Contains(r.URL.Path, "/cut"):
			panic(http.ErrAbortHandler)
		case strings.Contains(r.URL.Path, "/broken"):
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("part"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case strings.Contains(r.URL.Path, "/503"):
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case strings.Contains(r.URL.Path, "/204"):
			w.WriteHeader(http.StatusNoContent)
			return
		case strings.Contains(r.URL.Path, "/plain"):
			w.Header()["Content-Type"] = nil
			w.Header().Set("X-Multi", "a")
			w.Header().Add("X-Multi", "b")
			_, _ = w.Write([]byte("<html>hello"))
			return
		case strings.Contains(r.URL.Path, "/trailer"):
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write([]byte("x"))
			w.Header().Set("X-Sum", "1")
			return
		}
		w.Header().Set("X-Port", port)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server", "backend")
		w.Header().Set("X-From", "backend")
		_ = json.NewEncoder(w).Encode(seenRequest{r.Method, r.RequestURI, r.Host, r.Proto, string(body), r.Header})
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// closedPort is one where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// answer is what a client got.
type answer struct {
	Method  string // that was asked
	Status  int
	Header  http.Header
	Body    string
	Trailer http.Header
	Err     string // of the connection, or of the body
}

// ask sends a raw request, and reads one answer. The request is written as it
// is, with "Connection: close" left to it.
func ask(t *testing.T, port, raw string) answer {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		return answer{Err: "write"}
	}
	method, _, _ := strings.Cut(raw, " ")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	for err == nil && res.StatusCode == http.StatusContinue {
		res, err = http.ReadResponse(r, &http.Request{Method: method})
	}
	if err != nil {
		return answer{Err: "no answer"}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	a := answer{Method: method, Status: res.StatusCode, Header: res.Header, Body: string(body), Trailer: res.Trailer}
	if len(res.TransferEncoding) > 0 { // net/http takes both out of the headers
		a.Header["Transfer-Encoding"] = res.TransferEncoding
	}
	if res.Close {
		a.Header.Set("Connection", "close")
	}
	if err != nil {
		a.Err = "cut"
	}
	return a
}

// get makes a raw GET.
func get(path, host string, headers ...string) string {
	return request("GET", path, host, "", headers...)
}

func request(method, path, host, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// realEnvoy starts an Envoy with the same configuration, and more of a bootstrap,
// or skips the test.
func realEnvoy(t testing.TB, c config, backend, closed string, more ...string) (port string) {
	t.Helper()
	binary := xdstest.NeedEnvoy(t)
	port = closedPort(t)
	c = c.with(port, backend, closed)
	bootstrap := "static_resources:\n  listeners:\n" + indent(c.listener, 2) + "\n  clusters:\n" + indent(c.clusters, 2) + "\n" + strings.Join(more, "")
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "warn")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-exited
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			conn.Close()
			return port
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("Envoy ended: %v\n%s\n%s", err, log.String(), bootstrap)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy does not listen")
		}
	}
}
