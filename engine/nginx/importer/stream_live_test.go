package importer_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/xds/xdstest"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// streams is a configuration of all that stream {} has: which backend gets a
// connection, by the name in the handshake and by the client's address, who is
// turned away, what is answered, and what the backend is told of the client. P0
// to P6 stand for the ports, B1 to B3 for the backends.
const streams = `worker_processes 1;
events {}
stream {
    map $ssl_preread_server_name $by_name {
        hostnames;
        a.test    one;
        .b.test   two;
        *.c.test  127.0.0.1:B3;
        gone.test "";
        default   three;
    }
    map $ssl_preread_alpn_protocols $by_protocol {
        ~\bacme-tls/1\b one;
        default         two;
    }
    map $ssl_preread_protocol $plain_or_not {
        ""      one;
        default two;
    }
    geo $by_client {
        default      two;
        127.0.0.0/8  one;
    }
    upstream one   { server 127.0.0.1:B1; }
    upstream two   { server 127.0.0.1:B2; }
    upstream three { server 127.0.0.1:B3; server 127.0.0.1:1 backup; }
    server { listen 127.0.0.1:P0; ssl_preread on; proxy_pass $by_name; }
    server { listen 127.0.0.1:P1; ssl_preread on; proxy_pass $by_protocol; }
    server { listen 127.0.0.1:P2; ssl_preread on; preread_timeout 1s; proxy_pass $plain_or_not; }
    server { listen 127.0.0.1:P3; proxy_pass $by_client; proxy_protocol on; }
    server { listen 127.0.0.1:P4; deny 127.0.0.1; proxy_pass one; }
    server { listen 127.0.0.1:P5; allow 127.0.0.0/9; deny all; proxy_pass two; }
    server { listen 127.0.0.1:P6; return "closed for good\n"; }
}
`

// teller is a backend that says its name and the first bytes that it got.
func teller(t *testing.T, name string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 5)
			_ = c.SetDeadline(time.Now().Add(nginxtest.Patience))
			_, _ = io.ReadFull(c, first)
			_, _ = fmt.Fprintf(c, "%s got %q", name, first)
			if tcp, ok := c.(*net.TCPConn); ok { // a reset would take the words back
				_ = tcp.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

// hello is the beginning of a handshake with this name and these protocols.
func hello(t *testing.T, name string, protocols ...string) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		_ = tls.Client(near, &tls.Config{ServerName: name, NextProtos: protocols, InsecureSkipVerify: true}).Handshake()
		_ = near.Close()
	}()
	out := make([]byte, 16<<10)
	n, err := far.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	return out[:n]
}

// said is what comes back on a connection that begins with these bytes.
func said(t *testing.T, port int, first []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(nginxtest.Patience))
	_, _ = c.Write(first)
	out, err := io.ReadAll(c)
	if len(out) == 0 && err != nil {
		return "" // reset, where the other closes
	}
	return string(out)
}

// TestStreamsAsNginx sends the same connections to a real nginx and, by what is
// imported, to a real Envoy.
func TestStreamsAsNginx(t *testing.T) {
	t.Parallel()
	module := nginxtest.NeedStream(t)
	xdstest.NeedEnvoy(t)
	backends := []int{teller(t, "one"), teller(t, "two"), teller(t, "three")}
	var ports [2][7]int
	text := func(side int) string {
		var pairs []string
		for i := range ports[side] {
			ports[side][i] = nginxtest.FreePort(t)
			pairs = append(pairs, fmt.Sprintf("P%d;", i), fmt.Sprintf("%d;", ports[side][i]))
		}
		for i, port := range backends {
			pairs = append(pairs, fmt.Sprintf("B%d;", i+1), fmt.Sprintf("%d;", port), fmt.Sprintf("B%d ", i+1), fmt.Sprintf("%d ", port))
		}
		return strings.NewReplacer(pairs...).Replace(streams)
	}
	nginxtest.Start(t, "load_module "+module+";\n"+text(0))
	other := text(1)
	serve(t, t.TempDir(), other, ports[1][6])

	type row struct {
		port  int
		what  string
		first []byte
	}
	rows := []row{{2, "plain text", []byte("hello")}, {3, "by the client", []byte("hello")}, {4, "denied", []byte("hello")}, {5, "allowed", []byte("hello")}, {6, "answered", []byte("hello")}}
	for _, name := range []string{"a.test", "A.TEST", "x.a.test", "b.test", "x.b.test", "x.y.b.test", "c.test", "x.c.test", "gone.test", "unknown.test", ""} {
		rows = append(rows, row{0, "name " + name, hello(t, name)})
	}
	for _, protocols := range [][]string{nil, {"acme-tls/1"}, {"h2", "http/1.1"}} {
		rows = append(rows, row{1, fmt.Sprint("protocols ", protocols), hello(t, "a.test", protocols...)})
	}
	rows = append(rows, row{2, "TLS", hello(t, "a.test")})
	seen := map[string]bool{}
	for _, r := range rows {
		nginx, envoy := said(t, ports[0][r.port], r.first), said(t, ports[1][r.port], r.first)
		if nginx != envoy {
			t.Errorf("port %d, %s:\n nginx: %q\n Envoy: %q", r.port, r.what, nginx, envoy)
		}
		seen[nginx] = true
	}
	for _, want := range []string{"", `one got "hello"`, `one got "PROXY"`, `two got "hello"`, `three got "\x16\x03\x01`, "closed for good\n"} {
		found := false
		for s := range seen {
			found = found || s == want || len(want) > 10 && strings.HasPrefix(s, want)
		}
		if !found {
			t.Errorf("nobody got %q: %v", want, seen)
		}
	}
}
