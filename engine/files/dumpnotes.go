package files

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"example.com/meshtui/engine/mesh"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// otherSources are the beginnings of config sources that are not ours to answer.
var otherSources = []string{"api_config_source", "apiConfigSource", "path", "self"}

// endpoints takes the load assignments that clusters ask for. Envoy dumps what
// it made of the addresses of all other clusters too, which say that themselves.
func (d *configDump) endpoints() {
	alone := len(d.parts.resources[mesh.Cluster]) == 0
	wanted := func(e entry) bool {
		name := e.node.scalar("cluster_name")
		if alone || d.asked[name] {
			return true
		}
		d.unused = append(d.unused, name)
		return false
	}
	d.eachIn(mesh.Endpoints, wanted, func(e entry, r *mesh.Resource) {
		if !d.firstOf(e, r) {
			return
		}
		if ill(r) {
			d.ill = append(d.ill, r.Key)
		}
		d.keep(r)
	})
}

// ill reports whether an endpoint of a load assignment is not healthy.
func ill(r *mesh.Resource) bool {
	a, _ := r.Message.(*endpointv3.ClusterLoadAssignment)
	for _, locality := range a.GetEndpoints() {
		for _, lb := range locality.GetLbEndpoints() {
			if s := lb.GetHealthStatus(); s != corev3.HealthStatus_HEALTHY && s != corev3.HealthStatus_UNKNOWN {
				return true
			}
		}
	}
	return false
}

// inlineRouteNames are the names of the route configurations inside of a
// listener.
func inlineRouteNames(r *mesh.Resource) []string {
	l, _ := r.Message.(*listenerv3.Listener)
	var out []string
	for _, chain := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
		for _, f := range chain.GetFilters() {
			hcm := &hcmv3.HttpConnectionManager{}
			if f.GetTypedConfig().MessageIs(hcm) && f.GetTypedConfig().UnmarshalTo(hcm) == nil && hcm.GetRouteConfig() != nil {
				out = append(out, hcm.GetRouteConfig().GetName())
			}
		}
	}
	return out
}

// head says what the dump is of, and what of the file is not opened.
func (d *configDump) head(found []foundDump) {
	line := found[0].line
	for _, f := range found[1:] {
		d.note(mesh.Warning, "other-dump", mesh.Key{}, "", f.line,
			fmt.Sprintf("the dump of %s is left out: the file has %d dumps, and the first, of %s, is opened", f.name, len(found), found[0].name))
	}
	of := "a part of an Envoy's config, " + d.parts.count()
	if b := d.parts.bootstrap; b != nil {
		of = d.whose(b)
		line = b.line()
	}
	if found[0].name != "" {
		of += ", dumped of " + found[0].name
	}
	if d.parts.updated != "" {
		of += "; last changed " + d.parts.updated
	}
	if d.json {
		of += "; it is shown as YAML, with the lines of the dump"
	}
	d.note(mesh.Note, "dump", mesh.Key{}, "", line, "this is "+of)
	if b := d.parts.bootstrap; b != nil {
		d.bootstrapLeft(b)
	}
}

// count says how many resources of which types there are: "2 listeners, 1 route".
func (p *parts) count() string {
	var out []string
	for _, t := range mesh.Types() {
		switch n := len(p.resources[t]); {
		case n > 0 && t == mesh.Endpoints:
			out = append(out, "the endpoints of "+several(n, "cluster", "clusters"))
		case n > 0:
			out = append(out, several(n, t.String(), t.String()+"s"))
		}
	}
	return strings.Join(out, ", ")
}

// whose says which Envoy a bootstrap is of, and notes the cluster by which it
// reaches its management server.
func (d *configDump) whose(b node) string {
	of := "the config of an Envoy"
	n := b.get("node")
	if n == nil {
		return of
	}
	if v := version(n); v != "" {
		of += " " + v
	}
	var who []string
	for _, f := range []struct{ field, word string }{{"id", "node"}, {"cluster", "cluster"}} {
		if s := n.scalar(f.field); s != "" {
			who = append(who, f.word+" "+s)
		}
	}
	if m := n.get("metadata"); m != nil && m.scalar("ISTIO_VERSION") != "" {
		who = append(who, "Istio "+m.scalar("ISTIO_VERSION"))
	}
	if len(who) > 0 {
		of += " (" + strings.Join(who, ", ") + ")"
	}
	return of
}

