package upstream

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// checked is a host whose checks answer with status; 0 never answers.
type checked struct {
	status, checks atomic.Int64
	seen           atomic.Pointer[http.Request]
}

func (n *network) checked(t *testing.T, address string) *checked {
	t.Helper()
	h := &checked{}
	h.status.Store(200)
	n.serve(t, address, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/health") {
			return
		}
		h.seen.Store(r)
		h.checks.Add(1)
		if h.status.Load() == 0 {
			<-r.Context().Done()
			return
		}
		if h.status.Load() == 206 {
			w.Header().Set("X-Envoy-Degraded", "true")
			w.WriteHeader(200)
			return
		}
		w.WriteHeader(int(h.status.Load()))
	})
	return h
}

const everySecond = `health_checks:
- {timeout: 0.5s, interval: 1s, no_traffic_interval: 1s, unhealthy_threshold: 2, healthy_threshold: 2, http_health_check: {path: /health}}`

// hostNow is one host of the cluster.
func hostNow(t *testing.T, c *Cluster, address string) Host {
	t.Helper()
	all := c.Snapshot().Hosts
	i := slices.IndexFunc(all, func(h Host) bool { return h.Address == address })
	if i < 0 {
		t.Fatalf("%s is not in the cluster", address)
	}
	return all[i]
}

func expectEvents(t *testing.T, r *recorder, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, r.take()); d != "" {
		t.Errorf("events: %s", d)
	}
}

func isWarm(c *Cluster) bool {
	select {
	case <-c.Warm():
		return true
	default:
		return false
	}
}

func TestHealthChecks(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		c, events := n.run(t, simple(everySecond, hostA))
		<-c.Warm()
		expectEvents(t, events, "healthy c "+hostA+" first") // one passed check is enough at the start

		a.status.Store(500) // not among the expected: the threshold does not count
		later(time.Second)
		expectEvents(t, events, "unhealthy c "+hostA+": HTTP 500")
		if h := c.Snapshot().Hosts[0]; !h.FailedCheck || h.CheckTimeout {
			t.Errorf("after a wrong answer: %+v", h)
		}
		later(time.Second)
		expectEvents(t, events) // nothing has changed

		a.status.Store(200)
		later(time.Second)
		if !c.Snapshot().Hosts[0].FailedCheck {
			t.Error("one passed check made it healthy, two are asked for")
		}
		later(time.Second)
		expectEvents(t, events, "healthy c "+hostA)

		a.status.Store(0)
		later(1500 * time.Millisecond)
		if c.Snapshot().Hosts[0].FailedCheck {
			t.Error("one timeout made it unhealthy, two are asked for")
		}
		later(1500 * time.Millisecond)
		expectEvents(t, events, "unhealthy c "+hostA+" timeout: no answer in time")
		if h := c.Snapshot().Hosts[0]; !h.FailedCheck || !h.CheckTimeout {
			t.Errorf("after timeouts: %+v", h)
		}
		s := c.Snapshot().Stats
		for name, want := range map[string]uint64{
			"health_check.attempt": 7, "health_check.success": 3, "health_check.failure": 4, "health_check.network_failure": 2,
			"health_check.healthy": 0, "membership_healthy": 0, "membership_total": 1,
		} {
			if s[name] != want {
				t.Errorf("%s is %d, want %d", name, s[name], want)
			}
		}
	})
}

func TestFirstCheckFails(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		c, events := n.run(t, simple(everySecond, hostA))
		<-c.Warm()
		expectEvents(t, events, "failure c "+hostA+" first: connection refused or cut")
		if s := c.Snapshot(); !s.Hosts[0].FailedCheck || s.Stats["health_check.network_failure"] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWarmWaitsForEachFirstCheck(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.checked(t, hostA)
		n.hear(t, hostB)
		n.mu.Lock()
		n.silent[hostB] = true // its check ends by its timeout
		n.mu.Unlock()
		begin := time.Now()
		c, events := n.run(t, simple(everySecond, hostA, hostB))
		synctest.Wait()
		if h := hostNow(t, c, hostB); !h.FailedCheck || isWarm(c) {
			t.Errorf("before its first check has ended: %+v, warm %v", h, isWarm(c))
		}
		<-c.Warm()
		if d := time.Since(begin); d != 500*time.Millisecond {
			t.Errorf("warm after %s, the slower host's check takes 500 ms", d)
		}
		got := events.take()
		if want := "failure c " + hostB + " first timeout: no answer in time"; len(got) != 2 || got[1] != want {
			t.Errorf("%q, want %q last", got, want)
		}
	})
}

