package proxy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/engine/mesh"
)

// listener is one listener by name: the version that takes connections, and the
// one that is to follow it.
type listener struct {
	name            string
	active, warming *generation
	failure         *admin.Failure // of the newest version, when it was refused
}

// generation is one version of a listener.
type generation struct {
	received
	name     string
	managers []*hcmv3.HttpConnectionManager
	sockets  []*socket
	front    *front
	waited   map[string]bool // route configurations that it no longer waits for
	gone     chan struct{}   // closed when it no longer waits for any
}

// wants reports whether it asks for a route configuration.
func (g *generation) wants(name string) bool {
	return slices.ContainsFunc(g.managers, func(m *hcmv3.HttpConnectionManager) bool { return m.GetRds().GetRouteConfigName() == name })
}

// takeListeners applies a response with listeners. Those that go make room
// first, so that another may take their address in the same response.
func (n *node) takeListeners(r *client.Response) client.Answer {
	named := map[string]bool{}
	for _, res := range r.Resources {
		named[mesh.NameOf(res.Message)] = true
	}
	for name, l := range n.listeners {
		if slices.Contains(r.Removed, name) || (r.Whole && !named[name]) {
			n.removeListener(l)
		}
	}
	var wrong []string
	a := client.Answer{}
	seen := map[string]bool{}
	for _, res := range r.Resources {
		l := res.Message.(*listenerv3.Listener)
		err := fmt.Errorf("duplicate listener %s found", l.GetName())
		if !seen[l.GetName()] {
			seen[l.GetName()] = true
			err = n.setListener(l, res.Version)
		}
		if err != nil {
			wrong = append(wrong, l.GetName()+": "+strings.TrimPrefix(err.Error(), "listener "+l.GetName()+": "))
			n.failed(l, res.Version, err)
			continue
		}
		a.Took = append(a.Took, res.Name)
	}
	if len(wrong) > 0 {
		a.Err = fmt.Errorf("Error adding/updating listener(s) %s", strings.Join(wrong, "\n")) //nolint:staticcheck // Envoy's own words
	}
	n.began = true
	return a
}

// failed keeps that a listener was refused, until it is good again or gone.
func (n *node) failed(l *listenerv3.Listener, version string, why error) {
	k := n.listeners[l.GetName()]
	if k == nil {
		k = &listener{name: l.GetName()}
		n.listeners[l.GetName()] = k
	}
	k.failure = &admin.Failure{At: n.now(), Version: version, Details: why.Error(), Message: l}
}

// setListener takes a new or changed listener: it gets its sockets, and takes
// connections once its routes are known.
func (n *node) setListener(l *listenerv3.Listener, version string) error {
	if err := accept.Accept(mesh.Listener, l); err != nil {
		return err
	}
	if l.GetName() == "" {
		return errNoName
	}
	k := n.listeners[l.GetName()]
	switch {
	case k == nil:
		k = &listener{name: l.GetName()}
	case k.warming != nil && proto.Equal(k.warming.message, l):
		k.failure = nil
		return nil
	case k.active != nil && proto.Equal(k.active.message, l):
		k.failure = nil
		n.giveUp(k)
		return nil
	}
	managers, err := managersOf(l)
	if err != nil {
		return err
	}
	if err := n.knowsClusters(managers); err != nil {
		return err
	}
	got, err := n.received(l, version)
	if err != nil {
		return err
	}
	g := &generation{received: got, name: l.GetName(), managers: managers, waited: map[string]bool{}, gone: make(chan struct{})}
	if err := n.claim(g, l); err != nil {
		return err
	}
	n.giveUp(k)
	k.warming, k.failure = g, nil
	n.listeners[l.GetName()] = k
	n.awaitRoutes(k, g)
	n.useListener(k)
	return nil
}

