package check

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// vhdsRoute is the route configuration that a virtual host of that name joins:
// what stands before the last slash, "" where there is none.
func vhdsRoute(name string) string {
	return name[:max(strings.LastIndexByte(name, '/'), 0)]
}

// joined lists the virtual hosts that join a route configuration by VHDS.
func (c *checker) joined(route string) []*mesh.Resource {
	var out []*mesh.Resource
	for _, r := range c.mesh.List(mesh.VirtualHost) {
		if vhdsRoute(r.Key.Name) == route {
			out = append(out, r)
		}
	}
	return out
}

// virtualHostName reports virtual hosts that no route configuration asks for.
func virtualHostName(c *checker) {
	asks := map[string]bool{}
	each(c, func(_ node, rc *routev3.RouteConfiguration) {
		if rc.GetVhds() != nil {
			asks[rc.GetName()] = true
		}
	})
	for _, r := range c.mesh.List(mesh.VirtualHost) {
		route := mesh.Key{Type: mesh.Route, Name: vhdsRoute(r.Key.Name)}
		switch {
		case asks[route.Name] && route.Name != "":
		case !strings.Contains(r.Key.Name, "/"):
			c.report(mesh.Error, r.Key, "name",
				fmt.Sprintf("virtual host %q does not say which route configuration it joins, so that no Envoy asks for it", r.Key.Name),
				"begin its name with the route configuration's and a slash: local_route/"+r.Key.Name)
		case c.mesh.Get(route) != nil:
			c.report(mesh.Error, r.Key, "name",
				fmt.Sprintf("route %q does not ask for virtual hosts, so that no request reaches %q", route.Name, r.Key.Name),
				"add vhds: {config_source: {ads: {}, resource_api_version: V3}} to that route configuration")
		case c.absent(route):
		default:
			hint := "add it, or begin this name with one that is there"
			if near := c.nearest(route); near != "" {
				hint += fmt.Sprintf("; did you mean %q?", near)
			}
			c.report(mesh.Error, r.Key, "name",
				fmt.Sprintf("virtual host %q joins route %q, which is not in this mesh", r.Key.Name, route.Name), hint)
		}
	}
}

// absent reports whether a resource is known to come from elsewhere, or to be
// what could not be read.
func (c *checker) absent(k mesh.Key) bool {
	if c.Known == nil {
		return false
	}
	_, known := c.Known.Absent(k)
	return known
}

// noJoinedHost reports route configurations that ask for virtual hosts in vain.
func noJoinedHost(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		if rc.GetVhds() == nil || sourceOf(rc.GetVhds().GetConfigSource()) != ours || len(c.joined(rc.GetName())) > 0 ||
			c.absent(mesh.Key{Type: mesh.VirtualHost, Name: rc.GetName() + "/"}) {
			return
		}
		c.report(mesh.Warning, n.key, n.at("vhds"),
			fmt.Sprintf("no virtual host of this mesh joins route %q, and Envoy answers what its own do not take with 404", rc.GetName()),
			fmt.Sprintf("add one whose name begins with %q, or remove vhds", rc.GetName()+"/"))
	})
}