// An unhealthy host gets no request, and gets them again when it is well.
func TestChecksDecideWhoIsAsked(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a, _ := n.checked(t, hostA), n.checked(t, hostB)
		c, _ := n.run(t, simple(everySecond, hostA, hostB))
		<-c.Warm()
		asked := func() map[string]int {
			out := map[string]int{}
			for range 10 {
				got, _, _ := get(t, c, Call{})
				out[got.Endpoint]++
			}
			return out
		}
		for _, step := range []struct {
			status int64
			want   map[string]int
		}{
			{200, map[string]int{hostA: 5, hostB: 5}}, {503, map[string]int{hostB: 10}}, {200, map[string]int{hostA: 5, hostB: 5}},
		} {
			a.status.Store(step.status)
			later(2500 * time.Millisecond)
			if d := cmp.Diff(step.want, asked()); d != "" {
				t.Errorf("with %d: %s", step.status, d)
			}
		}
	})
}

func TestCheckIntervals(t *testing.T) {
	s := readCheck(clusterOf(t, `name: c
connect_timeout: 1s
health_checks:
- {timeout: 1s, interval: 2s, no_traffic_interval: 3s, no_traffic_healthy_interval: 4s, unhealthy_interval: 5s, unhealthy_edge_interval: 6s,
   healthy_edge_interval: 7s, unhealthy_threshold: 3, healthy_threshold: 3, tcp_health_check: {}}`).GetHealthChecks()[0], "c")
	for _, tc := range []struct {
		passed, traffic bool
		c               change
		want            time.Duration
	}{
		{true, true, unchanged, 2}, {true, true, changed, 2}, {true, true, changePending, 7},
		{false, true, unchanged, 5}, {false, true, changePending, 6},
		{true, false, unchanged, 4}, {true, false, changePending, 3}, {false, false, unchanged, 3},
	} {
		if got := s.pause(tc.passed, tc.c, tc.traffic); got != tc.want*time.Second {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	s.jitter, s.jitterPercent = time.Second, 10
	for range 100 {
		if got := s.pause(true, unchanged, true); got < 2*time.Second || got > 3300*time.Millisecond {
			t.Fatalf("with jitter: %s", got)
		}
	}
	defaults := readCheck(clusterOf(t, "name: c\nconnect_timeout: 1s\nhealth_checks: [{timeout: 1s, interval: 2s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]").GetHealthChecks()[0], "c")
	if got := defaults.pause(true, unchanged, false); got != time.Minute {
		t.Errorf("without traffic: %s, Envoy waits a minute", got)
	}
}

func TestCheckRequest(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		check := func(fields string) string {
			return "health_checks:\n- {timeout: 1s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: \"/health?deep=1\", " + fields + "}}"
		}
		for fields, want := range map[string]string{
			"":                           "GET c /health?deep=1 HTTP/1.1",
			"host: h.test, method: HEAD": "HEAD h.test /health?deep=1 HTTP/1.1",
			"codec_client_type: HTTP2":   "GET c /health?deep=1 HTTP/2.0",
			"request_headers_to_add: [{header: {key: x-own, value: v}}], request_headers_to_remove: [user-agent]": "GET c /health?deep=1 HTTP/1.1 v",
		} {
			c, _ := n.run(t, simple(check(fields), hostA))
			<-c.Warm()
			r := a.seen.Load()
			if got := strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.Method, r.Host, r.RequestURI, r.Proto, r.Header.Get("X-Own"))); got != want {
				t.Errorf("%s: %s, want %s", fields, got, want)
			}
			c.Close()
		}
	})
}

func TestExpectedAndRetriableStatuses(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		c, events := n.run(t, simple(`health_checks:
- {timeout: 0.5s, interval: 1s, no_traffic_interval: 1s, unhealthy_threshold: 2, healthy_threshold: 1,
   http_health_check: {path: /health, expected_statuses: [{start: 200, end: 300}], retriable_statuses: [{start: 500, end: 600}]}}`, hostA))
		a.status.Store(299)
		<-c.Warm()
		events.take()
		a.status.Store(503)
		later(time.Second)
		expectEvents(t, events)
		later(time.Second)
		expectEvents(t, events, "unhealthy c "+hostA+": HTTP 503")
		a.status.Store(206) // healthy, but degraded
		later(time.Second)
		expectEvents(t, events, "healthy c "+hostA)
		if s := c.Snapshot(); s.Stats["membership_degraded"] != 1 || s.Stats["membership_healthy"] != 0 || !s.Hosts[0].DegradedCheck {
			t.Errorf("a degraded host: %+v", s)
		}
	})
}

