package merge

import (
	"fmt"
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// member is a server line's endpoint in an import.
func (s *side) member(d *conf.Directive) (e *endpointv3.LbEndpoint, at nginx.Origin, priority uint32, ok bool) {
	for _, o := range s.places(d, 0, memberPath) {
		c, found := s.at(o)
		if !found || c.message() == nil {
			continue
		}
		e, _ = c.message().Interface().(*endpointv3.LbEndpoint)
		list, _ := lastIndex(o.Path)
		if l, found := s.at(nginx.Origin{Key: o.Key, Path: text.Parent(list)}); found && l.message() != nil {
			locality, _ := l.message().Interface().(*endpointv3.LocalityLbEndpoints)
			priority = locality.GetPriority()
		}
		return e, o, priority, e != nil
	}
	return nil, nginx.Origin{}, 0, false
}

// members brings the server lines of one upstream into its endpoints.
func (m *merger) members(cluster mesh.Key, was, now *conf.Directive) {
	for _, d := range was.Block {
		if o, ok := m.ours(d, 0, memberPath); ok && isMember(d) && m.trees.now[d] == nil {
			list, i := lastIndex(o.Path)
			l, _ := lookup(m.message(o.Key), list)
			m.removeItem(spot{o.Key, list}, l.value.List().Len(), i)
			m.say("take %s out of %s", d.Arg(0), cluster.Name)
		}
	}
	for _, d := range now.Block {
		if !isMember(d) {
			continue
		}
		before := m.trees.was[d]
		o, ok := m.ours(before, 0, memberPath)
		switch {
		case before != nil && same(before, d):
		case before != nil && ok:
			m.member(cluster, o, before, d)
		default:
			m.newMember(cluster, d, nil)
		}
	}
}

// member brings a changed server line into its endpoint.
func (m *merger) member(cluster mesh.Key, o nginx.Origin, was, now *conf.Directive) {
	a, at0, p0, ok0 := m.before.member(was)
	b, at1, p1, ok1 := m.after.member(now)
	ours, ok := lookup(m.message(o.Key), o.Path)
	if !ok || !ok0 || !ok1 {
		return
	}
	m.about(at0, at1)
	if !proto.Equal(a, b) {
		m.say("%s of %s: %s", now.Arg(0), cluster.Name, parameters(now))
	}
	if p0 == p1 {
		m.fields(target{spot: o2s(o), message: ours.message()}, a.ProtoReflect(), b.ProtoReflect())
		return
	}
	list, i := lastIndex(o.Path)
	l, _ := lookup(m.message(o.Key), list)
	m.removeItem(spot{o.Key, list}, l.value.List().Len(), i)
	kept := proto.Clone(ours.message().Interface()).(*endpointv3.LbEndpoint)
	kept.HealthStatus, kept.LoadBalancingWeight = b.GetHealthStatus(), b.GetLoadBalancingWeight()
	m.say("%s of %s: %s", now.Arg(0), cluster.Name, parameters(now))
	m.newMember(cluster, now, kept)
}

// parameters are the words behind the address; "as usual" for none.
func parameters(d *conf.Directive) string {
	out := ""
	for _, a := range d.Args[min(1, len(d.Args)):] {
		out += " " + a
	}
	if out == "" {
		return "no parameters"
	}
	return out[1:]
}

// newMember adds an endpoint; kept is one that moves to another priority, nil for
// a new one.
func (m *merger) newMember(cluster mesh.Key, d *conf.Directive, kept *endpointv3.LbEndpoint) {
	e, _, priority, ok := m.after.member(d)
	if !ok {
		return
	}
	if kept != nil {
		e = kept
	} else {
		m.say("add %s to %s", d.Arg(0), cluster.Name)
	}
	at, found := m.assignment(cluster)
	c, _ := m.message(cluster).(*clusterv3.Cluster)
	if !byName(c) && !isAddress(e) {
		m.report(importer.Entry{Kind: nginx.None, Directive: d.String(), File: file, Line: d.Line, Key: cluster,
			Reason: "the cluster takes addresses; a name would need one of type STRICT_DNS", Instead: "write an IP address, or put the name into an upstream of its own"})
		return
	}
	if !found {
		m.putAssignment(at.key, priority, e)
		return
	}
	cla := m.load(at)
	want := wanted(cla, priority)
	group := -1
	for i, l := range cla.GetEndpoints() {
		if l.GetPriority() == want {
			group = i
			break
		}
	}
	before := m.preceding(d, want)
	switch {
	case before.key == at.key && before.path != "":
		list, i := lastIndex(before.path)
		l, _ := lookup(m.message(at.key), list)
		m.insertValue(spot{at.key, list}, l.value.List().Len(), i+1, e)
	case group >= 0:
		list := below(at.path, fmt.Sprintf("endpoints[%d].lb_endpoints", group))
		m.insertValue(spot{at.key, list}, len(cla.GetEndpoints()[group].GetLbEndpoints()), 0, e)
	default:
		m.newLocality(spot{at.key, below(at.path, "endpoints")}, len(cla.GetEndpoints()), want, e)
	}
}

// load is the assignment at a place.
func (m *merger) load(at spot) *endpointv3.ClusterLoadAssignment {
	c, ok := lookup(m.message(at.key), at.path)
	if !ok || c.message() == nil {
		return nil
	}
	cla, _ := c.message().Interface().(*endpointv3.ClusterLoadAssignment)
	return cla
}

// wanted is the mesh's priority for the import's: that of its first servers for
// 0, the next one for backups.
func wanted(cla *endpointv3.ClusterLoadAssignment, priority uint32) uint32 {
	var have []uint32
	for _, l := range cla.GetEndpoints() {
		have = append(have, l.GetPriority())
	}
	if len(have) == 0 {
		return priority
	}
	lowest := have[0]
	for _, p := range have {
		lowest = min(lowest, p)
	}
	return lowest + priority
}

// preceding is the endpoint of the server line before d that has the priority.
func (m *merger) preceding(d *conf.Directive, priority uint32) spot {
	var out spot
	for _, other := range d.Parent.Block {
		if other == d {
			break
		}
		o, ok := m.ours(m.trees.was[other], 0, memberPath)
		if !ok || !isMember(other) {
			continue
		}
		list, _ := lastIndex(o.Path)
		l, _ := lookup(m.message(o.Key), text.Parent(list))
		if l.message() == nil {
			continue
		}
		if locality, _ := l.message().Interface().(*endpointv3.LocalityLbEndpoints); locality.GetPriority() == priority {
			out = o2s(o)
		}
	}
	return out
}

func (m *merger) insertValue(list spot, n, before int, v any) {
	out, err := text.Set("", "v", v)
	if err != nil {
		return
	}
	sub, _ := text.Sub(out, "v")
	l := m.ops.list(list, n)
	at := l.at(before)
	if at < 0 {
		at = l.place(before)
	}
	l.insert(at, sub.Text)
}

// newLocality adds a priority that the mesh does not have yet. Several endpoints
// for it go into the same.
func (m *merger) newLocality(list spot, n int, priority uint32, e *endpointv3.LbEndpoint) {
	at := locality{list, priority}
	l := m.localities[at]
	if l == nil {
		l = &endpointv3.LocalityLbEndpoints{Priority: priority}
		m.localities[at] = l
		m.localityOrder = append(m.localityOrder, at)
		m.ops.list(list, n)
	}
	l.LbEndpoints = append(l.LbEndpoints, e)
}

type locality struct {
	list     spot
	priority uint32
}

// closeLocalities writes the priorities that newLocality gathered.
func (m *merger) closeLocalities() {
	for _, at := range m.localityOrder {
		l := m.ops.lists[at.list]
		m.insertValue(at.list, l.was, l.was, m.localities[at])
	}
	for _, k := range m.assignments {
		if yaml, err := text.Encode(m.made[k]); err == nil {
			m.ops.put = append(m.ops.put, Edit{Op: Put, Key: k, Value: yaml})
		}
	}
}

// putAssignment adds an endpoint to a resource that the mesh does not have.
func (m *merger) putAssignment(k mesh.Key, priority uint32, e *endpointv3.LbEndpoint) {
	cla := m.made[k]
	if cla == nil {
		cla = &endpointv3.ClusterLoadAssignment{ClusterName: k.Name}
		m.made[k] = cla
		m.assignments = append(m.assignments, k)
	}
	for _, l := range cla.GetEndpoints() {
		if l.GetPriority() == priority {
			l.LbEndpoints = append(l.LbEndpoints, e)
			return
		}
	}
	cla.Endpoints = append(cla.Endpoints, &endpointv3.LocalityLbEndpoints{Priority: priority, LbEndpoints: []*endpointv3.LbEndpoint{e}})
}

// byName reports whether the cluster takes names of hosts.
func byName(c *clusterv3.Cluster) bool {
	return c.GetType() == clusterv3.Cluster_STRICT_DNS || c.GetType() == clusterv3.Cluster_LOGICAL_DNS || c.GetClusterType() != nil
}

func isAddress(e *endpointv3.LbEndpoint) bool {
	if e.GetEndpoint().GetAddress().GetPipe() != nil {
		return true
	}
	_, err := netip.ParseAddr(e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
	return err == nil
}
