package merge

import (
	"fmt"
	"slices"
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

// inHTTP reports whether d is a server block of http {}.
func inHTTP(d *conf.Directive) bool {
	return isServer(d) && d.Parent != nil && d.Parent.Name == "http"
}

// servers brings the server blocks into virtual hosts.
func (m *merger) servers() {
	for _, d := range m.gone(inHTTP) {
		if o, ok := m.hostOf(d); ok {
			list, i := lastIndex(o.Path)
			if l, ok := lookup(m.message(o.Key), list); ok {
				m.removeItem(spot{o.Key, list}, l.value.List().Len(), i)
				m.say("remove virtual host %s", m.hostName(o))
			}
		}
	}
	for _, p := range m.pairs(inHTTP) {
		if o, ok := m.hostOf(p[0]); ok {
			m.host(o, p[0], p[1])
		} else if m.differs(p[0], p[1]) {
			m.newHost(p[1])
		}
	}
	for _, d := range m.fresh(inHTTP) {
		m.newHost(d)
	}
}

// differs reports whether a server that Project adds by itself says something else
// now than where it listens.
func (m *merger) differs(was, now *conf.Directive) bool {
	say := func(d *conf.Directive) (out []string) {
		for _, in := range d.Block {
			if in.Name != "listen" {
				out = append(out, written(in))
			}
		}
		return out
	}
	return !slices.Equal(say(was), say(now))
}

// hosts are the virtual hosts that a server became, at one address after another.
func (s *side) hosts(d *conf.Directive) (out []*routev3.VirtualHost, places []nginx.Origin) {
	for _, o := range s.places(d, 0, hostPath) {
		c, ok := s.at(o)
		if !ok || c.message() == nil {
			continue
		}
		if h, ok := c.message().Interface().(*routev3.VirtualHost); ok {
			out, places = append(out, h), append(places, o)
		}
	}
	return out, places
}

// host brings a server block into its virtual host; locations have their own turn.
func (m *merger) host(o nginx.Origin, was, now *conf.Directive) {
	a, at0 := m.before.hosts(was)
	b, at1 := m.after.hosts(now)
	b, at1 = m.here(o, b, at1)
	ours, ok := lookup(m.message(o.Key), o.Path)
	if len(a) == 0 || len(b) == 0 || !ok {
		return
	}
	m.about(at0[0], at1[0])
	m.fields(target{spot: o2s(o), message: ours.message()}, a[0].ProtoReflect(), b[0].ProtoReflect(), "name", "domains", "routes")
	m.domains(o, ours.message().Interface().(*routev3.VirtualHost), was, now, domainsOf(a), domainsOf(b))
}

// here are the virtual hosts of an import that stand where one of the mesh does;
// all of them, but none for everything, where none does any more.
func (m *merger) here(o nginx.Origin, hosts []*routev3.VirtualHost, places []nginx.Origin) (some []*routev3.VirtualHost, at []nginx.Origin) {
	for i := range hosts {
		if m.atHome(o, places[i].Key) {
			some, at = append(some, hosts[i]), append(at, places[i])
		}
	}
	if len(some) > 0 {
		return some, at
	}
	for _, h := range hosts {
		h = proto.CloneOf(h)
		h.Domains = slices.DeleteFunc(h.GetDomains(), func(d string) bool { return d == "*" })
		some = append(some, h)
	}
	return some, places
}

// domainsOf are the domains of a server in an import, without those that are there for
// what nginx alone does: a Host that begins with a dot, a request without Host.
func domainsOf(hosts []*routev3.VirtualHost) (out []string) {
	for _, h := range hosts {
		for _, d := range h.GetDomains() {
			if !strings.HasPrefix(d, ".") && d != "nohost.invalid" && d != "_" && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// domains brings what server_name and default_server say into the domains.
func (m *merger) domains(o nginx.Origin, ours *routev3.VirtualHost, was, now *conf.Directive, before, after []string) {
	have := ours.GetDomains()
	list := spot{o.Key, below(o.Path, "domains")}
	drop := func(i int) {
		m.removeItem(list, len(have), i)
		m.say("virtual host %s: without %s", ours.GetName(), have[i])
	}
	for i, d := range have {
		if !m.stillNamed(spot{list.key, text.Item(list.path, i)}, was, now) || d == "*" && slices.Contains(before, "*") && !slices.Contains(after, "*") {
			drop(i)
		}
	}
	for _, d := range after {
		if d == "*" && m.goesAlong(was) {
			continue // the server that Project adds answers what no other takes
		}
		if !slices.Contains(before, d) && !slices.Contains(have, d) {
			m.insertValue(list, len(have), len(have), d)
			m.say("virtual host %s: takes %s too", ours.GetName(), d)
		}
	}
	for _, d := range now.Children("server_name") {
		if before := m.trees.was[d]; before != nil && same(before, d) {
			continue
		}
		for _, name := range d.Args {
			if strings.HasPrefix(name, "~") {
				m.report(importer.Entry{Kind: nginx.None, Directive: d.String(), File: file, Line: d.Line, Key: o.Key, Path: list.path,
					Reason: "Envoy's domains know no expressions", Instead: "name the hosts, or write routes with a header match on :authority in the virtual host of *"})
			}
		}
	}
}

// stillNamed reports whether what a domain is shown as still stands in its
// server; what is shown nowhere stays.
func (m *merger) stillNamed(domain spot, was, now *conf.Directive) bool {
	var names []string
	for _, d := range m.mirrorsOf[domain] {
		if d.Name == "server_name" && d.Parent == was {
			names = append(names, d.Args...)
		}
	}
	if len(names) == 0 || slices.Equal(names, []string{"_"}) {
		return true
	}
	after := serverNames(now)
	return slices.ContainsFunc(names, func(n string) bool {
		bare, dotted := strings.CutPrefix(strings.ToLower(n), "*.")
		return slices.Contains(after, strings.ToLower(n)) || slices.Contains(after, "."+strings.ToLower(n)) || dotted && slices.Contains(after, "."+bare)
	})
}

// goesAlong reports whether the servers of the address moved, and the one that
// Project adds there did not: it goes with them.
func (m *merger) goesAlong(server *conf.Directive) bool {
	return slices.ContainsFunc(m.siteList, func(s *site) bool {
		return s.after != s.before && s.own && slices.ContainsFunc(s.servers, func(d *conf.Directive) bool { return d.Parent == server })
	})
}

// newHost adds a server as a virtual host of the route configuration that its
// address has, or comes with the listener that is new.
func (m *merger) newHost(d *conf.Directive) {
	hosts, places := m.after.hosts(d)
	m.remade[d] = true
	if len(hosts) == 0 {
		return
	}
	for _, l := range d.Children("location") {
		m.withoutSlash(l, nginx.Origin{})
	}
	done := map[mesh.Key]bool{}
	for i, at := range places {
		if done[at.Key] {
			continue
		}
		done[at.Key] = true
		m.newHostAt(d, hosts, places, i)
	}
}

func (m *merger) newHostAt(d *conf.Directive, hosts []*routev3.VirtualHost, places []nginx.Origin, first int) {
	key := places[first].Key
	h := proto.Clone(hosts[first]).(*routev3.VirtualHost)
	for i := range hosts {
		if places[i].Key == key && i != first {
			h.Domains = append(h.Domains, hosts[i].GetDomains()...)
		}
	}
	h.Domains = slices.DeleteFunc(h.Domains, func(d string) bool { return strings.HasPrefix(d, ".") || d == "nohost.invalid" || d == "_" })
	h.Routes = m.stripped(places[first], h.GetRoutes())
	list, listener, ok := m.routing(key)
	if !ok && listener.IsZero() {
		return // its listener is new: it comes with it
	}
	if !ok {
		m.report(importer.Entry{Kind: nginx.None, Directive: "server", File: file, Line: d.Line, Key: listener,
			Reason: "the routes of this listener are not in the mesh", Instead: "add the route configuration that it asks for first"})
		return
	}
	if len(h.Domains) == 0 {
		m.report(importer.Entry{Kind: nginx.None, Directive: "server", File: file, Line: d.Line, Key: list.key,
			Reason: "the server has no name that Envoy could choose it by", Instead: "give it a server_name, or make it the default_server"})
		return
	}
	n := 0
	names := map[string]bool{}
	if l, ok := lookup(m.message(list.key), list.path); ok {
		n = l.value.List().Len()
		for i := range n {
			names[l.value.List().Get(i).Message().Interface().(*routev3.VirtualHost).GetName()] = true
		}
	}
	name := h.GetName()
	for i := 2; names[h.Name]; i++ {
		h.Name = fmt.Sprintf("%s-%d", name, i)
	}
	m.insertValue(list, n, n, h)
	m.say("new virtual host %s", h.GetName())
}

// routing is the list of virtual hosts of the mesh for the route configuration of
// the edited import.
// The listener is zero where that is new.
func (m *merger) routing(key mesh.Key) (hosts spot, listener mesh.Key, ok bool) {
	for _, s := range m.siteList {
		if s.after == key.Name {
			return s.hosts, s.listener, s.hosts.path != ""
		}
	}
	return spot{}, mesh.Key{}, false
}

// managers are the places of the HTTP connection managers of a listener.
func managers(l *listenerv3.Listener) (out []string) {
	add := func(at string, c *listenerv3.FilterChain) {
		for i, f := range c.GetFilters() {
			if strings.HasSuffix(f.GetTypedConfig().GetTypeUrl(), ".http_connection_manager.v3.HttpConnectionManager") {
				out = append(out, fmt.Sprintf("%s.filters[%d].typed_config", at, i))
			}
		}
	}
	for i, c := range l.GetFilterChains() {
		add(fmt.Sprintf("filter_chains[%d]", i), c)
	}
	if c := l.GetDefaultFilterChain(); c != nil {
		add("default_filter_chain", c)
	}
	return out
}
