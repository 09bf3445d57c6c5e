package nginx

import (
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
)

// byName is how nginx reaches a cluster whose endpoints are DNS names. In an
// upstream they would be resolved once, at the start, and a name that does not
// resolve then would keep nginx from starting. Behind a variable they are
// resolved while it runs, as Envoy does it.
type byName struct {
	variable string // without the dollar sign
	set      string // the address that each location sets it to; "" where a split_clients gives the value
	first    string // the first address
}

// resolves reports whether the cluster may have names for addresses.
func resolves(c *clusterv3.Cluster) bool {
	return c.GetType() == clusterv3.Cluster_STRICT_DNS || c.GetType() == clusterv3.Cluster_LOGICAL_DNS || c.GetClusterType() != nil
}

// findNamed notes the clusters that need the resolver.
func (p *projection) findNamed(o Origin, c *clusterv3.Cluster) {
	mem, _ := p.members(o, c)
	var use []server
	isNamed := false
	all := serversOf(mem, resolves(c))
	lowest, _ := lowestPriority(all)
	for _, s := range all {
		isNamed = isNamed || s.name
		if s.text != "" && s.priority == lowest && (s.health == corev3.HealthStatus_UNKNOWN || s.health == corev3.HealthStatus_HEALTHY) {
			use = append(use, s)
		}
	}
	if !isNamed {
		return
	}
	if len(use) == 0 {
		for _, s := range all {
			if s.text != "" {
				use = []server{s}
				break
			}
		}
	}
	by := byName{variable: p.variableName("dns_" + identifier(c.GetName(), 24)), first: use[0].text, set: use[0].text}
	if len(use) > 1 {
		by.set = ""
		s := split{name: by.variable, origin: o, lesson: lessonNamesSplit}
		for _, one := range use {
			s.parts = append(s.parts, part{mark{kind: Approximate, from: one.origin, lesson: lessonNamesSplit}, one.text, uint64(one.weight)})
		}
		p.splits = append(p.splits, s)
	}
	p.named[c.GetName()] = by
	p.resolved = append(p.resolved, c)
}

// variable writes the value of the target's variable where it has none yet.
func (p *projection) variable(t *target) {
	if t.set != "" {
		m := mark{from: t.cluster, also: t.mark.also}.approx(lessonResolver)
		p.add(m, "set %s %s;", t.text, token(t.set))
	}
}

// resolver is the line that run-time names need.
func (p *projection) resolver() {
	if len(p.resolved) == 0 {
		return
	}
	m := mark{}.approx(lessonResolverAddress)
	options, v4 := time.Duration(0), true
	for i, c := range p.resolved {
		o := Origin{Key: mesh.Key{Type: mesh.Cluster, Name: c.GetName()}}
		if i == 0 {
			m.from = o
		} else {
			m.also = append(m.also, o)
		}
		every := refreshOf(c)
		if options == 0 || every < options {
			options = every
		}
		v4 = v4 && c.GetDnsLookupFamily() == clusterv3.Cluster_V4_ONLY
	}
	text := fmt.Sprintf("resolver 127.0.0.53 valid=%s", nginxSeconds(durationpb.New(options)))
	if v4 {
		text += " ipv6=off"
	}
	p.add(m, "%s;", text)
}

// refreshOf is how often Envoy asks DNS again, 5 s unless told. The field is
// read by its name: it is deprecated, and still what most files have.
func refreshOf(c *clusterv3.Cluster) time.Duration {
	r := c.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("dns_refresh_rate"); f != nil && r.Has(f) {
		if d, ok := r.Get(f).Message().Interface().(*durationpb.Duration); ok {
			return max(clamped(d), time.Second)
		}
	}
	return 5 * time.Second
}
