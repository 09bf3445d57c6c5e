package merge

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// site is one address of a listener of the mesh, with what the imports call it.
type site struct {
	listener mesh.Key
	address  string            // path of the address
	before   string            // name of the listener in the import of the shown text
	after    string            // in that of the edited one, "" where nothing listens there any more
	hosts    spot              // the list of virtual hosts
	servers  []*conf.Directive // listen lines of the shown text
	own      bool              // one of them is Project's own, and is still there
}

// sites aligns what is listened on, and brings over what holds for a listener as
// a whole.
func (m *merger) sites() {
	m.findSites()
	for _, s := range m.siteList {
		m.site(s)
	}
	m.newSites()
}

// findSites goes through the listen lines of the shown text.
func (m *merger) findSites() {
	at := map[nginx.Origin]*site{}
	for d := range m.before.conf.All() {
		if d.Name != "listen" || d.Parent == nil || !inHTTP(d.Parent) {
			continue
		}
		for _, o := range m.origins(d) {
			if o.Key.Type != mesh.Listener || !strings.HasSuffix(o.Path, "address") {
				continue
			}
			s := at[o]
			if s == nil {
				s = &site{listener: o.Key, address: o.Path, before: m.before.listener(d), hosts: m.hostsOf(o.Key)}
				at[o] = s
				m.siteList = append(m.siteList, s)
			}
			s.servers = append(s.servers, d)
		}
	}
	for _, s := range m.siteList {
		s.after = m.nowAt(s)
	}
}

// listener is the name of the listener that a listen line became.
func (s *side) listener(d *conf.Directive) string {
	for _, o := range s.links[d] {
		if o.Key.Type == mesh.Listener {
			return o.Key.Name
		}
	}
	return ""
}

// nowAt is where the servers of a site listen now: at one place, if all that the
// mesh has a virtual host for agree. A server that Project adds goes along.
func (m *merger) nowAt(s *site) string {
	var all, own []string
	for _, d := range s.servers {
		now := m.trees.now[d]
		if now == nil {
			continue
		}
		name := m.after.listener(now)
		if _, ok := m.hostOf(d.Parent); ok {
			all = append(all, name)
		} else {
			own, s.own = append(own, name), true
		}
	}
	if len(all) == 0 {
		all = own
	}
	slices.Sort(all)
	all = slices.Compact(all)
	switch {
	case len(all) == 1:
		return all[0]
	case slices.Contains(all, s.before):
		return s.before
	}
	return ""
}

// hostsOf is the list of virtual hosts that a listener's manager uses.
func (m *merger) hostsOf(k mesh.Key) spot {
	l, _ := m.message(k).(*listenerv3.Listener)
	for _, at := range managers(l) {
		if _, ok := lookup(l, below(at, "route_config")); ok {
			return spot{k, below(at, "route_config.virtual_hosts")}
		}
		if name, ok := lookup(l, below(at, "rds.route_config_name")); ok {
			if key := (mesh.Key{Type: mesh.Route, Name: name.value.String()}); m.mesh.Get(key) != nil {
				return spot{key, "virtual_hosts"}
			}
		}
	}
	return spot{}
}

// site brings one address over.
func (m *merger) site(s *site) {
	was, _ := m.before.message(mesh.Key{Type: mesh.Listener, Name: s.before}).(*listenerv3.Listener)
	now, _ := m.after.message(mesh.Key{Type: mesh.Listener, Name: s.after}).(*listenerv3.Listener)
	ours, _ := m.message(s.listener).(*listenerv3.Listener)
	if was == nil || ours == nil {
		return
	}
	if now == nil {
		m.closed(s)
		return
	}
	m.about(nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.before}}, nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.after}})
	m.fields(target{spot: spot{key: s.listener}, message: ours.ProtoReflect()}, was.ProtoReflect(), now.ProtoReflect(),
		"name", "address", "additional_addresses", "filter_chains", "default_filter_chain", "stat_prefix")
	if !proto.Equal(was.GetAddress(), now.GetAddress()) {
		m.move(s, was.GetAddress(), now.GetAddress())
	}
	m.manager(s, ours, was, now)
	m.routes(s)
}

// move gives the listener another address.
func (m *merger) move(s *site, was, now *corev3.Address) {
	c, ok := lookup(m.message(s.listener), s.address)
	if !ok || c.message() == nil {
		return
	}
	kept := m.concerns
	m.concerns = nil
	m.forced = true
	m.fields(target{spot: spot{s.listener, s.address}, message: c.message()}, was.ProtoReflect(), now.ProtoReflect())
	m.forced, m.concerns = false, kept
	m.say("%s listens on %s", s.listener, mesh.Address(now))
}

