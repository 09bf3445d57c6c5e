package upstream

import (
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// policyOf is what an assignment says beyond its endpoints; nil says nothing.
func policyOf(a *endpointv3.ClusterLoadAssignment) assignmentPolicy {
	p := assignmentPolicy{
		overprovision:  uint64(uint32Or(a.GetPolicy().GetOverprovisioningFactor(), defaultOverprovision)),
		weightedHealth: a.GetPolicy().GetWeightedPriorityHealth(), localityWeight: map[place]uint32{},
	}
	for _, group := range a.GetEndpoints() {
		l := group.GetLocality()
		at := place{group.GetPriority(), locality{l.GetRegion(), l.GetZone(), l.GetSubZone()}}
		p.localityWeight[at] += uint32Or(group.GetLoadBalancingWeight(), 0)
	}
	return p
}

// assign makes the endpoints those that are given. One that is no more given
// stays while its health checks pass, unless the cluster says otherwise. It
// needs mu.
func (c *Cluster) assign(given []spec, p assignmentPolicy) {
	s := c.settings.Load()
	c.policy, c.known = p, true
	before := c.moves
	order, stays := make([]*host, 0, len(given)), make(map[*host]bool, len(given))
	for _, want := range given {
		h := c.hosts[want.address]
		if h != nil && h.spec.check != want.check {
			c.drop(h) // it is checked elsewhere now: nothing that is known of it holds
			h = nil
		}
		if h == nil {
			h = c.add(want, s)
		}
		h.spec, h.pendingRemoval = want, false
		order = append(order, h)
		stays[h] = true
	}
	for _, h := range c.order {
		switch {
		case stays[h], c.hosts[h.address] != h: // or it was dropped above
		case s.check != nil && !s.ignoreRemoval && h.stopCheck != nil && !h.health.failed:
			h.pendingRemoval = true
			order = append(order, h)
		default:
			c.drop(h)
		}
	}
	c.order = order
	if c.moves != before {
		c.stats.membership.Add(1)
	}
	c.refresh()
	c.warmUp()
}

// add makes a host. It needs mu; the order is the caller's.
func (c *Cluster) add(want spec, s *settings) *host {
	h := newHost(want)
	c.hosts[want.address] = h
	c.moves++
	if s.check != nil && !want.check.disabled {
		h.health = checkState{failed: true, first: true, pending: s.excludeNew && c.isWarm}
		c.unchecked++
		c.startCheck(h, s.check)
	}
	return h
}

// drop ends a host. It needs mu; the order and the view are the caller's.
func (c *Cluster) drop(h *host) {
	c.endCheck(h)
	if h.monitor.ejected {
		c.stats.outliers.active.Add(-1)
	}
	c.closePools(h)
	delete(c.hosts, h.address)
	c.moves++
}

// endCheck stops checking a host. It needs mu.
func (c *Cluster) endCheck(h *host) {
	if h.stopCheck == nil {
		return
	}
	h.stopCheck()
	h.stopCheck = nil
	if h.health.first {
		h.health.first = false
		c.unchecked--
	}
}

// updateChecks replaces the health checks where they are others now. The hosts'
// health stays as it was until the new ones tell. It needs mu.
func (c *Cluster) updateChecks(old, s *settings) {
	if sameCheck(old, s) {
		return
	}
	for _, h := range c.order {
		c.endCheck(h)
		if s.check == nil || h.spec.check.disabled {
			h.health = checkState{}
			continue
		}
		h.health.good, h.health.bad = 0, 0
		c.startCheck(h, s.check)
	}
}
