package upstream

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Close lets a request under way end, and leaves no connection behind it.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		answer := make(chan struct{})
		n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				<-answer
			}
		})
		c, _ := n.run(t, simple(everySecond, hostA))
		<-c.Warm()
		got := make(chan Answer)
		go func() {
			a, _, _ := get(t, c, Call{})
			got <- a
		}()
		later(time.Millisecond)
		c.Close()
		c.Assign(endpoints(t, hostB))
		if c.Update(clusterOf(t, simple("", hostB))) {
			t.Error("a closed cluster is updated")
		}
		close(answer)
		if a := <-got; a.Response == nil || a.Response.StatusCode != 200 {
			t.Errorf("%+v", a)
		}
		later(time.Second)
		if s := c.Snapshot().Stats; s["upstream_cx_active"] != 0 {
			t.Errorf("%d connections are left", s["upstream_cx_active"])
		}
		c.Close() // again
	})
}

// Close lets a request under way end that still waits for its connection, and
// lets nothing go on once nobody waits any more.
func TestCloseWhileConnecting(t *testing.T) {
	for _, fields := range []string{"", "http2_protocol_options: {}"} {
		bubble(t, func(t *testing.T, n *network) {
			n.answering(t, hostA, 200)
			dialling, connect := make(chan struct{}, 2), make(chan struct{})
			slow := func(ctx context.Context, network, address string) (net.Conn, error) {
				dialling <- struct{}{}
				select {
				case <-connect:
					return n.dial(ctx, network, address)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			c, err := start(clusterOf(t, simple(fields, hostA)), Options{}, slow, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan Answer)
			go func() {
				a, _, _ := get(t, c, Call{})
				got <- a
			}()
			<-dialling
			c.Close()
			synctest.Wait()
			close(connect)
			if a := <-got; a.Response == nil || a.Response.StatusCode != http.StatusOK {
				t.Errorf("%q: %+v", fields, a.Failure)
			}
			later(time.Millisecond)
			if got := stat(c, "upstream_cx_active"); got != 0 {
				t.Errorf("%q: %d connections are left", fields, got)
			}
		})
	}
}

// A client that leaves takes the connection along that a closed cluster makes
// for it, at once and not only by the connect timeout.
func TestClientLeavesAClosedClusterThatConnects(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.hear(t, hostA)
		n.mu.Lock()
		n.silent[hostA] = true
		n.mu.Unlock()
		c, _ := n.run(t, simple("", hostA))
		ctx, leave := context.WithCancel(t.Context())
		got := make(chan Answer)
		go func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://a.test/", nil)
			if err != nil {
				t.Error(err)
			}
			got <- c.Do(r, Call{})
		}()
		synctest.Wait()
		c.Close()
		leave()
		if a := <-got; a.Failure == nil || a.Failure.Flags != "DC" {
			t.Errorf("%+v", a)
		}
		synctest.Wait()
		if got := stat(c, "upstream_cx_connect_timeout"); got != 0 || stat(c, "upstream_cx_connect_fail") != 1 {
			t.Errorf("the connection is still being made")
		}
	})
}
