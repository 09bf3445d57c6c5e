package match_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// envoyBinary finds an Envoy, or skips the test.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("MESHTUI_ENVOY"); p != "" {
		return p
	}
	for dir, _ := os.Getwd(); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		if p := filepath.Join(dir, ".tools", "envoy"); exec.Command(p, "--version").Run() == nil {
			return p
		}
		break
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return p
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatal("no Envoy, and MESHTUI_REQUIRE asks for one")
	}
	t.Skip("no Envoy: make envoy puts one into .tools")
	return ""
}

// runEnvoy runs an Envoy with the listeners and clusters of a mesh until the
// test ends.
func runEnvoy(t *testing.T, m *mesh.Mesh) {
	t.Helper()
	binary := envoyBinary(t)
	b := &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{}}
	for _, r := range m.List(mesh.Listener) {
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, r.Message.(*listenerv3.Listener))
	}
	for _, r := range m.List(mesh.Cluster) {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, r.Message.(*clusterv3.Cluster))
	}
	config, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart", "-l", "error")
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	last := match.New(m).Listeners()
	address := last[len(last)-1].Address
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Envoy ended: %v\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("Envoy does not listen on %s: %v", address, err)
		}
	}
}

// freePorts are ports that nothing listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// answer is what came back for a request; status 0 is none.
type answer struct {
	status  int
	headers http.Header
	body    string
}

// send writes a request to a listener of this machine, byte for byte.
func send(t *testing.T, port int, r match.Request) answer {
	t.Helper()
	var c net.Conn
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if r.TLS {
		secure := tls.Client(c, &tls.Config{ServerName: r.SNI, InsecureSkipVerify: true, NextProtos: r.ALPN})
		if secure.Handshake() != nil {
			return answer{}
		}
		c = secure
	}
	if _, err := c.Write([]byte(wireForm(r))); err != nil {
		return answer{}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: r.Method})
	if err != nil {
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	body := ""
	if resp.ContentLength > 0 { // a closed connection says nothing
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return answer{}
		}
		body = string(b)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

func wireForm(r match.Request) string {
	method, version, target := r.Method, "HTTP/1.1", r.Path
	if method == "" {
		method = "GET"
	}
	if r.HTTP10 {
		version = "HTTP/1.0"
	}
	if target == "" {
		target = "/"
		if method == "CONNECT" {
			target = r.Host
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", method, target, version)
	if r.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n")
	return b.String()
}
