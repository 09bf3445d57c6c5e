package xds

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"example.com/meshtui/engine/mesh"
)

// An Envoy subscribes to virtual hosts by wildcard, and gets all of them. When a
// request comes for a host that none of them serves, it also asks for
// "ROUTE/HOST", on demand, and holds the request back until a resource comes of
// that name or alias. One that holds nothing says that there is none; an entry in
// removed_resources does not end the wait. Whoever sends requests chooses these
// names, so they are answered once and not remembered: the wildcard covers what
// may come to be. See
// https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/vhds.

// inquire notes the names in a delta request for virtual hosts, and takes those
// out of it that a wildcard covers.
func (n *node) inquire(st *stream, req *discovery.DeltaDiscoveryRequest) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	wildcard := false
	for _, name := range req.GetResourceNamesSubscribe() {
		if name == "*" {
			wildcard = true
			continue
		}
		names = append(names, name)
	}
	if s := st.subs[req.GetTypeUrl()]; s != nil && s.wildcard || wildcard {
		req.ResourceNamesSubscribe = nil
		if wildcard {
			req.ResourceNamesSubscribe = []string{"*"}
		}
	}
	st.inquiring = names
}

// inquiry takes what was noted over into the subscription.
func (s *sub) inquiry() {
	for _, name := range s.stream.inquiring {
		if s.inquiries == nil {
			s.inquiries = map[string]struct{}{}
		}
		s.inquiries[name] = struct{}{}
		s.urgent = true // a request waits for the answer
	}
	s.stream.inquiring = nil
}

// aliased reports whether a subscription by name covers a virtual host by one of
// its domains, or has it already.
func (s *sub) aliased(resource string) bool {
	if _, held := s.held[resource]; held {
		return true
	}
	for name := range s.names.all() {
		if r := s.stream.node.virtualHost(name); r != nil && r.Key.Name == resource {
			return true
		}
	}
	return false
}

// inquired puts the answers to what was asked once into a response.
func (n *node) inquired(s *sub, out *discovery.DeltaDiscoveryResponse, rec *record) {
	if len(s.inquiries) == 0 {
		return
	}
	for _, name := range sortedNames(s.inquiries) {
		r := n.virtualHost(name)
		if r == nil {
			rec.removed = append(rec.removed, name)
			continue
		}
		i := slices.Index(rec.names, r.Key.Name)
		if i < 0 {
			i = len(rec.names)
			n.put(s, out, rec, r)
		}
		if name != r.Key.Name {
			out.Resources[i].Aliases = append(out.Resources[i].Aliases, name)
		}
	}
	s.inquiries = nil
	for _, name := range rec.removed {
		out.Resources = append(out.Resources, &discovery.Resource{Name: name, Aliases: []string{name}}) // Envoy refuses an empty one without an alias
	}
}

// virtualHost is the virtual host of a resource name, or that serves the host in
// "ROUTE/HOST"; nil when there is none.
func (n *node) virtualHost(name string) *mesh.Resource {
	if r := n.offered.mesh.Get(mesh.Key{Type: mesh.VirtualHost, Name: name}); r != nil {
		return r
	}
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return nil
	}
	if n.hosts.mesh != n.offered.mesh {
		n.hosts = indexHosts(n.offered.mesh)
	}
	return n.hosts.byRoute[name[:i]].serving(strings.ToLower(name[i+1:]))
}

// hosts finds the virtual hosts of a mesh by route configuration and domain.
type hosts struct {
	mesh    *mesh.Mesh
	byRoute map[string]domains
}

// domains are the virtual hosts of one route configuration by their domains,
// in lower case: "a.test", "*.a.test", "a.*", "*".
type domains map[string]*mesh.Resource

func indexHosts(m *mesh.Mesh) hosts {
	out := hosts{mesh: m, byRoute: map[string]domains{}}
	for _, r := range m.List(mesh.VirtualHost) {
		i := strings.LastIndexByte(r.Key.Name, '/')
		vh, ok := r.Message.(*routev3.VirtualHost)
		if i < 0 || !ok {
			continue
		}
		route := r.Key.Name[:i]
		if out.byRoute[route] == nil {
			out.byRoute[route] = domains{}
		}
		for _, d := range vh.GetDomains() {
			out.byRoute[route][strings.ToLower(d)] = r
		}
	}
	return out
}

// serving is the virtual host that Envoy takes for a host: that with the very
// name, else with the longest end of it, else with the longest beginning, else
// the one for all; nil when there is none.
func (d domains) serving(host string) *mesh.Resource {
	if r := d[host]; r != nil || len(d) == 0 {
		return r
	}
	for i := 1; i < len(host); i++ {
		if r := d["*"+host[i:]]; r != nil {
			return r
		}
	}
	for i := len(host) - 1; i > 0; i-- {
		if r := d[host[:i]+"*"]; r != nil {
			return r
		}
	}
	return d["*"]
}
