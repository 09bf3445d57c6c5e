package files

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"go.yaml.in/yaml/v3"
)

// fromADS is the config source that has Envoy ask meshtui.
func fromADS() map[string]any {
	return map[string]any{"ads": map[string]any{}, "resource_api_version": "V3"}
}

func (b *bootstrap) secret(t mesh.Type, src mesh.Source, _ int) {
	if r := b.decode(t, src, true); r != nil {
		b.keep(r)
	}
}

// cluster takes one static cluster over; the endpoints of one with fixed
// addresses become a load assignment of its own, so that they can change by EDS.
func (b *bootstrap) cluster(t mesh.Type, src mesh.Source, index int) {
	r := b.decode(t, src, true)
	if r == nil {
		return
	}
	b.takeCluster(b.named(r, fmt.Sprintf("cluster-%d", index+1)))
}

// takeCluster takes a cluster over that has a name.
func (b *bootstrap) takeCluster(r *mesh.Resource) {
	if r = b.secretsBySDS(r); r == nil {
		return
	}
	if r.Key.Name == b.adsName && b.adsName != "" {
		b.note(mesh.Note, "ads-cluster", r.Key, "", r.Source.Line,
			"the bootstrap reaches its own management server by this cluster; it is carried as it is, and meshtui does not use it")
		b.keep(r)
		return
	}
	m, _ := r.Message.(*clusterv3.Cluster)
	if !fixedAddresses(m) {
		b.keep(r)
		return
	}
	b.liftEndpoints(r)
}

// fixedAddresses reports whether a cluster is STATIC and lists nothing but IP
// addresses and pipes, which is what EDS takes.
func fixedAddresses(m *clusterv3.Cluster) bool {
	if m.GetClusterType() != nil || m.GetType() != clusterv3.Cluster_STATIC || m.GetLoadAssignment() == nil {
		return false
	}
	for _, locality := range m.GetLoadAssignment().GetEndpoints() {
		if locality.GetLedsClusterLocalityConfig() != nil {
			return false
		}
		for _, lb := range locality.GetLbEndpoints() {
			if !fixedEndpoint(lb) {
				return false
			}
		}
	}
	return true
}

func fixedEndpoint(lb *endpointv3.LbEndpoint) bool {
	addresses := []*corev3.Address{lb.GetEndpoint().GetAddress()}
	for _, more := range lb.GetEndpoint().GetAdditionalAddresses() {
		addresses = append(addresses, more.GetAddress())
	}
	for _, a := range addresses {
		if a.GetPipe() != nil {
			continue
		}
		if _, err := netip.ParseAddr(a.GetSocketAddress().GetAddress()); err != nil || a.GetSocketAddress().GetNamedPort() != "" {
			return false
		}
	}
	return true
}

// liftEndpoints splits a cluster into one that asks EDS, and what EDS says.
func (b *bootstrap) liftEndpoints(cluster *mesh.Resource) {
	name := cluster.Key.Name
	sub, ok := text.Sub(cluster.Source.Text, "load_assignment")
	if !ok {
		b.keep(cluster)
		return
	}
	src := sub.Source(cluster.Source)
	line := src.Line
	body, err := text.Set(sub.Text, "cluster_name", name)
	if was, _ := text.Scalar(sub.Text, "cluster_name"); was == "" && err == nil {
		body, err = withFirst(sub.Text, "cluster_name", name)
	} else if was != name {
		b.note(mesh.Note, "named", cluster.Key, "load_assignment.cluster_name", line,
			fmt.Sprintf("its load assignment was called %s; by EDS it is called as the cluster is", was))
	}
	if err != nil {
		b.note(mesh.Warning, "not-lifted", cluster.Key, "load_assignment", line, fmt.Sprintf("its endpoints stay in the cluster: %v", err))
		b.keep(cluster)
		return
	}
	endpoints := b.decode(mesh.Endpoints, text.Edited(src, body), false)
	asking := b.edited(cluster,
		func(s string) (string, error) { return text.Set(s, "type", "EDS") },
		func(s string) (string, error) {
			return text.Rename(s, "load_assignment", "eds_cluster_config", map[string]any{"eds_config": fromADS()})
		})
	if endpoints == nil || asking == nil {
		return
	}
	b.keep(asking)
	b.keep(endpoints)
	b.note(mesh.Note, "lifted", cluster.Key, "load_assignment", line, "its endpoints are served by EDS, so that they can change without the cluster")
}

// listener takes one static listener over; the routes inside of it become route
// configurations of their own.
func (b *bootstrap) listener(t mesh.Type, src mesh.Source, index int) {
	r := b.decode(t, src, true)
	if r == nil {
		return
	}
	b.takeListener(b.named(r, fmt.Sprintf("listener-%d", index+1)))
}

// takeListener takes a listener over that has a name.
func (b *bootstrap) takeListener(r *mesh.Resource) {
	if r = b.secretsBySDS(r); r == nil {
		return
	}
	for {
		path := inlineRoutes(r.Source.Text)
		if path == "" {
			break
		}
		lifted := b.liftRoutes(r, path)
		if lifted == nil {
			break
		}
		r = lifted
	}
	b.keep(r)
}

// routeWord is in every text that has routes inside.
var routeWord = regexp.MustCompile(`\broute_?[cC]onfig"?\s*:`)