func TestCheckFailuresAreToldWhereAsked(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		c, events := n.run(t, simple(strings.Replace(everySecond, "{timeout", "{always_log_health_check_failures: true, timeout", 1), hostA))
		<-c.Warm()
		events.take()
		a.status.Store(404)
		later(2 * time.Second)
		expectEvents(t, events, "unhealthy c "+hostA+": HTTP 404", "failure c "+hostA+": HTTP 404", "failure c "+hostA+": HTTP 404")
	})
}

func TestTCPChecks(t *testing.T) {
	for name, tc := range map[string]struct {
		fields string
		answer string // "" closes
		want   string
	}{
		"connect only":         {"", "", "healthy c " + hostA + " first"},
		"said in parts":        {`send: {text: "70696e67"}, receive: [{text: "70"}, {text: "6e67"}]`, "..po.ng", "healthy c " + hostA + " first"},
		"closed before":        {`send: {text: "70696e67"}, receive: [{text: "706f6e67"}]`, "", "failure c " + hostA + " first: connection refused or cut"},
		"something else, then": {`send: {text: "70696e67"}, receive: [{text: "706f6e67"}]`, "pang", "failure c " + hostA + " first timeout: no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				accept := n.hear(t, hostA)
				done := make(chan struct{})
				go func() {
					defer close(done)
					conn := <-accept
					defer conn.Close()
					ping := make([]byte, 4)
					if _, err := io.ReadFull(conn, ping); err != nil || string(ping) != "ping" {
						return
					}
					write(conn, tc.answer)
					if tc.answer != "" {
						drain(conn)
					}
				}()
				c, events := n.run(t, simple("health_checks:\n- {timeout: 1s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {"+tc.fields+"}}", hostA))
				<-c.Warm()
				<-done
				expectEvents(t, events, tc.want)
			})
		})
	}
}

// A check may go elsewhere than the requests, and a host may be left unchecked.
func TestCheckTarget(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		other := n.checked(t, "10.0.0.1:99")
		c, _ := n.run(t, "name: c\ntype: STATIC\nconnect_timeout: 1s\n"+everySecond+`
load_assignment:
  cluster_name: c
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}, health_check_config: {port_value: 99, hostname: own.test}}
    - endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 80}}, health_check_config: {disable_active_health_check: true}}`)
		<-c.Warm()
		if a, b := hostNow(t, c, hostA), hostNow(t, c, hostB); a.FailedCheck || b.FailedCheck {
			t.Errorf("%+v %+v", a, b)
		}
		if host := other.seen.Load().Host; host != "own.test" {
			t.Errorf("checked with Host %s", host)
		}
		if s := stat(c, "health_check.attempt"); s != 1 {
			t.Errorf("%d checks", s)
		}
	})
}

// A connection that is closed as a check goes out over it has failed the check.
func TestCheckIsNotSentTwice(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		accept := n.hear(t, hostA)
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn := <-accept
			defer conn.Close()
			onceThenCloses(conn, 0)
		}()
		c, events := n.run(t, simple(strings.Replace(everySecond, "unhealthy_threshold: 2", "unhealthy_threshold: 1", 1), hostA))
		<-c.Warm()
		events.take()
		later(time.Second)
		<-done
		expectEvents(t, events, "unhealthy c "+hostA+": connection refused or cut")
	})
}

func TestFailedHostLosesItsConnections(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		c, _ := n.run(t, simple("close_connections_on_host_health_failure: true\n"+everySecond, hostA))
		<-c.Warm()
		gets(t, c, 1, Call{})
		if h := c.Snapshot().Hosts[0]; h.ActiveConnections != 1 {
			t.Fatalf("%+v", h)
		}
		a.status.Store(500)
		later(time.Second)
		if h := c.Snapshot().Hosts[0]; h.ActiveConnections != 0 {
			t.Errorf("a connection to an unhealthy host stays: %+v", h)
		}
	})
}
