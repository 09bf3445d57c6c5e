package merge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// taken is what goes to another place as the mesh has it, with the changes that
// the edit makes to it: what nginx cannot say goes along.
type taken struct {
	from spot
	then func(yaml string) (string, error) // what is made of it there
}

// takePrefix begins the value of an edit that is only known when all others are.
const takePrefix = "{taken: "

func (m *merger) take(from spot, then func(string) (string, error)) string {
	m.takes = append(m.takes, taken{from, then})
	return fmt.Sprintf("%s%d}", takePrefix, len(m.takes)-1)
}

// resolve puts what is taken into the edits. Those of a resource's inner parts
// come before those of the lists that hold them, so the paths hold.
func (m *merger) resolve(edits []Edit) error {
	for i, e := range edits {
		n, ok := strings.CutPrefix(e.Value, takePrefix)
		if !ok {
			continue
		}
		index, err := strconv.Atoi(strings.TrimSuffix(n, "}"))
		if err != nil || index >= len(m.takes) {
			continue
		}
		t := m.takes[index]
		if edits[i].Value, err = m.takenText(t, edits); err != nil {
			return fmt.Errorf("%s: %w", t.from.key, err)
		}
	}
	return nil
}

func (m *merger) takenText(t taken, edits []Edit) (string, error) {
	now := m.mesh.Get(t.from.key).Source.Text
	var err error
	for _, e := range edits {
		rest, in := under(e.Path, t.from.path)
		if !in || rest == "" || e.Key != t.from.key || e.Op == Put || e.Op == Remove {
			continue
		}
		if now, err = e.made(now); err != nil {
			return "", err
		}
	}
	if t.from.path != "" {
		part, ok := text.Sub(now, t.from.path)
		if !ok {
			return "", fmt.Errorf("%s is not there", t.from.path)
		}
		now = part.Text
	}
	return t.then(now)
}

// mover is a server that listens at an address where it did not.
type mover struct {
	was, now *conf.Directive
	host     nginx.Origin // its virtual host in the mesh
	all      bool         // it takes everything that no other server there does
}

// moversTo are the servers of the mesh that are new at a route configuration of
// the edited import, by their virtual hosts in that.
func (m *merger) moversTo(k mesh.Key) map[string]*mover {
	out := map[string]*mover{}
	for _, p := range m.pairs(inHTTP) {
		o, ok := m.hostOf(p[0])
		if !ok || m.atHome(o, k) {
			continue
		}
		hosts, places := m.after.hosts(p[1])
		v := &mover{was: p[0], now: p[1], host: o}
		for i, at := range places {
			if at.Key == k {
				out[at.Path] = v
				v.all = v.all || slices.Contains(hosts[i].GetDomains(), "*")
			}
		}
	}
	return out
}

// atHome reports whether a route configuration of the edited import is where a
// virtual host of the mesh stands.
func (m *merger) atHome(host nginx.Origin, k mesh.Key) bool {
	list, _ := lastIndex(host.Path)
	return slices.ContainsFunc(m.siteList, func(s *site) bool { return s.after == k.Name && s.hosts == spot{host.Key, list} })
}

// settled is the text of a virtual host for its new place.
func (v *mover) settled(yaml string) (string, error) {
	var names []string
	for i := 0; ; i++ {
		c, ok := text.Sub(yaml, text.Item("domains", i))
		if !ok {
			break
		}
		names = append(names, strings.Trim(strings.TrimSpace(c.Text), `"'`))
	}
	star := slices.Index(names, "*")
	switch {
	case v.all && star < 0:
		return text.Insert(yaml, "domains", len(names), "*")
	case !v.all && star >= 0 && len(names) > 1:
		return text.Delete(yaml, text.Item("domains", star))
	}
	return yaml, nil
}

// cutFrom is the route of a location that was cut out of another block and pasted
// where d stands, with nothing changed.
func (m *merger) cutFrom(d *conf.Directive) (nginx.Origin, bool) {
	for g := range m.before.conf.All() {
		if !isLocation(g) || m.trees.now[g] != nil || identity(g) != identity(d) || answering(g) != answering(d) {
			continue
		}
		if o, ok := m.routeOf(g); ok && !m.borrows(o, g) && !isNamed(g) && !m.divided(o, g) {
			return o, true
		}
	}
	return nginx.Origin{}, false
}

// divided reports whether another location than d stands for the route too, as for a
// path_separated_prefix: it takes more than d does.
func (m *merger) divided(o nginx.Origin, d *conf.Directive) bool {
	for other := range m.before.conf.All() {
		if of, ok := m.routeOf(other); ok && other != d && isLocation(other) && !isNamed(other) && of == o {
			return true
		}
	}
	return false
}

