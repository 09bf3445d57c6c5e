package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
)

// Cluster is a running cluster. Its methods may be called from any goroutine.
type Cluster struct {
	o        Options
	name     string
	dialer   dialer
	resolver resolver

	group *task.Group
	ctx   context.Context // ends with Close

	settings atomic.Pointer[settings]
	view     atomic.Pointer[view] // nil while it is out of date
	gates    [2]gate              // by routing priority
	stats    clusterStats

	mu           sync.Mutex
	closed       bool
	hosts        map[string]*host // by address
	order        []*host          // as assigned, those that are kept though removed last
	policy       assignmentPolicy
	known        bool // the endpoints have been told, or need not be waited for
	moves        int  // hosts that came or went
	unchecked    int  // hosts whose first check has not ended
	warm         chan struct{}
	isWarm       bool
	stopOutliers func() // nil while there is no outlier detection
	stopNames    func() // nil while no name is resolved
	outbox       []envoy.Event

	emitting sync.Mutex // held, before mu, while events are handed on
}

// assignmentPolicy is what an assignment says beyond its endpoints.
type assignmentPolicy struct {
	overprovision  uint64
	weightedHealth bool
	localityWeight map[place]uint32
}

// New starts a cluster: its health checks, its outlier detection and, where its
// endpoints are names, their resolution. The error is Check's. Close must be
// called in the end.
func New(c *clusterv3.Cluster, o Options) (*Cluster, error) {
	var d net.Dialer
	return start(c, o, d.DialContext, net.DefaultResolver)
}

