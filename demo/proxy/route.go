package proxy

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/engine/mesh"
)

// takeRoutes applies route configurations in their order up to the first that is
// wrong. A listener that waits for one that was refused, or that does not exist,
// goes on without it and answers 404.
func (n *node) takeRoutes(r *client.Response) client.Answer {
	a := client.Answer{}
	for _, res := range r.Resources {
		rc := res.Message.(*routev3.RouteConfiguration)
		using := n.using(rc.GetName())
		if len(using) == 0 {
			continue // no listener asks for it any more
		}
		got, err := n.acceptRoutes(rc, res.Version)
		if err != nil {
			a.Err = err
			n.routesRefused(rc.GetName(), using)
			return a
		}
		a.Took = append(a.Took, res.Name)
		if old := n.routes[rc.GetName()]; old.message != nil && proto.Equal(old.message, rc) {
			continue
		}
		n.routes[rc.GetName()] = got
		n.stale = true
	}
	for _, name := range r.Removed {
		n.withoutRoutes(name, n.using(name))
	}
	return a
}

func (n *node) acceptRoutes(rc *routev3.RouteConfiguration, version string) (received, error) {
	if err := accept.Accept(mesh.Route, rc); err != nil {
		return received{}, err
	}
	if rc.GetValidateClusters().GetValue() {
		if err := n.validate(rc); err != nil {
			return received{}, fmt.Errorf("%s: %w", rc.GetName(), err)
		}
	}
	return n.received(rc, version)
}

// using are the listeners that ask for a route configuration.
func (n *node) using(name string) []*generation {
	var out []*generation
	for _, g := range n.generations() {
		if g.wants(name) {
			out = append(out, g)
		}
	}
	return out
}

func (n *node) withoutRoutes(name string, using []*generation) {
	for _, g := range using {
		g.waited[name] = true
	}
}

// routesRefused counts it under each connection manager that uses it, and ends
// the wait of listeners.
func (n *node) routesRefused(name string, using []*generation) {
	n.withoutRoutes(name, using)
	counted := map[string]bool{}
	for _, g := range using {
		for _, m := range g.managers {
			stat := "http." + m.GetStatPrefix() + ".rds." + name + ".update_rejected"
			if m.GetRds().GetRouteConfigName() == name && !counted[stat] {
				counted[stat] = true
				n.stats[stat]++
			}
		}
	}
}

// validate refuses routes to clusters that are not there.
func (n *node) validate(rc *routev3.RouteConfiguration) error {
	r, err := mesh.NewResource(rc, mesh.Source{})
	if err != nil {
		return err
	}
	for _, ref := range mesh.References(r) {
		if ref.To.Type == mesh.Cluster && n.clusters[ref.To.Name] == nil {
			return fmt.Errorf("route: unknown cluster '%s'", ref.To.Name)
		}
	}
	return nil
}