// version is which Envoy a node says that it is: "1.40.0", "" where it says none.
func version(n node) string {
	if v := n.scalar("user_agent_version"); v != "" {
		return v
	}
	build := n.get("user_agent_build_version")
	if build == nil || build.get("version") == nil {
		return ""
	}
	v := build.get("version")
	var out []string
	for _, f := range []string{"major_number", "minor_number", "patch"} {
		part := v.scalar(f)
		if part == "" {
			part = "0" // as protobuf leaves it out
		}
		out = append(out, part)
	}
	return strings.Join(out, ".")
}

// bootstrapLeft says what of the bootstrap is not carried over.
func (d *configDump) bootstrapLeft(b node) {
	var left []string
	for _, f := range snakes(b.fields()) {
		if f != "static_resources" {
			left = append(left, f)
		}
	}
	d.adsName = managedBy(b)
	if len(left) > 0 {
		sort.Strings(left)
		d.note(mesh.Note, "not-carried", mesh.Key{}, "", b.line(),
			"not carried over from the bootstrap, since it is of that Envoy's own start: "+list(left, 12))
	}
}

// managedBy is the cluster by which a bootstrap reaches its management server,
// "" without one.
func managedBy(b node) string {
	sources := []node{below(b, "dynamic_resources", "ads_config"),
		below(b, "dynamic_resources", "cds_config", "api_config_source"), below(b, "dynamic_resources", "lds_config", "api_config_source")}
	for _, s := range sources {
		if s == nil {
			continue
		}
		for _, service := range s.items("grpc_services") {
			if g := service.get("envoy_grpc"); g != nil {
				return g.scalar("cluster_name")
			}
		}
	}
	return ""
}

// below follows fields; nil where one is not there.
func below(n node, path ...string) node {
	for _, field := range path {
		if n == nil {
			return nil
		}
		n = n.get(field)
	}
	return n
}

// tail says what became of the rest.
func (d *configDump) tail() {
	d.lost()
	d.notDumped()
	if len(d.unused) > 0 {
		sort.Strings(d.unused)
		d.note(mesh.Note, "not-carried", mesh.Key{}, "", 1, "the endpoints of "+list(slices.Compact(d.unused), 6)+
			" are left out: no cluster asks for them by EDS, they are what Envoy made of the addresses in the cluster")
	}
	if len(d.ill) > 0 {
		var names []string
		for _, k := range d.ill {
			names = append(names, k.Name)
		}
		d.note(mesh.Warning, "health-as-dumped", mesh.Key{}, "", d.states[d.ill[0]].line, "endpoints of "+list(names, 6)+
			" were not healthy when the dump was taken. A dump does not say whether by their management server or by Envoy's own checks (draining ones look unhealthy too); here it counts as said by EDS")
	}
	d.redacted()
	if d.twice > 0 {
		d.note(mesh.Note, "duplicate-resource", mesh.Key{}, "", 1,
			several(d.twice, "entry says", "entries say")+" what another one of the same name says, as routes inside of a listener do; each is taken once")
	}
}

// notDumped says which kinds of resources the dump has none of, though those that
// it has name some: it is a part of what its Envoy held. That comes first, and the
// references are no mistakes.
func (d *configDump) notDumped() {
	lacks := map[mesh.Type]map[string]bool{}
	for _, r := range d.collected {
		for _, ref := range mesh.References(r) {
			if strings.Contains(ref.Path, "api_config_source.") {
				continue // the cluster of an xDS server, which a bootstrap has
			}
			if t := ref.To.Type; d.names[ref.To] == nil && len(d.parts.resources[t]) == 0 && !d.parts.seen[dumpOf[t]] {
				if lacks[t] == nil {
					lacks[t] = map[string]bool{}
				}
				lacks[t][ref.To.Name] = true
			}
		}
	}
	var first []mesh.Finding
	for _, t := range mesh.Types() {
		n := len(lacks[t])
		if n == 0 {
			continue
		}
		d.missing(mesh.DefaultGroup).types[t] = true
		f := mesh.Finding{Severity: mesh.Warning, Rule: NotInDump, File: d.files[0].path, Line: 1, Hint: "take the dump of all: /config_dump?include_eds",
			Message: fmt.Sprintf("the dump has no %s, though it names %d: it is a part of what its Envoy holds", plurals[t], n)}
		if t == mesh.Endpoints {
			f.Message = fmt.Sprintf("the endpoints of %s are not in it: served from here, such a cluster answers 503", several(n, "cluster that asks EDS", "clusters that ask EDS"))
			f.Hint = "take the dump with /config_dump?include_eds"
		}
		first = append(first, f)
	}
	d.Notices = append(first, d.Notices...)
}