// moved brings the servers that listen elsewhere now to the virtual hosts of
// listeners that are in the mesh, and takes them away from where they do not
// listen any more. Listeners that are new come with theirs.
func (m *merger) moved() {
	for _, s := range m.siteList {
		if s.after == "" || s.hosts.path == "" {
			continue
		}
		done := map[*mover]bool{}
		for _, v := range m.moversTo(mesh.Key{Type: mesh.Route, Name: s.after}) {
			if done[v] {
				continue
			}
			done[v] = true
			n := 0
			if l, ok := lookup(m.message(s.hosts.key), s.hosts.path); ok {
				n = l.value.List().Len()
			}
			l := m.ops.list(s.hosts, n)
			l.insert(len(l.items), m.take(o2s(v.host), v.settled))
			m.say("virtual host %s at %s too", m.hostName(v.host), s.listener)
		}
	}
	for _, p := range m.pairs(inHTTP) {
		o, ok := m.hostOf(p[0])
		if !ok || m.stays(o, p[1]) {
			continue
		}
		list, i := lastIndex(o.Path)
		l, ok := lookup(m.message(o.Key), list)
		if !ok {
			continue
		}
		m.removeItem(spot{o.Key, list}, l.value.List().Len(), i)
		m.say("virtual host %s goes from where it was", m.hostName(o))
	}
}

// stays reports whether a server still listens where its virtual host stands.
func (m *merger) stays(host nginx.Origin, now *conf.Directive) bool {
	_, places := m.after.hosts(now)
	list, _ := lastIndex(host.Path)
	known := slices.ContainsFunc(m.siteList, func(s *site) bool { return s.hosts == spot{host.Key, list} && s.after != "" })
	return !known || len(places) == 0 || slices.ContainsFunc(places, func(at nginx.Origin) bool { return m.atHome(host, at.Key) })
}

// putSite adds a listener with its routes. What comes from a server that the mesh
// has is taken from there, the listener too; the rest is as in the import but for
// what is there for nginx alone.
func (m *merger) putSite(k mesh.Key) {
	rc, ok := m.after.message(mesh.Key{Type: mesh.Route, Name: k.Name}).(*routev3.RouteConfiguration)
	if !ok {
		m.putNew(k)
		return
	}
	key := mesh.Key{Type: mesh.Route, Name: rc.GetName()}
	movers := m.moversTo(key)
	if !m.putListenerLike(k, movers) {
		m.putNew(k)
	}
	out := &routev3.RouteConfiguration{Name: rc.GetName(), IgnorePortInHostMatching: rc.GetIgnorePortInHostMatching()}
	yaml, err := text.Encode(out)
	if err != nil {
		return
	}
	m.ops.put = append(m.ops.put, Edit{Op: Put, Key: key, Value: yaml})
	done := map[*mover]bool{}
	n := 0
	for i, h := range rc.GetVirtualHosts() {
		at := text.Item("virtual_hosts", i)
		v := movers[at]
		if done[v] && v != nil {
			continue
		}
		value := ""
		if v != nil {
			done[v] = true
			value = m.take(o2s(v.host), v.settled)
		} else {
			h = proto.CloneOf(h)
			h.Routes = m.stripped(nginx.Origin{Key: key, Path: at}, h.GetRoutes())
			if value, err = text.Encode(h); err != nil {
				continue
			}
		}
		m.ops.put = append(m.ops.put, Edit{Op: Insert, Key: key, Path: text.Item("virtual_hosts", n), Value: value})
		n++
	}
}

// putListenerLike adds a listener that is like the one which a server comes from,
// at another address and with routes of its own. It reports whether it could: a
// listener with TLS or routes within is not made like one without.
func (m *merger) putListenerLike(k mesh.Key, movers map[string]*mover) bool {
	theirs, _ := m.after.message(k).(*listenerv3.Listener)
	for _, at := range slices.Sorted(maps.Keys(movers)) {
		list, _ := lastIndex(movers[at].host.Path)
		for _, s := range m.siteList {
			ours, _ := m.message(s.listener).(*listenerv3.Listener)
			if s.hosts != (spot{movers[at].host.Key, list}) || ours == nil {
				continue
			}
			if s.hosts.key == s.listener || secured(ours) || secured(theirs) {
				m.report(importer.Entry{Kind: nginx.Approximate, Directive: "listen", File: file, Line: movers[at].now.Line, Key: s.listener,
					Reason: "the new listener is made of what nginx says alone", Instead: fmt.Sprintf("bring what else %s has (filters, limits, certificates) over in Envoy's own terms", s.listener)})
				return false
			}
			m.ops.put = append(m.ops.put, Edit{Op: Put, Key: k, Value: m.take(spot{key: s.listener}, func(yaml string) (string, error) { return listenerAt(yaml, ours, theirs) })})
			m.say("new %s, like %s", k, s.listener)
			return true
		}
	}
	return false
}

// listenerAt is the text of a listener at the address, and with the name and the
// routes, of another.
func listenerAt(yaml string, ours, theirs *listenerv3.Listener) (string, error) {
	yaml, err := text.Set(yaml, "name", theirs.GetName())
	if err != nil {
		return "", err
	}
	if yaml, err = text.Set(yaml, "address", theirs.GetAddress()); err != nil {
		return "", err
	}
	if len(ours.GetAdditionalAddresses()) > 0 {
		if yaml, err = text.Delete(yaml, "additional_addresses"); err != nil {
			return "", err
		}
	}
	for _, at := range managers(ours) {
		if yaml, err = text.Set(yaml, below(at, "rds.route_config_name"), theirs.GetName()); err != nil {
			return "", err
		}
	}
	return yaml, nil
}

// secured reports whether a listener takes TLS connections.
func secured(l *listenerv3.Listener) bool {
	return l.GetDefaultFilterChain().GetTransportSocket() != nil ||
		slices.ContainsFunc(l.GetFilterChains(), func(c *listenerv3.FilterChain) bool { return c.GetTransportSocket() != nil })
}
