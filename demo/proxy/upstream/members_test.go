package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/google/go-cmp/cmp"
)

const eds = "name: c\ntype: EDS\nconnect_timeout: 1s\neds_cluster_config: {eds_config: {ads: {}}}\n"

// members are the cluster's hosts, in order, with what is not plain of them.
func members(c *Cluster) []string {
	var out []string
	for _, h := range c.Snapshot().Hosts {
		line := h.Address
		if h.Weight != 1 {
			line += fmt.Sprintf(" weight %d", h.Weight)
		}
		if h.EDS != corev3.HealthStatus_HEALTHY {
			line += " " + h.EDS.String()
		}
		for word, set := range map[string]bool{" failed": h.FailedCheck, " pending": h.PendingCheck, " leaving": h.PendingRemoval} {
			if set {
				line += word
			}
		}
		out = append(out, line)
	}
	return out
}

func expectMembers(t *testing.T, c *Cluster, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, members(c)); d != "" {
		t.Errorf("members: %s", d)
	}
}

func TestAssign(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.answering(t, hostA, 200)
		n.answering(t, hostB, 200)
		c, _ := n.run(t, eds)
		if a, _, _ := get(t, c, Call{}); a.Failure == nil || a.Failure.Details != "no_healthy_upstream" || isWarm(c) {
			t.Errorf("before its endpoints are known: %+v", a)
		}
		c.Assign(endpoints(t, hostA))
		<-c.Warm()
		gets(t, c, 3, Call{})
		c.Assign(endpoints(t, hostB, hostA+" load_balancing_weight: 7, health_status: DRAINING", hostA, hostC+" health_status: TIMEOUT"))
		expectMembers(t, c, hostB, hostA+" weight 7 DRAINING", hostC+" UNHEALTHY")
		if h := hostNow(t, c, hostA); h.Requests != 3 || h.ActiveConnections != 1 {
			t.Errorf("a host that stays keeps its counters: %+v", h)
		}
		c.Assign(endpoints(t, hostB))
		expectMembers(t, c, hostB)
		if got := stat(c, "upstream_cx_active"); got != 0 {
			t.Errorf("%d connections to a host that has gone", got)
		}
		c.Assign(endpoints(t, hostA))
		if h := hostNow(t, c, hostA); h.Requests != 0 {
			t.Errorf("a host that comes back is another: %+v", h)
		}
		s := c.Snapshot().Stats
		if s["update_success"] != 4 || s["membership_change"] != 4 {
			t.Errorf("%d assignments, %d changes", s["update_success"], s["membership_change"])
		}
	})
}

func TestEndpointsThatDoNotCome(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		begin := time.Now()
		c, _ := n.run(t, eds)
		<-c.Warm()
		if d := time.Since(begin); d != 15*time.Second {
			t.Errorf("warm after %s, Envoy waits for 15 s", d)
		}
	})
}

func TestRemovalWaitsForTheCheck(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		n.checked(t, hostB)
		c, _ := n.run(t, eds+everySecond)
		c.Assign(endpoints(t, hostA, hostB))
		<-c.Warm()
		c.Assign(endpoints(t, hostB))
		expectMembers(t, c, hostB, hostA+" leaving")
		c.Assign(endpoints(t, hostA))
		expectMembers(t, c, hostA, hostB+" leaving")
		c.Assign(endpoints(t, hostB))
		a.status.Store(500)
		later(time.Second)
		expectMembers(t, c, hostB)
		c.Assign(endpoints(t, hostB, hostC)) // nobody answers there
		later(time.Second)
		expectMembers(t, c, hostB, hostC+" failed")
		c.Assign(endpoints(t, hostB))
		expectMembers(t, c, hostB) // it fails already
	})
	bubble(t, func(t *testing.T, n *network) {
		n.checked(t, hostA)
		n.checked(t, hostB)
		c, _ := n.run(t, eds+"ignore_health_on_host_removal: true\n"+everySecond)
		c.Assign(endpoints(t, hostA, hostB))
		<-c.Warm()
		c.Assign(endpoints(t, hostB))
		expectMembers(t, c, hostB)
	})
}

