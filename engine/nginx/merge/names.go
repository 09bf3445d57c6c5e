package merge

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
)

// clusterNames gives the clusters of both imports the names that they have in the
// mesh: nginx writes some otherwise, and a new one must have one of its own.
func (m *merger) clusterNames() {
	was, now := map[string]string{}, map[string]string{}
	known := map[string]bool{}
	for _, p := range m.pairs(isUpstream) {
		ours, ok := m.clusterOf(p[0])
		if !ok {
			continue
		}
		to := ours.Name
		if p[0].Arg(0) != p[1].Arg(0) {
			to = m.freeName(p[1].Arg(0))
			m.renamed[ours.Name] = to
		}
		for _, k := range m.before.clusters(p[0]) {
			was[k.Name] = ours.Name
		}
		for _, k := range m.after.clusters(p[1]) {
			now[k.Name], known[k.Name] = to, true
		}
	}
	for _, p := range m.pairs(isLocation) {
		ours, ok := m.routeOf(p[0])
		if !ok || m.borrows(ours, p[0]) {
			continue
		}
		a, okA := m.before.route(p[0])
		name, okN := lookup(m.message(ours.Key), below(ours.Path, "route.cluster"))
		other, okO := lookup(m.before.message(a.Key), below(a.Path, "route.cluster"))
		if okA && okN && okO && m.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name.value.String()}) != nil && was[other.value.String()] == "" {
			was[other.value.String()] = name.value.String()
			m.lone[other.value.String()] = mesh.Key{Type: mesh.Cluster, Name: name.value.String()}
			if now[other.value.String()] == "" {
				now[other.value.String()] = name.value.String()
			}
		}
	}
	for d := range m.after.conf.All() {
		if !isUpstream(d) || m.trees.was[d] != nil {
			continue
		}
		for _, k := range m.after.clusters(d) {
			if !known[k.Name] {
				now[k.Name] = m.freeName(k.Name)
			}
		}
	}
	m.before.rename(was)
	m.after.rename(now)
}

// freeName is the name, with a number where the mesh has a cluster of that name.
func (m *merger) freeName(name string) string {
	out := name
	for n := 2; m.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: out}) != nil && !m.leaves(out); n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	return out
}

// leaves reports whether the cluster is one whose upstream the operator took out.
func (m *merger) leaves(cluster string) bool {
	for _, d := range m.gone(isUpstream) {
		if k, ok := m.clusterOf(d); ok && k.Name == cluster {
			return true
		}
	}
	return false
}

// rename puts other names of clusters into everything that names them.
func (s *side) rename(names map[string]string) {
	for from, to := range names {
		if from == to {
			delete(names, from)
		}
	}
	s.said = map[mesh.Key]proto.Message{}
	if len(names) == 0 {
		return
	}
	for _, r := range s.result.Mesh.All() {
		c := proto.Clone(r.Message)
		renameIn(c.ProtoReflect(), names)
		s.said[r.Key] = c
	}
}

// namesCluster are the fields that hold the name of a cluster.
var namesCluster = map[protoreflect.FullName]bool{
	"envoy.config.cluster.v3.Cluster.name": true, "envoy.config.endpoint.v3.ClusterLoadAssignment.cluster_name": true,
	"envoy.config.route.v3.WeightedCluster.ClusterWeight.name": true, "envoy.config.cluster.v3.Cluster.EdsClusterConfig.service_name": true,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight.name": true,
}

func renameIn(m protoreflect.Message, names map[string]string) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			return
		}
		renameIn(inner.ProtoReflect(), names)
		if again, err := anypb.New(inner); err == nil {
			a.Value = again.GetValue()
		}
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					renameIn(v.Message(), names)
					return true
				})
			}
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				renameIn(v.List().Get(i).Message(), names)
			}
		case fd.IsList():
		case fd.Message() != nil:
			renameIn(v.Message(), names)
		case fd.Kind() == protoreflect.StringKind && (fd.Name() == "cluster" || namesCluster[fd.FullName()]):
			if to := names[v.String()]; to != "" {
				m.Set(fd, protoreflect.ValueOfString(to))
			}
		}
		return true
	})
}

func isUpstream(d *conf.Directive) bool { return d.Name == "upstream" }

func isLocation(d *conf.Directive) bool { return d.Name == "location" }

// clusterOf is the cluster that an upstream of the shown text mirrors.
func (m *merger) clusterOf(d *conf.Directive) (mesh.Key, bool) {
	for _, o := range m.origins(d) {
		if o.Key.Type == mesh.Cluster && o.Path == "" {
			return o.Key, true
		}
	}
	return mesh.Key{}, false
}
