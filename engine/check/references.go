package check

import (
	"fmt"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// source is where Envoy looks up a name: from the server that served the
// resource (ours), or elsewhere, in words.
type source string

const ours source = ""

// sourceOf reads a config source. None at all counts as ours: what is wrong
// with that is not the reference.
func sourceOf(cs *corev3.ConfigSource) source {
	switch {
	case cs.GetPathConfigSource() != nil:
		return source("the file " + cs.GetPathConfigSource().GetPath())
	case cs.GetPath() != "": //nolint:staticcheck // deprecated, and still what people have
		return source("the file " + cs.GetPath()) //nolint:staticcheck // as above
	case cs.GetApiConfigSource() != nil:
		return "another xDS server"
	}
	return ours
}

// findSources notes for every name that is looked up elsewhere where that is.
func (c *checker) findSources() {
	note := func(path string, n node, cs *corev3.ConfigSource) {
		if s := sourceOf(cs); s != ours {
			c.sources[place{n.key, path}] = s
		}
		if cs.GetInitialFetchTimeout() != nil {
			c.waits[place{n.key, path}] = cs.GetInitialFetchTimeout().AsDuration()
		}
	}
	each(c, func(n node, m *hcmv3.Rds) { note(n.at("route_config_name"), n, m.GetConfigSource()) })
	each(c, func(n node, m *tlsv3.SdsSecretConfig) { note(n.at("name"), n, m.GetSdsConfig()) })
	c.discoveries(func(d discovery) { note(d.at("name"), d.node, d.GetConfigSource()) })
	each(c, func(n node, m *hcmv3.ScopedRoutes) {
		for _, r := range c.mesh.List(mesh.ScopedRoute) { // whose routes are asked for where it says
			note("route_configuration_name", node{key: r.Key}, m.GetRdsConfigSource())
		}
		for i := range m.GetScopedRouteConfigurationsList().GetScopedRouteConfigurations() {
			at := text.Item(n.below("scoped_route_configurations_list.scoped_route_configurations"), i)
			note(text.Field(at, "route_configuration_name"), n, m.GetRdsConfigSource())
		}
	})
	each(c, func(n node, m *clusterv3.Cluster) {
		note(n.at("name"), n, m.GetEdsClusterConfig().GetEdsConfig())
		note(n.below("eds_cluster_config.service_name"), n, m.GetEdsClusterConfig().GetEdsConfig())
	})
}

// waiting says for how long Envoy does something while what ref names is not
// there, and what it does then: never, where its initial_fetch_timeout is 0.
func (c *checker) waiting(ref mesh.Reference, does, meanwhile, then string) string {
	d, written := c.waits[place{ref.From, ref.Path}]
	if !written {
		d = 15 * time.Second
	}
	if d == 0 {
		return fmt.Sprintf("%s without end (initial_fetch_timeout is 0), %s", does, meanwhile)
	}
	return fmt.Sprintf("%s until initial_fetch_timeout (%g s), %s, and then %s", does, d.Seconds(), meanwhile, then)
}

// dangling calls visit for every name that leads to nothing in this mesh, with
// what is known of that.
func (c *checker) dangling(visit func(ref mesh.Reference, from string, known bool)) {
	for _, ref := range c.refs {
		if c.mesh.Get(ref.To) != nil || c.sources[place{ref.From, ref.Path}] != ours || isConfigSource(ref.Path) {
			continue
		}
		from, known := "", false
		if c.Known != nil {
			from, known = c.Known.Absent(ref.To)
		}
		visit(ref, from, known)
	}
}

// ForeignReference is the rule of a finding about a name whose resource is known
// to come from elsewhere. It is a warning to whoever reads the configuration; an
// Envoy that is served from here alone does not get the resource.
const ForeignReference = "foreign-reference"

// foreignReferences reports names of what comes from elsewhere and was not read.
func foreignReferences(c *checker) {
	c.dangling(func(ref mesh.Reference, from string, known bool) {
		if !known || from == "" {
			return
		}
		comes := "comes"
		if ref.To.Type == mesh.Endpoints {
			comes = "come"
		}
		_, hint := c.consequence(ref)
		c.report(mesh.Warning, ref.From, ref.Path, fmt.Sprintf("%s names %s, which %s from %s, not read here",
			quoted(ref.From), quoted(ref.To), comes, from),
			"open a config dump of that Envoy to see all of it; to have it served from here, "+hint)
	})
}

// danglingReferences reports every name that leads to nothing, as far as is known.
func danglingReferences(c *checker) {
	c.dangling(func(ref mesh.Reference, _ string, known bool) {
		if known {
			return
		}
		s, hint := c.consequence(ref)
		if near := c.nearest(ref.To); near != "" {
			hint += fmt.Sprintf("; did you mean %q?", near)
		}
		are := "is"
		if ref.To.Type == mesh.Endpoints {
			are = "are"
		}
		c.report(s, ref.From, ref.Path, fmt.Sprintf("%s names %s, which %s not in this mesh",
			quoted(ref.From), quoted(ref.To), are), hint)
	})
}

// isConfigSource tells the cluster of an xDS server: Envoy has it from its
// bootstrap, not from a mesh.
func isConfigSource(path string) bool { return strings.Contains(path, "api_config_source.") }

// quoted is a key with its name in quotes.
func quoted(k mesh.Key) string {
	if k.Type == mesh.Endpoints {
		return fmt.Sprintf("the endpoints %q", k.Name)
	}
	return fmt.Sprintf("%s %q", k.Type, k.Name)
}

// consequence says what Envoy does with a name that leads nowhere, and how bad
// that is.
func (c *checker) consequence(ref mesh.Reference) (mesh.Severity, string) {
	switch ref.To.Type {
	case mesh.Route:
		if ref.From.Type == mesh.ScopedRoute || strings.Contains(ref.Path, "scoped_route_configurations_list") {
			return mesh.Error, "add this route configuration: until it is there Envoy answers the requests of this scope with 404"
		}
		return mesh.Error, "add this route configuration: " +
			c.waiting(ref, "Envoy waits for it", "before the listener opens", "answers every request with 404")
	case mesh.Endpoints:
		return mesh.Error, "add these endpoints: without them " +
			c.waiting(ref, "the cluster warms", "holding back the ACK of every cluster", "answers 503 UH")
	case mesh.Secret:
		return mesh.Error, "add this secret: without it " + c.waiting(ref, "the listener or cluster waits", "not in use", "TLS handshakes fail")
	}
	if ref.To.Type == mesh.Extension {
		return c.unknownExtension(ref)
	}
	return c.unknownCluster(ref)
}

// unknownCluster is consequence for a cluster.
func (c *checker) unknownCluster(ref mesh.Reference) (mesh.Severity, string) {
	inRoutes, validated := c.routesOf(ref)
	switch {
	case validated && ref.From.Type == mesh.Route:
		return mesh.Error, "add the cluster or correct the name: validate_clusters is on, so Envoy rejects this route configuration"
	case validated:
		return mesh.Error, "add the cluster or correct the name: with its routes inline Envoy rejects the listener"
	case strings.Contains(ref.Path, "request_mirror_policies"):
		return mesh.Warning, "add the cluster or remove the policy: Envoy serves the requests and drops their mirrored copies"
	case strings.Contains(ref.Path, ".envoy_grpc.") || strings.HasSuffix(ref.Path, "uri.cluster"):
		return mesh.Warning, "add the cluster, unless the bootstrap of every Envoy in this group has it"
	case inRoutes:
		return mesh.Error, "add the cluster or correct the name: Envoy ACKs such a route and then answers its requests with 503 NC"
	}
	return mesh.Error, "add the cluster or correct the name: Envoy ACKs such a listener and then closes its connections"
}

// routesOf says whether a reference stands in a route configuration, and
// whether Envoy then rejects an unknown cluster: by default it does for one
// that is inline in a listener, and not for one that RDS serves.
func (c *checker) routesOf(ref mesh.Reference) (inRoutes, validated bool) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		inline := n.path != ""
		if n.key != ref.From || inline && !strings.HasPrefix(ref.Path, n.path+".") {
			return
		}
		inRoutes, validated = true, inline
		if rc.GetValidateClusters() != nil {
			validated = rc.GetValidateClusters().GetValue()
		}
		if strings.Contains(ref.Path, "typed_per_filter_config") || strings.Contains(ref.Path, ".envoy_grpc.") {
			validated = false // Envoy validates what routes name, not what filters do
		}
	})
	return inRoutes, validated
}

