package forward_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const http2Cluster = `
- name: app
  type: STATIC
  connect_timeout: 1s
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: {http2_protocol_options: {}}
  load_assignment:
    cluster_name: app
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $BACKEND}}}
`

// http2Client speaks HTTP/2 in clear text.
func http2Client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// A gRPC call passes over HTTP/2 from end to end: te and trailers are kept, both
// sides stream, and an error of the proxy's own has gRPC's form.
func TestGRPC(t *testing.T) {
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("X-Seen", r.Proto+" "+r.Header.Get("Te"))
		if r.URL.Path == "/only-trailers" {
			w.Header().Set("Grpc-Status", "5")
			return
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		part := make([]byte, 100)
		for n, err := r.Body.Read(part); n > 0 || err == nil; n, err = r.Body.Read(part) {
			_, _ = w.Write(part[:n])
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}))
	backend.Config.Protocols = new(http.Protocols)
	backend.Config.Protocols.SetUnencryptedHTTP2(true)
	backend.Start()
	t.Cleanup(backend.Close)
	_, port, _ := net.SplitHostPort(backend.Listener.Addr().String())
	routes := `
virtual_hosts:
- name: all
  domains: ["*"]
  routes: [{match: {prefix: /missing}, route: {cluster: missing}}, {match: {prefix: /}, route: {cluster: app}}]`
	p := serve(t, config{oneListener("", routes), http2Cluster}, port, closedPort(t))
	client := http2Client(t)
	call := func(path string, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+p.port+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Te", "trailers")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	read, write := io.Pipe()
	res := call("/echo", read)
	if _, err := io.WriteString(write, "ping"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "ping" {
		t.Fatalf("%q %v", got, err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if res.Trailer.Get("Grpc-Status") != "0" || res.Header.Get("X-Seen") != "HTTP/2.0 trailers" {
		t.Errorf("trailers %v, headers %v", res.Trailer, res.Header)
	}
	res = call("/only-trailers", nil)
	if res.Header.Get("Grpc-Status") != "5" && res.Trailer.Get("Grpc-Status") != "5" {
		t.Errorf("%v %v", res.Header, res.Trailer)
	}
	res = call("/missing", nil)
	if res.StatusCode != 200 || res.Header.Get("Grpc-Status") != "14" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