// managersOf are the HTTP connection managers of a listener.
func managersOf(l *listenerv3.Listener) ([]*hcmv3.HttpConnectionManager, error) {
	chains := l.GetFilterChains()
	if d := l.GetDefaultFilterChain(); d != nil {
		chains = append(slices.Clone(chains), d)
	}
	var out []*hcmv3.HttpConnectionManager
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			m := &hcmv3.HttpConnectionManager{}
			if !f.GetTypedConfig().MessageIs(m) {
				continue
			}
			if err := f.GetTypedConfig().UnmarshalTo(m); err != nil {
				return nil, fmt.Errorf("filter %s cannot be read: %w", f.GetName(), err)
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// knowsClusters refuses routes within a listener to clusters that are not there,
// as Envoy does unless it is told otherwise.
func (n *node) knowsClusters(managers []*hcmv3.HttpConnectionManager) error {
	for _, m := range managers {
		rc := m.GetRouteConfig()
		if rc != nil && (rc.GetValidateClusters() == nil || rc.GetValidateClusters().GetValue()) {
			if err := n.validate(rc); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetchTimeout is how long Envoy waits for a resource unless it is told.
const fetchTimeout = 15 * time.Second

// awaitRoutes has a warming listener wait no longer than it should for each of
// its route configurations.
func (n *node) awaitRoutes(k *listener, g *generation) {
	for _, m := range g.managers {
		rds := m.GetRds()
		if rds == nil || n.routes[rds.GetRouteConfigName()].message != nil {
			continue
		}
		wait := fetchTimeout
		if d := rds.GetConfigSource().GetInitialFetchTimeout(); d != nil {
			wait = d.AsDuration()
		}
		if wait == 0 {
			continue // for ever
		}
		n.tasks.Go("listener "+g.name, func() error {
			late := time.NewTimer(wait)
			defer late.Stop()
			select {
			case <-late.C:
				n.locked(func() { g.waited[rds.GetRouteConfigName()] = true })
			case <-g.gone:
			case <-n.ctx.Done():
			}
			return nil
		})
	}
}

// lacks reports whether a listener still waits for routes.
func (n *node) lacks(g *generation) bool {
	return slices.ContainsFunc(g.managers, func(m *hcmv3.HttpConnectionManager) bool {
		name := m.GetRds().GetRouteConfigName()
		return m.GetRds() != nil && n.routes[name].message == nil && !g.waited[name]
	})
}

// useListener has the warming version take connections if nothing is missing.
func (n *node) useListener(k *listener) {
	g := k.warming
	if g == nil || !n.clustersWarm() || n.lacks(g) {
		return
	}
	old := k.active
	k.active, k.warming = g, nil
	close(g.gone)
	g.front = n.newFront(g)
	n.stale = true
	if old != nil {
		n.freeze(old)
	}
	n.rebuild() // the matcher must know the listener before its first request
	g.front.start(n)
	for _, s := range g.sockets {
		s.give(n, g) // who had it and was removed ends once nobody waits for another of its sockets
	}
	if old != nil {
		n.retire(old)
	}
}

// giveUp drops the version of a listener that is warming.
func (n *node) giveUp(k *listener) {
	if k.warming == nil {
		return
	}
	close(k.warming.gone)
	n.release(k.warming)
	k.warming = nil
}

// removeListener takes a listener away. Its address stays open while another
// listener warms for it: see sweep.
func (n *node) removeListener(l *listener) {
	delete(n.listeners, l.name)
	n.giveUp(l)
	if g := l.active; g != nil {
		n.freeze(g)
		n.removed = append(n.removed, g)
	}
	n.stale = true
}

// sweep retires the listeners that were removed and that nobody follows: each
// serves until all who warm for one of its sockets have taken it over.
func (n *node) sweep() {
	for _, g := range slices.Clone(n.removed) {
		if !n.followed(g) {
			n.retire(g)
		}
	}
}

// followed reports whether a listener warms for a socket that is g's still.
func (n *node) followed(g *generation) bool {
	for _, l := range n.listeners {
		if l.warming == nil {
			continue
		}
		for _, s := range l.warming.sockets {
			if s.owner.Load() == g {
				return true
			}
		}
	}
	return false
}

// retire ends a version that took connections: its sockets are given back, and
// it drains.
func (n *node) retire(g *generation) {
	n.removed = slices.DeleteFunc(n.removed, func(o *generation) bool { return o == g })
	n.release(g)
	n.draining = append(n.draining, g)
	n.stale = true
	g.front.leaving.Store(true)
	n.tasks.Go("draining "+g.name, func() error {
		g.front.drain(n.ctx)
		n.locked(func() {
			n.draining = slices.DeleteFunc(n.draining, func(o *generation) bool { return o == g })
		})
		return nil
	})
}

// release gives the sockets back.
func (n *node) release(g *generation) {
	for _, s := range g.sockets {
		s.users--
		if s.users == 0 {
			delete(n.sockets, s.key)
			s.close()
		}
	}
	g.sockets = nil
}

// generations are all that may need routes.
func (n *node) generations() []*generation {
	var out []*generation
	for _, l := range n.listeners {
		for _, g := range []*generation{l.active, l.warming} {
			if g != nil {
				out = append(out, g)
			}
		}
	}
	return append(append(out, n.removed...), n.draining...)
}

// claim gets the sockets of a listener: those of the one that it follows, others
// anew.
func (n *node) claim(g *generation, l *listenerv3.Listener) error {
	places, err := placesOf(l)
	if err != nil {
		return err
	}
	var fresh []*socket
	for _, p := range places {
		s := n.sockets[p.key]
		if s == nil {
			if s, err = bind(p); err != nil {
				break
			}
			fresh = append(fresh, s)
			n.sockets[p.key] = s
		} else if other := n.holder(s, g.name); other != "" {
			err = fmt.Errorf("error adding listener: '%s' has duplicate address '%s' as existing listener %s", g.name, p.shown, other)
			break
		}
		if slices.Contains(g.sockets, s) {
			err = fmt.Errorf("error adding listener: '%s' has duplicate address '%s' itself", g.name, p.shown)
			break
		}
		g.sockets = append(g.sockets, s)
	}
	if err == nil {
		for _, s := range g.sockets {
			s.users++
		}
		return nil
	}
	g.sockets = nil
	for _, s := range fresh {
		delete(n.sockets, s.key)
		s.close()
	}
	return err
}

// holder names another listener that holds the socket and does not leave, ""
// for none.
func (n *node) holder(s *socket, but string) string {
	for _, l := range n.listeners {
		for _, g := range []*generation{l.active, l.warming} {
			if l.name != but && g != nil && slices.Contains(g.sockets, s) {
				return l.name
			}
		}
	}
	return ""
}

// askRoutes asks for the routes that listeners name, and forgets others.
func (n *node) askRoutes() {
	wanted := n.routeNames()
	n.client.Subscribe(mesh.Route, slices.Collect(maps.Keys(wanted))...)
	maps.DeleteFunc(n.routes, func(name string, _ received) bool { return !wanted[name] })
}

// routeNames are the route configurations that listeners name.
func (n *node) routeNames() map[string]bool {
	out := map[string]bool{}
	for _, g := range n.generations() {
		for _, m := range g.managers {
			if name := m.GetRds().GetRouteConfigName(); name != "" {
				out[name] = true
			}
		}
	}
	return out
}

var errNoAddress = errors.New("address is necessary")
