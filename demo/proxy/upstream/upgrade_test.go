package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An upgraded connection passes bytes both ways, for longer than the timeout,
// and is counted until it is closed.
func TestUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, _ *http.Request) {
			conn, both, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			write(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(conn, both)
		})
		c, _ := n.run(t, simple("", hostA))
		r := httptest.NewRequest(http.MethodGet, "http://a.test/", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		a := c.Do(r, Call{Timeout: time.Second})
		if a.Response == nil || a.Response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%+v", a)
		}
		both, ok := a.Response.Body.(io.ReadWriteCloser)
		if !ok {
			t.Fatalf("%T cannot be written to", a.Response.Body)
		}
		later(time.Hour)
		for _, word := range []string{"hello", "again"} {
			if _, err := io.WriteString(both, word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(word))
			if _, err := io.ReadFull(both, got); err != nil || string(got) != word {
				t.Fatalf("%q %v", got, err)
			}
		}
		if got := stat(c, "upstream_rq_active"); got != 1 {
			t.Errorf("%d active", got)
		}
		both.Close()
		synctest.Wait()
		if s := c.Snapshot().Stats; s["upstream_rq_active"] != 0 || s["upstream_cx_active"] != 0 {
			t.Errorf("%v", s)
		}
	})
}

// The time of a request that asks for an upgrade runs until that is granted; then
// only the idle timeout ends it.
func TestUpgradeTimeouts(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(3 * time.Second)
			conn, both, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			write(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			drain(both)
		})
		c, _ := n.run(t, simple("", hostA))
		r := httptest.NewRequest(http.MethodGet, "http://a.test/", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		a := c.Do(r, Call{Timeout: time.Second})
		expectFailure(t, a, 504, "UT", "response_timeout")
		a = c.Do(r, Call{Timeout: 4 * time.Second, Idle: 5 * time.Second})
		if a.Response == nil || a.Response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%+v", a)
		}
		later(4 * time.Second)
		write(a.Response.Body.(io.Writer), "still here")
		begin := time.Now()
		_, err := a.Response.Body.Read(make([]byte, 1))
		var cut *CutError
		if d := time.Since(begin); !errors.As(err, &cut) || cut.Flags != "SI" || d != 5*time.Second {
			t.Errorf("%v after %s", err, d)
		}
		a.Response.Body.Close()
	})
}

func TestHTTP2(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, r.Proto, " ", r.Host, " ", string(b))
		})
		c, _ := n.run(t, simple(`typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}`, hostA))
		for range 2 {
			_, body, err := send(t, c, httptest.NewRequest(http.MethodPost, "http://a.test/", strings.NewReader("b")), Call{Timeout: time.Second})
			if body != "HTTP/2.0 a.test b" || err != nil {
				t.Errorf("%q %v", body, err)
			}
			synctest.Wait() // until the transport has its connection back
		}
		if s := c.Snapshot().Stats; s["upstream_cx_http2_total"] != 1 || s["upstream_rq_total"] != 2 {
			t.Errorf("%v", s)
		}
	})
}
