package upstream

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
)

// resolver asks DNS, as net.Resolver does.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// lookupTimeout bounds one question to DNS.
const lookupTimeout = 5 * time.Second

// startNames begins to resolve the names of a DNS cluster. It needs mu.
func (c *Cluster) startNames(s *settings) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.stopNames = cancel
	c.group.Go("resolving the names of "+c.name, func() error {
		c.resolve(ctx, s)
		return nil
	})
}

// resolve asks for all names, again and again, until ctx ends. A name that
// cannot be resolved now keeps the addresses that it had.
func (c *Cluster) resolve(ctx context.Context, s *settings) {
	had := map[string][]netip.Addr{}
	for failures := 0; ; {
		given, failed := c.lookupAll(ctx, s, had)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		if ctx.Err() == nil {
			c.assign(given, policyOf(s.inline))
		}
		c.mu.Unlock()
		pause := s.refresh
		if failures++; !failed {
			failures = 0
		} else if s.failRefresh.base > 0 {
			pause = s.failRefresh.after(failures)
		}
		if !sleep(ctx, max(pause, time.Millisecond)) {
			return
		}
	}
}

// after is how long to wait after so many failures in a row.
func (r refreshRate) after(failures int) time.Duration {
	d := r.base
	for i := 1; i < failures && d < r.limit; i++ {
		d *= 2
	}
	return rand.N(min(d, r.limit)) + time.Millisecond
}

// lookupAll is the endpoints at all addresses of all names; failed says that a
// name was not resolved.
func (c *Cluster) lookupAll(ctx context.Context, s *settings, had map[string][]netip.Addr) (given []spec, failed bool) {
	seen := map[string]bool{}
	for _, group := range s.inline.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			name := e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()
			addrs, err := lookup(ctx, c.resolver, s.family, name)
			if err != nil {
				failed, addrs = true, had[name]
			}
			had[name] = addrs
			if s.kind == clusterv3.Cluster_LOGICAL_DNS && len(addrs) > 1 {
				addrs = addrs[:1]
			}
			for _, at := range resolved(group, e, addrs) {
				if !seen[at.address] {
					seen[at.address] = true
					given = append(given, at)
				}
			}
		}
	}
	return given, failed
}

// resolved are the endpoints that one entry of an assignment stands for.
func resolved(group *endpointv3.LocalityLbEndpoints, e *endpointv3.LbEndpoint, addrs []netip.Addr) []spec {
	socket := e.GetEndpoint().GetAddress().GetSocketAddress()
	s := specOf(e, mesh.Address(e.GetEndpoint().GetAddress()))
	l := group.GetLocality()
	s.locality, s.priority = locality{l.GetRegion(), l.GetZone(), l.GetSubZone()}, group.GetPriority()
	if s.hostname == "" {
		s.hostname = socket.GetAddress()
	}
	out := make([]spec, len(addrs))
	for i, a := range addrs {
		out[i] = s.atAddress(socket.GetAddress(), a, socket.GetPortValue())
	}
	return out
}

// lookup resolves a name to the addresses of the family that is wanted. An IP
// address is its own.
func lookup(ctx context.Context, r resolver, family clusterv3.Cluster_DnsLookupFamily, name string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	return ofFamily(all, family), nil
}

func ofFamily(all []netip.Addr, family clusterv3.Cluster_DnsLookupFamily) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	switch family {
	case clusterv3.Cluster_V4_ONLY:
		return v4
	case clusterv3.Cluster_V6_ONLY:
		return v6
	case clusterv3.Cluster_ALL:
		return slices.Concat(v6, v4)
	case clusterv3.Cluster_V4_PREFERRED:
		v4, v6 = v6, v4 // the other way round
	}
	if len(v6) > 0 {
		return v6
	}
	return v4
}
