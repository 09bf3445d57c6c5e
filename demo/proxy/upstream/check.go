package upstream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/xds/envoy"
)

// checkSettings are one active health check, with Envoy's defaults.
type checkSettings struct {
	timeout                        time.Duration
	initialJitter, jitter          time.Duration
	jitterPercent                  uint32
	unhealthyAfter, healthyAfter   uint32
	interval, noTraffic            time.Duration
	noTrafficHealthy, unhealthy    time.Duration
	unhealthyEdge, healthyEdge     time.Duration
	reuse, tellAllBad, tellAllGood bool

	source  *corev3.HealthCheck
	cluster string // the Host of a check that names none
	http    *corev3.HealthCheck_HttpHealthCheck
	tcp     *tcpCheck
}

// tcpCheck is what is sent and must come back, in that order.
type tcpCheck struct {
	send    []byte
	receive [][]byte
}

func readCheck(c *corev3.HealthCheck, cluster string) *checkSettings {
	s := &checkSettings{
		timeout: c.GetTimeout().AsDuration(), initialJitter: c.GetInitialJitter().AsDuration(),
		jitter: c.GetIntervalJitter().AsDuration(), jitterPercent: c.GetIntervalJitterPercent(),
		unhealthyAfter: uint32Or(c.GetUnhealthyThreshold(), 1), healthyAfter: uint32Or(c.GetHealthyThreshold(), 1),
		interval:  c.GetInterval().AsDuration(),
		noTraffic: durationOr(c.GetNoTrafficInterval(), time.Minute),
		reuse:     c.GetReuseConnection() == nil || c.GetReuseConnection().GetValue(),
		source:    c, cluster: cluster, http: c.GetHttpHealthCheck(),
		tellAllBad: c.GetAlwaysLogHealthCheckFailures(), tellAllGood: c.GetAlwaysLogHealthCheckSuccess(),
	}
	s.noTrafficHealthy = durationOr(c.GetNoTrafficHealthyInterval(), s.noTraffic)
	s.unhealthy = durationOr(c.GetUnhealthyInterval(), s.interval)
	s.unhealthyEdge = durationOr(c.GetUnhealthyEdgeInterval(), s.unhealthy)
	s.healthyEdge = durationOr(c.GetHealthyEdgeInterval(), s.interval)
	if t := c.GetTcpHealthCheck(); t != nil {
		s.tcp = &tcpCheck{send: payload(t.GetSend())}
		for _, p := range t.GetReceive() {
			s.tcp.receive = append(s.tcp.receive, payload(p))
		}
	}
	return s
}

// checkState is how an endpoint stands with its checks; guarded by Cluster.mu.
type checkState struct {
	failed    bool // or not checked yet
	timedOut  bool
	pending   bool // not checked yet, and left out of every percentage until then
	degraded  bool
	first     bool   // no check has ended yet
	good, bad uint32 // results in a row
}

// checkCounts are a cluster's counters of checks.
type checkCounts struct{ attempts, successes, failures, network atomic.Uint64 }

// result is what one check came to.
type result struct {
	kind      resultKind
	status    int  // of an HTTP answer
	retriable bool // counts towards the threshold, where another wrong answer is the end at once
	degraded  bool // healthy, says the endpoint, but not well
}

type resultKind uint8

const (
	checkPassed resultKind = iota
	checkAnswered
	checkNetwork
	checkTimedOut
)

// why says in words what failed, as package envoy does for Envoy's own events.
func (r result) why() string {
	switch {
	case r.kind == checkNetwork:
		return "connection refused or cut"
	case r.kind == checkTimedOut:
		return "no answer in time"
	case r.status != 0:
		return fmt.Sprintf("HTTP %d", r.status)
	}
	return "wrong answer"
}

// change is what a result did to an endpoint's state.
type change uint8

const (
	unchanged change = iota
	changed
	changePending // it would have changed with another threshold
)

// apply takes a result in.
func (s *checkState) apply(r result, c *checkSettings) change {
	out := unchanged
	if r.kind == checkPassed {
		s.bad = 0
		if s.failed {
			out = changePending
			if s.good++; s.first || s.good >= c.healthyAfter {
				s.failed, s.timedOut, out = false, false, changed
			}
		}
		if s.degraded != r.degraded {
			s.degraded, out = r.degraded, changed
		}
	} else {
		s.good = 0
		if !s.failed {
			out = changePending
			if s.bad++; s.bad >= c.unhealthyAfter || (r.kind == checkAnswered && !r.retriable) {
				s.failed, out = true, changed
			}
		}
		s.timedOut = r.kind == checkTimedOut
	}
	if s.pending {
		s.pending, out = false, changed
	}
	s.first = false
	return out
}