// nearest is the one name of that type in the mesh that differs from k's in
// case only, or by one letter; "" without one.
func (c *checker) nearest(k mesh.Key) string {
	found := ""
	for _, r := range c.mesh.List(k.Type) {
		if name := r.Key.Name; strings.EqualFold(name, k.Name) || oneApart(name, k.Name) {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// oneApart reports whether one inserted, lost or other byte makes a into b.
// Names of fewer than four letters are too short for that to mean anything.
func oneApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 4 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i < len(a) && a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}

// unused notes what nothing in the mesh asks for. Listeners are where requests
// come in: nothing names them.
func unused(c *checker) {
	used := map[mesh.Key]bool{}
	for _, ref := range c.refs {
		used[ref.To] = true
	}
	hint := "delete it, or name it where it is meant to be used"
	if c.mayNameUnseen() {
		hint += "; an extension that is not checked here, or a request header, may name it"
	}
	for _, r := range c.mesh.All() {
		switch r.Key.Type {
		case mesh.Listener, mesh.VirtualHost: // virtual-host-name is about these
			continue
		case mesh.Runtime:
			if r.Key.Name != "" && r.Key.Name != mesh.RuntimeLayer {
				c.report(mesh.Note, r.Key, "name", fmt.Sprintf("an Envoy that meshtui starts asks for the runtime %q, and not for this one", mesh.RuntimeLayer),
					"call it that, unless the bootstrap of another Envoy has an rtds_layer of this name")
			}
			continue
		case mesh.ScopedRoute:
			used[r.Key] = c.asksForScopes()
		}
		if used[r.Key] || r.Key.Name == "" {
			continue
		}
		c.report(mesh.Note, r.Key, "", "nothing in this mesh names "+quoted(r.Key), hint)
	}
}

// mayNameUnseen reports whether the mesh may name clusters in a way that
// References cannot see.
func (c *checker) mayNameUnseen() bool {
	if len(c.byName["xds.type.v3.TypedStruct"])+len(c.byName["udpa.type.v1.TypedStruct"]) > 0 {
		return true
	}
	found := false
	each(c, func(_ node, m *routev3.RouteAction) {
		found = found || m.GetClusterHeader() != "" || m.GetClusterSpecifierPlugin() != "" ||
			m.GetInlineClusterSpecifierPlugin() != nil
	})
	return found
}