// NotInDump is the rule of a finding that a dump has none of a kind of resource
// that it names. It is to be said before all others.
const NotInDump = "not-in-dump"

// dumpOf are the messages that a dump has a kind of resource in.
var dumpOf = map[mesh.Type]string{mesh.Listener: "ListenersConfigDump", mesh.Route: "RoutesConfigDump",
	mesh.Cluster: "ClustersConfigDump", mesh.Endpoints: "EndpointsConfigDump", mesh.Secret: "SecretsConfigDump",
	mesh.ScopedRoute: "ScopedRoutesConfigDump", mesh.Extension: "EcdsConfigDump"}

// plurals are the kinds of resources in the plural.
var plurals = map[mesh.Type]string{mesh.Listener: "listeners", mesh.Route: "route configurations",
	mesh.Cluster: "clusters", mesh.Endpoints: "endpoints", mesh.Secret: "secrets",
	mesh.VirtualHost: "virtual hosts", mesh.ScopedRoute: "scoped routes", mesh.Extension: "extensions", mesh.Runtime: "runtimes"}

// lost says what Envoy itself did not use, and what xDS has no place for here.
func (d *configDump) lost() {
	told := map[string]bool{}
	for _, e := range d.parts.rejected {
		failed := e.get("error_state")
		name, why := e.scalar("name"), failed.scalar("details")
		if c := failed.get("failed_configuration"); name == "" && c != nil {
			name = c.scalar("name")
		}
		if told[name+why] {
			continue // Envoy lists each failure twice
		}
		told[name+why] = true
		d.note(mesh.Warning, "rejected", mesh.Key{Type: mesh.Listener, Name: name}, "", failed.line(),
			"Envoy had rejected a newer version of it, which is not taken: "+strings.Join(strings.Fields(why), " "))
	}
	for _, l := range d.parts.draining {
		d.note(mesh.Note, "draining", mesh.Key{Type: mesh.Listener, Name: l.name}, "", l.line, "it was draining, so it is not taken")
	}
	byKind := map[string][]leftOut{}
	for _, o := range d.parts.other {
		byKind[o.what] = append(byKind[o.what], o)
	}
	for _, what := range sortedKeys(byKind) {
		all := byKind[what]
		var names []string
		for _, o := range all {
			names = append(names, o.name)
		}
		d.note(mesh.Warning, "not-carried", mesh.Key{}, "", all[0].line,
			fmt.Sprintf("%s are not carried over: %s", what, list(names, 6)))
	}
}

// redacted says of which secrets, and of which resources with keys inside, a dump
// does not have the keys.
func (d *configDump) redacted() {
	for _, r := range d.collected {
		// What Envoy writes in the place of a key, as a string and as bytes.
		if containsAny(r.Source.Text, "[redacted]", "W3JlZGFjdGVkXQ==") {
			d.note(mesh.Note, "redacted", r.Key, "", r.Source.Line,
				fmt.Sprintf("a dump holds no private keys, so that an Envoy would refuse this %s until its key is put in", r.Key.Type))
		}
	}
}

// list is the first n of several names, and how many more there are.
func list(names []string, n int) string {
	var shown []string
	for _, name := range names[:min(n, len(names))] {
		if name == "" {
			name = "one without a name"
		}
		shown = append(shown, name)
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

func several(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