// pause is how long to wait until the next check. It is longer while the
// cluster has had no connection yet.
func (s *checkSettings) pause(passed bool, c change, traffic bool) time.Duration {
	var base time.Duration
	switch {
	case !traffic && passed && c != changePending:
		base = s.noTrafficHealthy
	case !traffic:
		base = s.noTraffic
	case passed && c == changePending:
		base = s.healthyEdge
	case passed:
		base = s.interval
	case c == changePending:
		base = s.unhealthyEdge
	default:
		base = s.unhealthy
	}
	if s.jitter > 0 {
		base += rand.N(s.jitter)
	}
	if part := base * time.Duration(s.jitterPercent) / 100; part > 0 {
		base += rand.N(part)
	}
	return max(base, time.Millisecond)
}

// startCheck begins to check a host. It needs Cluster.mu.
func (c *Cluster) startCheck(h *host, s *checkSettings) {
	ctx, cancel := context.WithCancel(c.ctx)
	h.stopCheck = cancel
	target := h.spec.check
	c.group.Go("the health check of "+h.address, func() error {
		c.check(ctx, h, s, target)
		return nil
	})
}

// check checks a host until ctx ends.
func (c *Cluster) check(ctx context.Context, h *host, s *checkSettings, target checkTarget) {
	if s.initialJitter > 0 && !sleep(ctx, rand.N(s.initialJitter)) {
		return
	}
	p := s.newProbe(c.dialer, target)
	defer p.close()
	for {
		c.stats.checks.attempts.Add(1)
		r := p.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if !sleep(ctx, c.checked(h, s, r)) {
			return
		}
	}
}

// checked takes a result in and returns how long to wait for the next check.
func (c *Cluster) checked(h *host, s *checkSettings, r result) time.Duration {
	passed := r.kind == checkPassed
	c.stats.checks.count(r.kind)
	c.mu.Lock()
	wasFirst, wasFailed := h.health.first, h.health.failed
	did := h.health.apply(r, s)
	if passed && h.monitor.ejected && !h.health.failed && c.unejectsOnPass() {
		c.uneject(h)
		did = changed
	}
	if wasFirst {
		c.unchecked--
	}
	c.noteCheck(h, s, r, wasFirst, wasFailed)
	if !passed && h.health.failed && h.pendingRemoval {
		c.drop(h)
		c.order = slices.DeleteFunc(c.order, func(other *host) bool { return other == h })
		c.stats.membership.Add(1)
		did = changed
	} else if !wasFailed && h.health.failed && c.settings.Load().closeOnFail {
		c.closePools(h)
	}
	if did == changed {
		c.refresh()
	}
	c.mu.Unlock()
	c.emit()
	c.mu.Lock()
	c.warmUp() // who waits for it has been told of the check
	c.mu.Unlock()
	return s.pause(passed, did, c.stats.connections.Load() > 0)
}

func (c *checkCounts) count(k resultKind) {
	if k == checkPassed {
		c.successes.Add(1)
		return
	}
	c.failures.Add(1)
	if k != checkAnswered {
		c.network.Add(1)
	}
}

// noteCheck notes what there is to tell of a result. It needs Cluster.mu.
func (c *Cluster) noteCheck(h *host, s *checkSettings, r result, first, wasFailed bool) {
	e := c.event(h)
	if r.kind == checkPassed {
		if wasFailed && !h.health.failed || s.tellAllGood {
			e.Kind, e.First = envoy.CheckHealthy, first
			c.outbox = append(c.outbox, e)
		}
		return
	}
	e.Why, e.Timeout = r.why(), r.kind == checkTimedOut
	if !wasFailed && h.health.failed {
		e.Kind = envoy.CheckUnhealthy
		c.outbox = append(c.outbox, e)
	}
	if first || s.tellAllBad {
		e.Kind, e.First = envoy.CheckFailure, first
		c.outbox = append(c.outbox, e)
	}
}

// event is an event of a host, now.
func (c *Cluster) event(h *host) envoy.Event {
	return envoy.Event{Node: c.o.Node, Time: c.o.Now(), Cluster: c.name, Address: h.address}
}

// emit hands on what was noted, in that order. It must be called without
// Cluster.mu.
func (c *Cluster) emit() {
	c.emitting.Lock()
	defer c.emitting.Unlock()
	c.mu.Lock()
	events := c.outbox
	c.outbox = nil
	c.mu.Unlock()
	if c.o.Emit == nil {
		return
	}
	for _, e := range events {
		c.o.Emit(e)
	}
}

// sleep waits for d; false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// sameCheck reports whether two versions of a cluster check their endpoints in
// the same way.
func sameCheck(a, b *settings) bool {
	if a.check == nil || b.check == nil {
		return a.check == b.check
	}
	return proto.Equal(a.check.source, b.check.source)
}