func TestNewHostsMayWait(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.checked(t, hostA)
		c, _ := n.run(t, eds+"common_lb_config: {ignore_new_hosts_until_first_hc: true}\n"+everySecond)
		c.Assign(endpoints(t, hostA))
		<-c.Warm()
		n.hear(t, hostB)
		n.mu.Lock()
		n.silent[hostB] = true
		n.mu.Unlock()
		c.Assign(endpoints(t, hostA, hostB))
		if s := c.Snapshot(); !s.Hosts[1].PendingCheck || s.Stats["membership_excluded"] != 1 {
			t.Errorf("%+v", s)
		}
		later(time.Second)
		if s := c.Snapshot(); s.Hosts[1].PendingCheck || !s.Hosts[1].FailedCheck || s.Stats["membership_excluded"] != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.answering(t, hostA, 500)
		c, events := n.run(t, simple("outlier_detection: {consecutive_5xx: 2, max_ejection_percent: 100}", hostA))
		gets(t, c, 2, Call{})
		expectEvents(t, events, "eject c "+hostA+": consecutive 5xx")
		// The balancer, the breakers and the endpoints change; health and counters stay.
		next := clusterOf(t, simple("lb_policy: RING_HASH\ncircuit_breakers: {thresholds: [{max_requests: 0}]}\noutlier_detection: {consecutive_5xx: 3, max_ejection_percent: 100}", hostA, hostB))
		if !c.Update(next) {
			t.Fatal("not updated")
		}
		if h := hostNow(t, c, hostA); !h.Ejected || h.Requests != 2 {
			t.Errorf("%+v", h)
		}
		if a, _, _ := get(t, c, Call{}); a.Failure == nil || a.Failure.Flags != "UO" {
			t.Errorf("the new limit is not in force: %+v", a)
		}
		a.Store(200)
		if !c.Update(clusterOf(t, simple("", hostA))) {
			t.Fatal("not updated")
		}
		expectEvents(t, events, "uneject c "+hostA)
		if h := hostNow(t, c, hostA); h.Ejected || stat(c, "outlier_detection.ejections_active") != 0 {
			t.Errorf("without outlier detection nobody is ejected: %+v", h)
		}
		if got := gets(t, c, 1, Call{}); got[0] != 200 {
			t.Error(got)
		}
		for name, other := range map[string]string{
			"another type": eds, "another name": strings.ReplaceAll(simple("", hostA), "name: c", "name: d"),
			"what is not done": simple("lb_policy: CLUSTER_PROVIDED", hostA),
		} {
			if c.Update(clusterOf(t, other)) {
				t.Errorf("%s is taken as an update", name)
			}
		}
	})
}

func TestUpdateOfChecks(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.checked(t, hostA)
		c, events := n.run(t, simple(everySecond, hostA))
		<-c.Warm()
		events.take()
		if !c.Update(clusterOf(t, simple(strings.ReplaceAll(everySecond, "path: /health", "path: /healthy"), hostA))) {
			t.Fatal("not updated")
		}
		if hostNow(t, c, hostA).FailedCheck {
			t.Error("its health is lost")
		}
		later(time.Second)
		if p := a.seen.Load().URL.Path; p != "/healthy" {
			t.Errorf("checked at %s", p)
		}
		// The same checks again are not begun anew.
		before := a.checks.Load()
		c.Update(clusterOf(t, simple(strings.ReplaceAll(everySecond, "path: /health", "path: /healthy")+"\nlb_policy: RANDOM", hostA)))
		later(100 * time.Millisecond)
		if a.checks.Load() != before {
			t.Error("an update that says nothing of checks began them anew")
		}
		if !c.Update(clusterOf(t, simple("", hostA))) {
			t.Fatal("not updated")
		}
		a.status.Store(500)
		later(10 * time.Second)
		if hostNow(t, c, hostA).FailedCheck {
			t.Error("it is still checked")
		}
	})
}

