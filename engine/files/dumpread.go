package files

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
)

// state is how Envoy held a resource.
type state string

const (
	isStatic  state = "static"
	isActive  state = "active"
	isWarming state = "warming"
)

// entry is one resource of a dump.
type entry struct {
	node  node
	state state
	line  int
}

// parts are what a dump holds, by what it is.
type parts struct {
	resources map[mesh.Type][]entry
	bootstrap node
	rejected  []node          // error_state of listeners, with their names
	draining  []leftOut       // listeners that are only draining
	other     []leftOut       // what xDS has no place for here
	seen      map[string]bool // kinds of dumps that were there
	updated   string          // the newest last_updated
}

// leftOut is a part of a dump that is not carried over.
type leftOut struct {
	what string // "endpoint statistics (of /clusters)"
	name string
	line int
}

// listFields are the lists of Envoy's dump messages that hold one resource each,
// which is in the field called in.
var listFields = []struct {
	list, in string
	t        mesh.Type
	state    state
}{
	{"static_listeners", "listener", mesh.Listener, isStatic},
	{"static_clusters", "cluster", mesh.Cluster, isStatic},
	{"dynamic_active_clusters", "cluster", mesh.Cluster, isActive},
	{"dynamic_warming_clusters", "cluster", mesh.Cluster, isWarming},
	{"static_route_configs", "route_config", mesh.Route, isStatic},
	{"dynamic_route_configs", "route_config", mesh.Route, isActive},
	{"static_endpoint_configs", "endpoint_config", mesh.Endpoints, isStatic},
	{"dynamic_endpoint_configs", "endpoint_config", mesh.Endpoints, isActive},
	{"static_secrets", "secret", mesh.Secret, isStatic},
	{"dynamic_active_secrets", "secret", mesh.Secret, isActive},
	{"dynamic_warming_secrets", "secret", mesh.Secret, isWarming},
}

// dumpMessages are Envoy's dump messages; one may be there without anything in it.
var dumpMessages = []string{"BootstrapConfigDump", "ClustersConfigDump", "EndpointsConfigDump", "ListenersConfigDump",
	"ScopedRoutesConfigDump", "RoutesConfigDump", "SecretsConfigDump", "EcdsConfigDump"}

// otherFields are further fields by which a dump message is known.
var otherFields = []string{"dynamic_listeners", "ecds_filters", "inline_scoped_route_configs", "dynamic_scoped_route_configs"}

// readDump takes the messages of a dump apart.
func readDump(configs []node) *parts {
	p := &parts{resources: map[mesh.Type][]entry{}, seen: map[string]bool{}}
	for _, c := range configs {
		p.config(c)
	}
	if len(p.resources) == 0 && p.bootstrap != nil {
		p.fromBootstrap()
	}
	return p
}

// fromBootstrap takes the static resources of a bootstrap that is all that was
// dumped; else the dump lists them by themselves.
func (p *parts) fromBootstrap() {
	for field, t := range map[string]mesh.Type{"listeners": mesh.Listener, "clusters": mesh.Cluster, "secrets": mesh.Secret} {
		if static := p.bootstrap.get("static_resources"); static != nil {
			for _, r := range static.items(field) {
				p.take(t, isStatic, r, r)
			}
		}
	}
}

