package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// serves is a node that has one listener with that connection manager, before a
// backend.
func serves(t *testing.T, m *hcmv3.HttpConnectionManager, back int) (n *told, port int) {
	t.Helper()
	n, port = startTold(t), freePort(t)
	n.world(mesh.Cluster, cluster("blue", time.Second))
	n.world(mesh.Endpoints, endpoints("blue", back))
	mustSay(t, n.world(mesh.Listener, serving(t, "web", port, m)), "")
	mustSay(t, n.world(mesh.Route, route("r", "blue")), "")
	n.listeners("web")
	return n, port
}

// speaking is a client that keeps its connections and speaks one kind of HTTP,
// in clear text.
func speaking(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// A listener speaks HTTP/1.1 and HTTP/2 without TLS, or the one that its codec
// says.
func TestCodec(t *testing.T) {
	for codec, want := range map[hcmv3.HttpConnectionManager_CodecType][2]bool{
		hcmv3.HttpConnectionManager_AUTO: {true, true}, hcmv3.HttpConnectionManager_HTTP1: {true, false}, hcmv3.HttpConnectionManager_HTTP2: {false, true},
	} {
		t.Run(codec.String(), func(t *testing.T) {
			m := manager(t, "web", "r")
			m.CodecType = codec
			_, port := serves(t, m, backend(t, "v1"))
			for i, http2 := range []bool{false, true} {
				resp, err := speaking(t, http2).Get(urlOf(port))
				if err == nil {
					resp.Body.Close()
				}
				if got := err == nil && resp.StatusCode == http.StatusOK && resp.ProtoMajor == i+1; got != want[i] {
					t.Errorf("HTTP/%d is spoken: %v (%v)", i+1, got, err)
				}
			}
		})
	}
}

// The limits of a connection manager that are its server's.
func TestConnectionLimits(t *testing.T) {
	m := manager(t, "web", "r")
	m.MaxRequestHeadersKb = wrapperspb.UInt32(10)
	m.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(50 * time.Millisecond)}
	_, port := serves(t, m, backend(t, "v1"))
	t.Run("headers", func(t *testing.T) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, urlOf(port), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", 20<<10))
		resp, err := speaking(t, false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered with %d", resp.StatusCode)
		}
	})
	t.Run("nothing more", func(t *testing.T) {
		c := dial(t, port)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil { // the end, not the deadline
			t.Errorf("the connection is not closed: %v", err)
		}
	})
}

func dial(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A connection that was open when its listener changed is served to its end, by
// the listener as it was; its next answer says that it ends. A new one gets the
// new listener.
func TestOldConnectionsDrain(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2=%v", http2), func(t *testing.T) {
			n, port := serves(t, manager(t, "web", "r"), backend(t, "v1"))
			client := speaking(t, http2)
			used := func() (body string, closes bool) {
				t.Helper()
				resp, err := client.Get(urlOf(port))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return string(b), resp.Close
			}
			if body, closes := used(); body != "v1" || closes {
				t.Fatalf("%q, closes %v", body, closes)
			}
			mustSay(t, n.world(mesh.Listener, serving(t, "web", port, manager(t, "web", "other"))), "")
			mustSay(t, n.change(mesh.Route, nil, route("other", "nowhere")), "")
			n.listeners("web", "web draining")
			if body, closes := used(); body != "v1" || (!http2 && !closes) {
				t.Errorf("the old connection: %q, closes %v", body, closes)
			}
			eventually(t, "nothing drains any more", func() bool { return len(n.State().Listeners) == 1 })
			resp, err := client.Get(urlOf(port))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the new connection: %d", resp.StatusCode)
			}
			for _, d := range n.State().Routes {
				if d.Name == "r" {
					t.Error("routes that nobody asks for are kept")
				}
			}
		})
	}
}

// Connections without a request under way end with the drain time: an idle one,
// one on which nothing was ever asked, and one that was upgraded.
func TestIdleConnectionsEnd(t *testing.T) {
	m := manager(t, "web", "r")
	m.UpgradeConfigs = []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}}
	n, port := serves(t, m, echoing(t))
	idle, unused, upgraded := dial(t, port), dial(t, port), dial(t, port)
	for c, say := range map[net.Conn]string{
		idle:     "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		upgraded: "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		if _, err := io.WriteString(c, say); err != nil {
			t.Fatal(err)
		}
	}
	answered := bufio.NewReader(idle)
	if resp, err := http.ReadResponse(answered, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	both := bufio.NewReader(upgraded)
	if resp, err := http.ReadResponse(both, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	echo := func() {
		t.Helper()
		if _, err := io.WriteString(upgraded, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := both.ReadString('\n'); err != nil || line != "hello\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	echo()
	mustSay(t, n.world(mesh.Listener), "")
	n.listeners("web draining")
	echo() // it goes on meanwhile
	for name, r := range map[string]io.Reader{"idle": answered, "unused": unused, "upgraded": both} {
		if _, err := io.ReadAll(r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the %s connection is not ended: %v", name, err)
		}
	}
	eventually(t, "it is told that nothing drains", func() bool { return len(n.State().Listeners) == 0 })
}

// echoing is a backend that answers, and gives back what comes over a connection
// that was upgraded.
func echoing(t *testing.T) int {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(line)) // a client that has gone ends the reading too
		}
	}))
	t.Cleanup(b.Close)
	return portOf(t, strings.TrimPrefix(b.URL, "http://"))
}
