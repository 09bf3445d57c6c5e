package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What people have: bootstraps of the shapes that Envoy's documentation shows,
// opened as they are, pushed to a real Envoy, serving.
func TestOpensWhatPeopleHave(t *testing.T) {
	envoyPath := needEnvoy(t)
	for _, tt := range []struct {
		file string
		host string // Host of the request
		path string
		ask  func(t *testing.T, port int, host, path string) (int, error)
	}{
		{"front-proxy.yaml", "anything.test", "/service/1", overHTTP1},
		{"weighted-routes.yaml", "shop.example.com", "/", overHTTP1},
		{"health-checks.yaml", "anything.test", "/", overHTTP1},
		{"quick-start.yaml", "anything.test", "/", overHTTP1},
		{"tcp-proxy.yaml", "anything.test", "/", overHTTP1},
		{"tls-termination.yaml", "localhost", "/", overTLS},
		{"grpc.json", "anything.test", "/hello.Greeter/SayHello", overH2C},
	} {
		t.Run(tt.file, func(t *testing.T) {
			path, port := privateCopy(t, filepath.Join("..", "..", "engine", "files", "testdata", "bootstraps", tt.file))
			p := serve(t, home(t), "--nodes", "1", "--envoy", envoyPath, path)
			p.until("active", "listener", nil)
			code, err := tt.ask(t, port, tt.host, tt.path)
			if err != nil || code != http.StatusOK {
				t.Errorf("answered %d, %v\n%s", code, err, p.told())
			}
		})
	}
}

var portNumber = regexp.MustCompile(`\b[12][0-9]{4}\b`)

// privateCopy copies a bootstrap with ports of its own, so that tests may run
// side by side, and starts a server on each upstream port (2xxxx). It returns
// the copy's path and the port of its first listener (10xxx).
func privateCopy(t *testing.T, path string) (string, int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	listener := 0
	out := portNumber.ReplaceAllStringFunc(string(b), func(old string) string {
		if given[old] != "" {
			return given[old]
		}
		port := 0
		if strings.HasPrefix(old, "2") {
			port = upstream(t)
		} else {
			port = freeBase(t, 1)
		}
		if strings.HasPrefix(old, "10") && listener == 0 {
			listener = port
		}
		given[old] = strconv.Itoa(port)
		return given[old]
	})
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(copied, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	return copied, listener
}

// upstream starts a server that answers 200 to everything, over HTTP/1.1 and
// cleartext HTTP/2, and returns its port.
func upstream(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func overHTTP1(t *testing.T, port int, host, path string) (int, error) {
	return roundTrip(t, &http.Transport{DisableKeepAlives: true}, "http", port, host, path)
}

func overTLS(t *testing.T, port int, host, path string) (int, error) {
	return roundTrip(t, &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}}, "https", port, host, path)
}

func overH2C(t *testing.T, port int, host, path string) (int, error) {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return roundTrip(t, &http.Transport{Protocols: p}, "http", port, host, path)
}

func roundTrip(t *testing.T, tr *http.Transport, scheme string, port int, host, path string) (int, error) {
	t.Helper()
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}
