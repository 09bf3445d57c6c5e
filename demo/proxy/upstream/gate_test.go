package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parked serves answers that wait for one to be let go.
func (n *network) parked(t *testing.T, address string) (let chan struct{}) {
	t.Helper()
	let = make(chan struct{})
	n.serve(t, address, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	return let
}

// crowd sends requests that come one after the other and do not wait for each
// other, and collects what becomes of them.
type crowd struct {
	mu   sync.Mutex
	done []string
	wait sync.WaitGroup
}

func (w *crowd) send(t *testing.T, c *Cluster, n int, call Call) {
	t.Helper()
	for range n {
		w.wait.Go(func() {
			a, _, _ := get(t, c, call)
			w.mu.Lock()
			defer w.mu.Unlock()
			if a.Failure != nil {
				w.done = append(w.done, a.Failure.Flags)
			} else {
				w.done = append(w.done, a.Response.Status[:3])
			}
		})
		synctest.Wait()
	}
}

func (w *crowd) so(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := cmp.Diff(strings.Join(want, " "), strings.Join(w.done, " ")); d != "" {
		t.Errorf("answers: %s", d)
	}
}

func TestBreakers(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		let := n.parked(t, hostA)
		c, _ := n.run(t, simple("circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 2, track_remaining: true}]}", hostA))
		var w crowd
		w.send(t, c, 5, Call{}) // one goes, two wait, two are turned away
		w.so(t, "UO", "UO")
		s := c.Snapshot()
		for name, want := range map[string]uint64{
			"upstream_rq_active": 1, "upstream_rq_pending_active": 2, "upstream_rq_pending_overflow": 2, "upstream_cx_active": 1,
			"upstream_cx_overflow": 2, "circuit_breakers.default.cx_open": 1, "circuit_breakers.default.rq_pending_open": 1,
			"circuit_breakers.default.rq_open": 0, "circuit_breakers.default.remaining_cx": 0,
			"circuit_breakers.default.remaining_pending": 0, "circuit_breakers.default.remaining_rq": 1023, "circuit_breakers.default.remaining_retries": 3,
		} {
			if s.Stats[name] != want {
				t.Errorf("%s is %d, want %d", name, s.Stats[name], want)
			}
		}
		if h := s.Hosts[0]; h.PendingRequest != 2 || h.ActiveRequests != 1 {
			t.Errorf("%+v", h)
		}
		// The other priority has limits of its own.
		w.send(t, c, 1, Call{Priority: 1})
		if got := stat(c, "upstream_rq_active"); got != 2 {
			t.Errorf("%d active", got)
		}
		for range 4 {
			let <- struct{}{}
		}
		w.wait.Wait()
		w.so(t, "UO", "UO", "200", "200", "200", "200")
		if got := stat(c, "upstream_cx_total"); got != 2 {
			t.Errorf("%d connections, one for each priority is allowed", got)
		}
	})
}

// Every host may have one connection, whatever the cluster's limit.
func TestEachHostMayHaveOneConnection(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		letA, letB := n.parked(t, hostA), n.parked(t, hostB)
		c, _ := n.run(t, simple("circuit_breakers: {thresholds: [{max_connections: 1}]}", hostA, hostB))
		var w crowd
		w.send(t, c, 2, Call{})
		if got := stat(c, "upstream_rq_active"); got != 2 {
			t.Errorf("%d requests are under way", got)
		}
		letA <- struct{}{}
		letB <- struct{}{}
		w.wait.Wait()
		w.so(t, "200", "200")
	})
}

func TestMaxRequests(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		let := n.parked(t, hostA)
		c, _ := n.run(t, simple("http2_protocol_options: {}\ncircuit_breakers: {thresholds: [{max_requests: 2}]}", hostA))
		var w crowd
		w.send(t, c, 3, Call{})
		w.so(t, "UO")
		if got := stat(c, "circuit_breakers.default.rq_open"); got != 1 {
			t.Error("the breaker does not tell that it is open")
		}
		// More are let in while the others are still under way.
		c.Update(clusterOf(t, simple("http2_protocol_options: {}\ncircuit_breakers: {thresholds: [{max_requests: 3}]}", hostA)))
		w.send(t, c, 2, Call{})
		w.so(t, "UO", "UO")
		for range 3 {
			let <- struct{}{}
		}
		w.wait.Wait()
		if got := stat(c, "upstream_cx_total"); got != 1 {
			t.Errorf("%d connections for HTTP/2", got)
		}
	})
}