// A host that goes takes its idle connections along at once, and the one that is
// in use when its request has ended.
func TestConnectionsOfWhoGoes(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		let := n.parked(t, hostA)
		c, _ := n.run(t, eds)
		c.Assign(endpoints(t, hostA))
		var w crowd
		w.send(t, c, 2, Call{})
		let <- struct{}{}
		synctest.Wait()
		if s := c.Snapshot().Stats; s["upstream_cx_active"] != 2 || s["upstream_rq_active"] != 1 {
			t.Fatalf("%v", s)
		}
		c.Assign(endpoints(t, hostB))
		if got := stat(c, "upstream_cx_active"); got != 1 {
			t.Errorf("%d connections are left, 1 is in use", got)
		}
		let <- struct{}{}
		w.wait.Wait()
		w.so(t, "200", "200")
		synctest.Wait()
		if got := stat(c, "upstream_cx_active"); got != 0 {
			t.Errorf("%d connections are left", got)
		}
	})
}

// No request is lost while endpoints come and go, the balancer changes and
// connections are given up under it.
func TestNothingIsLostWhileEverythingMoves(t *testing.T) {
	n := &network{}
	for _, a := range []string{hostA, hostB, hostC} {
		n.serve(t, a, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d", len(b))
		})
	}
	c, _ := n.run(t, eds)
	c.Assign(endpoints(t, hostA, hostB))
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var sent atomic.Int64
	for i := range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				body := strings.Repeat("x", 1000*i)
				a, got, err := send(t, c, httptest.NewRequest(http.MethodPost, "http://a.test/", strings.NewReader(body)), Call{Timeout: time.Minute})
				if a.Failure != nil || err != nil || got != fmt.Sprint(len(body)) {
					t.Errorf("request %d: %+v %v %q", sent.Load(), a.Failure, err, got)
					cancel()
				}
				sent.Add(1)
			}
		})
	}
	for round, seen := 0, int64(0); round < 60 && ctx.Err() == nil; round++ {
		for _, set := range [][]string{{hostB, hostC}, {hostC}, {hostA}, {hostA + " load_balancing_weight: 3", hostB}} {
			c.Assign(endpoints(t, set...))
			until(t, "more requests have gone", func() bool { return sent.Load() > seen+3 || ctx.Err() != nil })
			seen = sent.Load()
		}
		policy := []string{"RANDOM", "RING_HASH", "LEAST_REQUEST", "ROUND_ROBIN"}[round%4]
		limit := []int{5, 1000}[round%2]
		if !c.Update(clusterOf(t, eds+fmt.Sprintf("lb_policy: %s\ncircuit_breakers: {thresholds: [{max_connections: %d}]}", policy, limit))) {
			t.Fatal("not updated")
		}
	}
	cancel()
	wait.Wait()
	s := c.Snapshot().Stats
	if s["upstream_rq_active"] != 0 || s["upstream_rq_pending_active"] != 0 || s["upstream_rq_200"] != uint64(sent.Load()) {
		t.Errorf("%d sent: %v", sent.Load(), s)
	}
	c.Close()
	until(t, "all connections are closed", func() bool { return stat(c, "upstream_cx_active") == 0 })
}

// BenchmarkAssign is one endpoint of 10,000 that is drained and comes back, up to
// the next request; and what telling of all costs.
func BenchmarkAssign(b *testing.B) {
	list := make([]string, 10_000)
	for i := range list {
		list[i] = fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&255, i&255)
	}
	whole := endpoints(b, list...)
	list[5000] += " health_status: DRAINING"
	drained := endpoints(b, list...)
	var n network
	c, _ := n.run(b, eds)
	b.Run("assign", func(b *testing.B) {
		for b.Loop() {
			c.Assign(drained)
			c.current()
			c.Assign(whole)
			c.current()
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			c.Snapshot()
		}
	})
}