// config reads one dump message, one element of such a message as ?resource=
// returns it, or one bare resource as istioctl lists them.
func (p *parts) config(c node) {
	names := snakes(c.fields())
	if t, ok := resourceType(c, names); ok {
		p.take(t, isActive, c, c)
		return
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	if has("bootstrap") {
		p.bootstrap = c.get("bootstrap")
		return
	}
	known := false
	for _, l := range listFields {
		if has(l.list) {
			known = true
			for _, e := range c.items(l.list) {
				p.element(e, l.in, l.t, l.state)
			}
		}
	}
	if has("dynamic_listeners") {
		known = true
		for _, e := range c.items("dynamic_listeners") {
			p.listener(e)
		}
	}
	known = p.beyond(c, has) || known
	if url := c.scalar("@type"); strings.HasSuffix(url, "ConfigDump") {
		name := url[strings.LastIndexByte(url, '.')+1:]
		p.seen[name] = true
		if !known && !slices.Contains(dumpMessages, name) {
			p.other = append(p.other, leftOut{what: name + " and what is in it", line: c.line()})
		}
		return
	}
	if !known {
		p.flat(c, has)
	}
}

// flat reads one element of a dump message.
func (p *parts) flat(c node, has func(string) bool) {
	url := c.scalar("@type")
	if has("active_state") || has("warming_state") || has("draining_state") || has("error_state") {
		p.listener(c)
		return
	}
	for _, l := range listFields {
		static := strings.Contains(url, ".Static")
		if has(l.in) && static == (l.state == isStatic) && l.state != isWarming {
			p.element(c, l.in, l.t, l.state)
			return
		}
	}
	what := "a part that is not known here"
	if url != "" {
		what = url[strings.LastIndexByte(url, '/')+1:]
	} else if has("host_statuses") {
		what = "endpoint statistics (of /clusters)"
	}
	p.other = append(p.other, leftOut{what: what, name: c.scalar("name"), line: c.line()})
}

func (p *parts) element(e node, in string, t mesh.Type, s state) {
	if r := e.get(in); r != nil {
		p.take(t, s, r, e)
		return
	}
	p.other = append(p.other, leftOut{what: "entries without a " + in, name: e.scalar("name"), line: e.line()})
}

func (p *parts) take(t mesh.Type, s state, r, e node) {
	p.resources[t] = append(p.resources[t], entry{node: r, state: s, line: r.line()})
	p.updated = max(p.updated, e.scalar("last_updated"))
}

// listener reads one dynamic listener, which may be there in several states.
func (p *parts) listener(e node) {
	active := e.get("active_state")
	warming := e.get("warming_state")
	for _, s := range []struct {
		node  node
		state state
	}{{active, isActive}, {warming, isWarming}} {
		if s.node != nil {
			p.element(s.node, "listener", mesh.Listener, s.state)
		}
	}
	if active == nil && warming == nil && e.get("draining_state") != nil {
		p.draining = append(p.draining, leftOut{name: e.scalar("name"), line: e.line()})
	}
	if e.get("error_state") != nil {
		p.rejected = append(p.rejected, e)
	}
}

// beyond reads what is in lists of its own form: the scoped routes of a name, and
// extensions. It reports whether there was such.
func (p *parts) beyond(c node, has func(string) bool) (known bool) {
	if has("dynamic_scoped_route_configs") {
		known = true
		for _, e := range c.items("dynamic_scoped_route_configs") {
			p.scopes(e)
		}
	}
	known = known || has("inline_scoped_route_configs") // these stand in their listener
	for _, e := range c.items("ecds_filters") {
		p.element(e, "ecds_filter", mesh.Extension, isActive)
	}
	if has("ecds_filter") {
		p.element(c, "ecds_filter", mesh.Extension, isActive)
	}
	if has("scoped_route_configs") && !strings.Contains(c.scalar("@type"), ".Inline") {
		p.scopes(c)
	}
	return known || has("ecds_filters") || has("ecds_filter") || has("scoped_route_configs")
}

func (p *parts) scopes(e node) {
	for _, r := range e.items("scoped_route_configs") {
		p.take(mesh.ScopedRoute, isActive, r, e)
	}
}

// bareFields are fields by which a resource without "@type" is known, the first
// that fits wins: istioctl prints lists of such.
var bareFields = []struct {
	t      mesh.Type
	fields []string
}{
	{mesh.Listener, []string{"filter_chains", "default_filter_chain", "api_listener", "listener_filters"}},
	{mesh.Route, []string{"virtual_hosts", "vhds"}},
	{mesh.ScopedRoute, []string{"route_configuration_name"}},
	{mesh.Endpoints, []string{"cluster_name"}},
	{mesh.Secret, []string{"tls_certificate", "validation_context", "session_ticket_keys", "generic_secret"}},
	{mesh.Cluster, []string{"eds_cluster_config", "load_assignment", "lb_policy", "connect_timeout", "cluster_type"}},
}

// resourceType is the type of a resource that stands by itself.
func resourceType(n node, names []string) (mesh.Type, bool) {
	if url := n.scalar("@type"); url != "" {
		return mesh.TypeOfURL(url)
	}
	for _, b := range bareFields {
		if slices.ContainsFunc(b.fields, func(f string) bool { return slices.Contains(names, f) }) {
			return b.t, true
		}
	}
	return 0, false
}

func snakes(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = snake(n)
	}
	return out
}

// noWeight reports the weight of 0 that Envoy prints for a locality that has
// none, and that it would refuse itself.
func noWeight(name string, v jsonValue) bool {
	return snake(name) == "load_balancing_weight" && v.text() == "0"
}

func withoutZeroWeights(m proto.Message) {
	a, ok := m.(*endpointv3.ClusterLoadAssignment)
	if !ok {
		return
	}
	for _, locality := range a.GetEndpoints() {
		if locality.LoadBalancingWeight != nil && locality.GetLoadBalancingWeight().GetValue() == 0 {
			locality.LoadBalancingWeight = nil
		}
		for _, lb := range locality.GetLbEndpoints() {
			if lb.LoadBalancingWeight != nil && lb.GetLoadBalancingWeight().GetValue() == 0 {
				lb.LoadBalancingWeight = nil
			}
		}
	}
}