// Who waits and whose time is up makes room for others.
func TestWaiterGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		let := n.parked(t, hostA)
		c, _ := n.run(t, simple("circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 1}]}", hostA))
		var w crowd
		w.send(t, c, 1, Call{})
		w.send(t, c, 1, Call{Timeout: time.Second})
		w.send(t, c, 1, Call{})
		later(time.Second)
		w.so(t, "UO", "UT")
		w.send(t, c, 1, Call{})
		if s := c.Snapshot(); s.Stats["upstream_rq_pending_active"] != 1 {
			t.Errorf("%+v", s)
		}
		let <- struct{}{}
		let <- struct{}{}
		w.wait.Wait()
		w.so(t, "UO", "UT", "200", "200")
	})
}

// A pass that comes as its waiter gives up is given back.
func TestPassThatComesTooLate(t *testing.T) {
	g := &gate{counts: &gateCounts{}, lim: limits{connections: 1, pending: 5, requests: 9}}
	p := &pool{host: newHost(spec{address: hostA}), gate: g}
	first, err := g.admit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	g.opened(p)
	g.connected(first)
	w := &waiter{pool: p, ready: make(chan struct{})}
	g.mu.Lock()
	g.pend(p, 1)
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	g.release(first)
	g.release(first) // again
	<-w.ready
	g.giveUp(w)
	if g.active != 0 || g.pending != 0 || p.using != 0 || g.connections != 1 {
		t.Errorf("%+v %+v", g, p.usage)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := g.admit(ctx, p); err != nil {
		t.Fatal(err)
	}
	cancel(errTimeout)
	if _, err := g.admit(ctx, p); !errors.Is(err, errTimeout) {
		t.Errorf("the wait ended with %v", err)
	}
	if g.pending != 0 || len(g.waiting) != 0 {
		t.Errorf("%+v", g)
	}
}

func TestRetriesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.answering(t, hostA, 503)
		c, _ := n.run(t, simple("circuit_breakers: {thresholds: [{max_retries: 1}]}", hostA))
		policy := retryOf(t, "retry_on: 5xx\nnum_retries: 1\nretry_back_off: {base_interval: 100s, max_interval: 100s}")
		var w crowd
		w.send(t, c, 2, Call{Retry: policy})
		w.so(t, "503") // the second one's retry is one too many
		if s := c.Snapshot().Stats; s["upstream_rq_retry"] != 1 || s["upstream_rq_retry_overflow"] != 1 || s["circuit_breakers.default.rq_retry_open"] != 1 {
			t.Errorf("%v", s)
		}
		w.wait.Wait()
		if s := c.Snapshot().Stats; s["circuit_breakers.default.rq_retry_open"] != 0 || s["upstream_rq_retry_limit_exceeded"] != 1 {
			t.Errorf("%v", s)
		}
	})
}

// BenchmarkDo is the whole way through a cluster, and what of it is the
// transport's own.
func BenchmarkDo(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	b.Run("cluster", func(b *testing.B) {
		c, err := New(clusterOf(b, simple("", address)), Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		r := httptest.NewRequest(http.MethodGet, "http://a.test/", nil)
		r.Header.Set("User-Agent", "bench")
		b.ReportAllocs()
		for b.Loop() {
			a := c.Do(r, Call{Timeout: time.Minute})
			if a.Response == nil {
				b.Fatal(a.Failure)
			}
			a.Response.Body.Close()
		}
	})
	b.Run("transport", func(b *testing.B) {
		t := &http.Transport{DisableCompression: true}
		defer t.CloseIdleConnections()
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("User-Agent", "bench")
		b.ReportAllocs()
		for b.Loop() {
			resp, err := t.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
	})
}