// inlineRoutes is the field path of the first route_config in an HTTP
// connection manager, "" without one.
func inlineRoutes(body string) string {
	found := ""
	if !routeWord.MatchString(body) {
		return ""
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil || len(doc.Content) == 0 {
		return ""
	}
	walk(doc.Content[0], "", func(path string, parent *yaml.Node, key string, value *yaml.Node) {
		typ := field(parent, "@type")
		if found == "" && snake(key) == "route_config" && typ != nil &&
			strings.HasSuffix(typ.Value, ".http_connection_manager.v3.HttpConnectionManager") {
			found = path
		}
	})
	return found
}

// liftRoutes moves one route_config out of a listener; nil when it cannot be.
func (b *bootstrap) liftRoutes(listener *mesh.Resource, path string) *mesh.Resource {
	sub, ok := text.Sub(listener.Source.Text, path)
	if !ok {
		return nil
	}
	src := sub.Source(listener.Source)
	line := src.Line
	name, _ := text.Scalar(sub.Text, "name")
	unique, shared := b.routeName(name, listener.Key.Name, sub.Text)
	src, err := applied(src, servedByRDS(sub.Text, unique))
	if err != nil {
		b.note(mesh.Warning, "not-lifted", listener.Key, path, line, fmt.Sprintf("its routes stay in the listener: %v", err))
		return nil
	}
	routes := b.decode(mesh.Route, src, false)
	out := b.edited(listener, func(s string) (string, error) {
		return text.Rename(s, path, "rds", &yaml.Node{Kind: yaml.MappingNode, Content: rdsFields(unique)})
	})
	if routes == nil || out == nil || out == listener {
		return nil
	}
	if !shared {
		b.keep(routes)
	}
	b.note(mesh.Note, "lifted", listener.Key, path, line, fmt.Sprintf("its routes are served by RDS as %s, so that they can change without the listener", unique))
	if name != unique {
		b.note(mesh.Note, "named", routes.Key, "name", line, fmt.Sprintf("the name %s was made up, because %s", unique, whyNamed(name)))
	}
	return out
}

// servedByRDS are the edits that make a route configuration of inline routes: it
// needs the name that it is asked for by, and inline routes are checked against
// the clusters by default, while those that come by RDS are not.
func servedByRDS(body, name string) (edits []func(string) (string, error)) {
	switch was, _ := text.Scalar(body, "name"); was {
	case name:
	case "":
		edits = append(edits, func(s string) (string, error) { return withFirst(s, "name", name) })
	default:
		edits = append(edits, func(s string) (string, error) { return text.Set(s, "name", name) })
	}
	if _, set := text.Sub(body, "validate_clusters"); !set {
		edits = append(edits, func(s string) (string, error) { return text.Set(s, "validate_clusters", true) })
	}
	return edits
}

func whyNamed(was string) string {
	if was == "" {
		return "there was none"
	}
	return "other routes are called " + was + " too"
}

// rdsFields are the fields of an Rds message, the name first.
func rdsFields(name string) []*yaml.Node {
	var source yaml.Node
	if err := source.Encode(fromADS()); err != nil { // cannot be: it is a constant
		return nil
	}
	str := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	return []*yaml.Node{str("route_config_name"), str(name), str("config_source"), &source}
}

// routeName is the name under which routes are served: their own where it is
// free. shared is true when the very same routes were lifted already.
func (b *bootstrap) routeName(name, listener, body string) (unique string, shared bool) {
	if name == "" {
		name = listener + "-routes"
	}
	try := name
	for i := 2; ; i++ {
		was := b.names[mesh.Key{Type: mesh.Route, Name: try}]
		if was == nil {
			return try, false
		}
		if same, err := applied(mesh.Source{Text: body}, servedByRDS(body, try)); err == nil && same.Text == was.Source.Text {
			return try, true
		}
		if try == name {
			try = name + "-" + listener
			continue
		}
		try = fmt.Sprintf("%s-%s-%d", name, listener, i)
	}
}

// named gives a resource without a name one.
func (b *bootstrap) named(r *mesh.Resource, name string) *mesh.Resource {
	if r.Key.Name != "" {
		return r
	}
	out := b.edited(r, func(s string) (string, error) { return withFirst(s, "name", name) })
	if out == nil {
		return r
	}
	b.note(mesh.Note, "named", out.Key, "name", r.Source.Line, fmt.Sprintf("it had no name, so it is called %s", name))
	return out
}

// secretsBySDS lets references to static secrets ask meshtui, which serves
// them by SDS now.
func (b *bootstrap) secretsBySDS(r *mesh.Resource) *mesh.Resource {
	if len(b.secrets) == 0 || !strings.Contains(r.Source.Text, "ecret") {
		return r
	}
	var edits []func(string) (string, error)
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(r.Source.Text), &doc); err != nil || len(doc.Content) == 0 {
		return r
	}
	walk(doc.Content[0], "", func(path string, parent *yaml.Node, key string, value *yaml.Node) {
		name := ""
		if value.Kind == yaml.ScalarNode {
			name = value.Value
		}
		if snake(key) != "name" || !b.secrets[name] || !strings.Contains(path, "ecret") || field(parent, "sds_config") != nil {
			return
		}
		at := strings.TrimSuffix(path, ".name")
		edits = append(edits, func(s string) (string, error) { return text.Set(s, at+".sds_config", fromADS()) })
		b.note(mesh.Note, "lifted", r.Key, at, r.Source.LineAt(value.Line).Line, fmt.Sprintf("the static secret %s is served by SDS", name))
	})
	if len(edits) == 0 {
		return r
	}
	return b.edited(r, edits...)
}