// start is New with another way to reach the world.
func start(resource *clusterv3.Cluster, o Options, d dialer, r resolver) (*Cluster, error) {
	s, err := read(clone(resource))
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cluster{o: o, name: s.name, dialer: d, resolver: r, hosts: map[string]*host{}, warm: make(chan struct{})}
	c.group, c.ctx = task.New(context.Background())
	for i := range c.gates {
		c.gates[i].counts = &c.stats.gate
		c.gates[i].lim = s.limits[i]
	}
	c.settings.Store(s)
	c.policy = policyOf(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.outlier != nil {
		c.startOutliers(s.outlier)
	}
	c.discover(s)
	return c, nil
}

// discover begins to find the endpoints in the way of the cluster's type. It
// needs mu.
func (c *Cluster) discover(s *settings) {
	switch s.kind {
	case clusterv3.Cluster_EDS:
		if s.fetch > 0 {
			c.group.Go("waiting for the endpoints of "+c.name, func() error { c.awaitEndpoints(s.fetch); return nil })
		}
	case clusterv3.Cluster_STATIC:
		c.assign(specs(s.inline), policyOf(s.inline))
	default:
		c.startNames(s)
	}
}

// awaitEndpoints lets the cluster take part without endpoints when they do not
// come in time.
func (c *Cluster) awaitEndpoints(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.warm:
		return
	case <-c.ctx.Done():
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = true
	c.warmUp()
}

// Warm is closed when the cluster may take traffic: its endpoints are known, or
// have not come in time, and each of them has been checked once.
func (c *Cluster) Warm() <-chan struct{} { return c.warm }

// warmUp closes warm when it is time. It needs mu.
func (c *Cluster) warmUp() {
	if c.known && c.unchecked == 0 && !c.isWarm {
		c.isWarm = true
		close(c.warm)
	}
}

// refresh has the view made anew by who needs it next: of many changes between
// two requests only the last one costs. It needs mu.
func (c *Cluster) refresh() { c.view.Store(nil) }

// current is the view of now.
func (c *Cluster) current() *view {
	if v := c.view.Load(); v != nil {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view.Load()
	if v == nil {
		v = newView(c.viewSettings(), c.order)
		c.view.Store(v)
	}
	return v
}

func (c *Cluster) viewSettings() viewSettings {
	return viewSettings{
		settings: c.settings.Load(), overprovision: c.policy.overprovision,
		weightedHealth: c.policy.weightedHealth, localityWeight: c.policy.localityWeight,
	}
}

// loop calls do after each pause, until the function that it returns is called
// or the cluster is closed.
func (c *Cluster) loop(name string, pause func() time.Duration, do func()) (stop func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.group.Go(name, func() error {
		for sleep(ctx, pause()) {
			do()
		}
		return nil
	})
	return cancel
}

// Update puts a new version of the same cluster in force, keeping its endpoints
// with their health, connections and counters. It returns false, and changes
// nothing, where that cannot be: another name or type of cluster, or what Check
// refuses. Then make a new one.
func (c *Cluster) Update(resource *clusterv3.Cluster) bool {
	s, err := read(clone(resource))
	if err != nil {
		return false
	}
	c.mu.Lock()
	old := c.settings.Load()
	if c.closed || s.name != old.name || s.kind != old.kind || s.service != old.service {
		c.mu.Unlock()
		return false
	}
	c.update(old, s)
	c.mu.Unlock()
	c.emit()
	return true
}

// update puts settings in force. It needs mu.
func (c *Cluster) update(old, s *settings) {
	c.settings.Store(s)
	for i := range c.gates {
		c.gates[i].setLimits(s.limits[i])
	}
	if s.http2 != old.http2 || s.idle != old.idle || s.limits[0].connections != old.limits[0].connections || s.limits[1].connections != old.limits[1].connections {
		for _, h := range c.order {
			c.closePools(h)
		}
	}
	c.updateOutliers(s)
	c.updateChecks(old, s)
	switch s.kind {
	case clusterv3.Cluster_EDS:
	case clusterv3.Cluster_STATIC:
		c.assign(specs(s.inline), policyOf(s.inline))
	default:
		c.stopNames()
		c.startNames(s)
	}
	c.refresh()
	c.warmUp()
}

// updateOutliers begins outlier detection anew. Without it nobody stays ejected.
// It needs mu.
func (c *Cluster) updateOutliers(s *settings) {
	if c.stopOutliers != nil {
		c.stopOutliers()
		c.stopOutliers = nil
	}
	if s.outlier != nil {
		c.startOutliers(s.outlier)
		return
	}
	for _, h := range c.order {
		if h.monitor.ejected {
			c.uneject(h)
		}
	}
}

// closePools lets a host's connections go; new requests get new ones. It needs
// mu.
func (c *Cluster) closePools(h *host) {
	for i := range h.pools {
		if p := h.pools[i].Swap(nil); p != nil {
			p.retire()
		}
	}
}

// pool is the host's connections for a routing priority.
func (c *Cluster) pool(h *host, priority int) *pool {
	if p := h.pools[priority].Load(); p != nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := h.pools[priority].Load()
	if p == nil {
		p = c.newPool(h, priority)
		// A request may have found the host in a view as it went.
		p.leaving = c.closed || c.hosts[h.address] != h
		h.pools[priority].Store(p)
	}
	return p
}

// admit waits until a request may use a connection to the host.
func (c *Cluster) admit(ctx context.Context, h *host, priority int) (*pass, error) {
	for {
		p := c.pool(h, priority)
		t, err := c.gates[priority].admit(ctx, p)
		if !errors.Is(err, errRetired) {
			return t, err
		}
		h.pools[priority].CompareAndSwap(p, nil)
	}
}

// Snapshot is the cluster as it stands.
func (c *Cluster) Snapshot() Snapshot {
	s := c.settings.Load()
	out := Snapshot{Name: c.name, Service: s.service, Stats: make(map[string]uint64, 64)}
	c.stats.tell(out.Stats)
	c.gates[0].tell(out.Stats, "circuit_breakers.default.")
	c.gates[1].tell(out.Stats, "circuit_breakers.high.")
	c.mu.Lock()
	defer c.mu.Unlock()
	out.Hosts = make([]Host, len(c.order))
	counts := map[string]uint64{}
	for i, h := range c.order {
		out.Hosts[i] = h.snapshot()
		counts["upstream_rq_pending_active"] += out.Hosts[i].PendingRequest
		c.countMember(h, counts)
		if s.trackHosts {
			out.Hosts[i].tell(out.Stats, h.standing() == healthy)
		}
	}
	for _, name := range []string{
		"upstream_rq_pending_active", "membership_total", "membership_healthy", "membership_degraded",
		"membership_excluded", "health_check.healthy", "health_check.degraded",
	} {
		out.Stats[name] = counts[name]
	}
	return out
}

func (c *Cluster) countMember(h *host, counts map[string]uint64) {
	counts["membership_total"]++
	switch {
	case h.excluded():
		counts["membership_excluded"]++
	case h.standing() == healthy:
		counts["membership_healthy"]++
	case h.standing() == degraded:
		counts["membership_degraded"]++
	}
	if h.stopCheck != nil && !h.health.failed {
		counts["health_check.healthy"]++
		if h.health.degraded {
			counts["health_check.degraded"]++
		}
	}
}

// Close ends all that the cluster does by itself and its idle connections.
// Requests under way go on; their connections end with them.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.group.Stop()
	if err := c.group.Wait(); err != nil && c.o.Failed != nil {
		c.o.Failed(fmt.Errorf("cluster %s: %w", c.name, err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.order {
		c.closePools(h)
	}
}

// Assign takes in the endpoints that EDS gives the cluster. Those that stay keep
// their health, connections and counters. What CheckAssignment refuses of an
// endpoint leaves that endpoint out.
func (c *Cluster) Assign(a *endpointv3.ClusterLoadAssignment) {
	given, policy := specs(a), policyOf(a) // nothing of a is kept
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.settings.Load().kind != clusterv3.Cluster_EDS {
		return
	}
	c.stats.assignments.Add(1)
	c.assign(given, policy)
}
