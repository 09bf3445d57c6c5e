package merge

import (
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/text"
)

// upstreams brings the upstream blocks into clusters and endpoints.
func (m *merger) upstreams() {
	for _, d := range m.gone(isUpstream) {
		m.removeCluster(d)
	}
	for _, p := range m.pairs(isUpstream) {
		if ours, ok := m.clusterOf(p[0]); ok {
			m.cluster(ours, m.before.clusters(p[0]), m.after.clusters(p[1]))
			if b, ok := m.after.cluster(p[1]); ok {
				m.renameCluster(ours, mesh.NameOf(m.after.message(b)), p)
			}
			m.members(ours, p[0], p[1])
		}
	}
	for name, ours := range m.lone {
		k := []mesh.Key{{Type: mesh.Cluster, Name: name}}
		m.cluster(ours, k, k)
	}
	for _, d := range m.fresh(isUpstream) {
		for _, k := range m.after.made[d] {
			m.putNew(k)
		}
	}
}

// cluster brings over what holds for a cluster as a whole. The importer makes
// several of one upstream where locations connect to it in different ways; the one
// that a changed directive leads to counts.
func (m *merger) cluster(ours mesh.Key, was, now []mesh.Key) {
	pick := func(keys []mesh.Key, after bool) (mesh.Key, bool) {
		for _, k := range keys {
			for _, c := range m.concerned[after][nginx.Origin{Key: k}] {
				if c.now != nil && slices.ContainsFunc(c.rels, func(r string) bool { return r != "" }) {
					return k, true
				}
			}
		}
		if len(keys) == 0 {
			return mesh.Key{}, false
		}
		return keys[0], true
	}
	a, okA := pick(was, false)
	b, okB := pick(now, true)
	if !okA || !okB || m.before.message(a) == nil || m.after.message(b) == nil {
		return
	}
	m.about(nginx.Origin{Key: a}, nginx.Origin{Key: b})
	m.sparing = true
	m.fields(target{spot: spot{key: ours}, message: m.message(ours).ProtoReflect()}, m.before.message(a).ProtoReflect(), m.after.message(b).ProtoReflect(),
		"name", "load_assignment", "type", "eds_cluster_config", "cluster_type", "alt_stat_name")
	m.sparing = false
}

// putNew adds a resource of the import as it is.
func (m *merger) putNew(k mesh.Key) {
	msg := m.after.message(k)
	if msg == nil {
		return
	}
	key := mesh.Key{Type: k.Type, Name: mesh.NameOf(msg)}
	yaml, err := text.Encode(msg)
	if err != nil || m.mesh.Get(key) != nil && key.Type != mesh.Endpoints && !m.leaves(key.Name) {
		return
	}
	for _, e := range m.ops.put {
		if e.Key == key {
			return
		}
	}
	m.ops.put = append(m.ops.put, Edit{Op: Put, Key: key, Value: yaml})
	if key.Type != mesh.Endpoints {
		m.say("new %s", key)
	}
}

// assignment is where the endpoints of a cluster stand: its own resource, or
// within the cluster. ok is false where the mesh has none.
func (m *merger) assignment(cluster mesh.Key) (at spot, ok bool) {
	c, _ := m.message(cluster).(*clusterv3.Cluster)
	if c.GetType() != clusterv3.Cluster_EDS {
		return spot{cluster, "load_assignment"}, c != nil
	}
	name := c.GetEdsClusterConfig().GetServiceName()
	if name == "" {
		name = c.GetName()
	}
	k := mesh.Key{Type: mesh.Endpoints, Name: name}
	return spot{key: k}, m.mesh.Get(k) != nil
}

// removeCluster takes a cluster out, with its endpoints where no other asks for
// them.
func (m *merger) removeCluster(d *conf.Directive) {
	k, ok := m.clusterOf(d)
	if !ok {
		return
	}
	m.ops.removed = append(m.ops.removed, Edit{Op: Remove, Key: k})
	m.say("remove %s", k)
	at, ok := m.assignment(k)
	if !ok || at.key == k {
		return
	}
	for _, r := range m.mesh.List(mesh.Cluster) {
		if other, ok := m.assignment(r.Key); ok && r.Key != k && other == at {
			return
		}
	}
	m.ops.removed = append(m.ops.removed, Edit{Op: Remove, Key: at.key})
}

func (m *merger) renameCluster(ours mesh.Key, name string, p [2]*conf.Directive) {
	if p[0].Arg(0) == p[1].Arg(0) || name == ours.Name {
		return
	}
	m.ops.set[spot{ours, "name"}] = quoted(name)
	m.say("rename %s to %s", ours, name)
	c, _ := m.message(ours).(*clusterv3.Cluster)
	if at, ok := m.assignment(ours); ok && at.key != ours && c.GetEdsClusterConfig().GetServiceName() == "" {
		m.ops.set[spot{at.key, "cluster_name"}] = quoted(name)
	}
}

// renameAll has everything that names a cluster whose upstream is called otherwise
// now name it so, also what no line of nginx shows.
func (m *merger) renameAll() {
	if len(m.renamed) == 0 {
		return
	}
	for _, ref := range m.mesh.References() {
		at := spot{ref.From, ref.Path}
		if to := m.renamed[ref.To.Name]; to != "" && ref.To.Type == mesh.Cluster && m.ops.set[at] == "" && !m.ops.goesWithin(at) {
			m.ops.set[at] = quoted(to)
		}
	}
}

// quoted is a string as YAML.
func quoted(s string) string {
	out, err := text.Set("", "v", s)
	if err != nil {
		return fmt.Sprintf("%q", s)
	}
	c, _ := text.Sub(out, "v")
	return c.Text
}