// closed takes a listener out on whose address no server listens any more.
func (m *merger) closed(s *site) {
	for _, other := range m.siteList {
		if other.listener == s.listener && other != s && other.after != "" {
			m.report(importer.Entry{Kind: nginx.None, Directive: s.servers[0].String(), File: file, Line: m.lineOf(s.servers[0]), Key: s.listener, Path: s.address,
				Reason: "the listener has other addresses that are still in use", Instead: "take the address out of it in Envoy's own terms"})
			return
		}
	}
	m.ops.removed = append(m.ops.removed, Edit{Op: Remove, Key: s.listener})
	m.say("remove %s", s.listener)
	for _, other := range m.siteList {
		if other.hosts.key == s.hosts.key && other.listener != s.listener && other.after != "" {
			return
		}
	}
	if s.hosts.key.Type == mesh.Route && m.mesh.Get(s.hosts.key) != nil {
		m.ops.removed = append(m.ops.removed, Edit{Op: Remove, Key: s.hosts.key})
	}
}

// manager brings over what holds for the connections and requests of an address.
// Chains are told apart by the names of the handshake that they are for.
func (m *merger) manager(s *site, ours, was, now *listenerv3.Listener) {
	for i, at := range managers(ours) {
		a, b := managers(was), managers(now)
		j := chainLike(ours, at, was, a, i)
		if j < 0 || j >= len(b) {
			continue
		}
		m.about(nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.before}, Path: a[j]}, nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.after}, Path: b[j]})
		m.between(s.listener, ours, was, now, at, a[j], b[j], "stat_prefix", "rds", "route_config")
		chain := chainPath.FindString
		m.about(nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.before}, Path: chain(a[j])}, nginx.Origin{Key: mesh.Key{Type: mesh.Listener, Name: s.after}, Path: chain(b[j])})
		m.between(s.listener, ours, was, now, chain(at), chain(a[j]), chain(b[j]), "name", "filters")
	}
}

// between merges the messages at three paths.
func (m *merger) between(k mesh.Key, ours, was, now proto.Message, at, a, b string, skip ...string) {
	o, okO := lookup(ours, at)
	x, okA := lookup(was, a)
	y, okB := lookup(now, b)
	if !okO || !okA || !okB {
		return
	}
	mine, before, after := unpacked(o.message()), unpacked(x.message()), unpacked(y.message())
	if mine == nil || before == nil || after == nil || mine.Descriptor() != before.Descriptor() || before.Descriptor() != after.Descriptor() {
		return
	}
	m.fields(target{spot: spot{k, at}, message: mine}, before, after, skip...)
}

// chainLike is the manager of an import whose chain takes the same names as ours.
func chainLike(ours *listenerv3.Listener, at string, theirs *listenerv3.Listener, all []string, index int) int {
	names := func(l *listenerv3.Listener, at string) string {
		c, ok := lookup(l, below(chainPath.FindString(at), "filter_chain_match"))
		if !ok {
			return ""
		}
		m, _ := c.message().Interface().(*listenerv3.FilterChainMatch)
		return strings.Join(m.GetServerNames(), " ")
	}
	for j, other := range all {
		if names(ours, at) == names(theirs, other) {
			return j
		}
	}
	if index < len(all) {
		return index
	}
	return -1
}

// routes brings over what a route configuration says for all of its hosts.
func (m *merger) routes(s *site) {
	ours := s.hosts
	ours.path = strings.TrimSuffix(s.hosts.path, "virtual_hosts")
	ours.path = strings.TrimSuffix(ours.path, ".")
	c, ok := lookup(m.message(ours.key), ours.path)
	was, _ := m.before.message(mesh.Key{Type: mesh.Route, Name: s.before}).(*routev3.RouteConfiguration)
	now, _ := m.after.message(mesh.Key{Type: mesh.Route, Name: s.after}).(*routev3.RouteConfiguration)
	if !ok || c.message() == nil || was == nil || now == nil {
		return
	}
	m.about(nginx.Origin{Key: mesh.Key{Type: mesh.Route, Name: s.before}}, nginx.Origin{Key: mesh.Key{Type: mesh.Route, Name: s.after}})
	m.fields(target{spot: ours, message: c.message()}, was.ProtoReflect(), now.ProtoReflect(), "name", "virtual_hosts")
}

// newSites adds the listeners of addresses that the mesh does not have.
func (m *merger) newSites() {
	have := map[string]bool{}
	for _, s := range m.siteList {
		have[s.after] = true
	}
	for _, r := range m.after.result.Mesh.List(mesh.Listener) {
		d := m.after.result.Made[r.Key]
		if have[r.Key.Name] || d == nil || !m.listensAnew(r.Key.Name) {
			continue
		}
		m.putSite(r.Key)
	}
}

// listensAnew reports whether a server that the operator wrote or moved listens at
// an address of the edited import.
func (m *merger) listensAnew(name string) bool {
	for d := range m.after.conf.All() {
		if d.Name != "listen" || m.after.listener(d) != name {
			continue
		}
		if was := m.trees.was[d]; was == nil || !same(was, d) {
			return true
		}
	}
	return false
}
