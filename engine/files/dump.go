package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// configDump is a config dump being taken apart. What it shares with a bootstrap
// is done by that.
type configDump struct {
	*bootstrap
	parts  *parts
	states map[mesh.Key]entry // what was taken, and how Envoy held it
	asked  map[string]bool    // names under which clusters ask for endpoints
	inside map[string]bool    // names of routes that stand inside of listeners
	json   bool               // it is JSON, shown as YAML
	twice  int                // entries that say what another one said
	unused []string           // endpoints that no cluster asks for
	ill    []mesh.Key         // load assignments with endpoints that are not healthy
}

// openDump makes a workspace of what an Envoy said that it holds.
func openDump(path, content string, found []foundDump) (*Opened, error) {
	d := &configDump{
		bootstrap: &bootstrap{whole: mesh.Source{File: path}, secrets: map[string]bool{}, names: map[mesh.Key]*mesh.Resource{},
			Opened: &Opened{Name: base(path), Path: absolute(path), Kind: Dump}},
		parts: readDump(found[0].configs), json: isJSON(found[0].configs),
		states: map[mesh.Key]entry{}, asked: map[string]bool{}, inside: map[string]bool{},
	}
	d.files = []*file{{path: path, rel: base(path), group: mesh.DefaultGroup, data: []byte(content)}}
	if v2 := ofV2(found[0].configs); v2 != nil {
		return nil, fmt.Errorf("%s:%d is the dump of an Envoy with the v2 API, which was removed in Envoy 1.18", path, v2.line())
	}
	d.missing(mesh.DefaultGroup).types[mesh.VirtualHost] = true // a dump does not list them by themselves
	d.head(found)
	d.build()
	if len(d.collected) == 0 && len(d.Problems) == 0 {
		return nil, errors.New(path + d.nothing())
	}
	d.tail()
	m, err := mesh.New(d.collected...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d.Meshes = map[string]*mesh.Mesh{mesh.DefaultGroup: m}
	return d.Opened, nil
}

func isJSON(configs []node) bool {
	return slices.ContainsFunc(configs, func(n node) bool { _, ok := n.(jsonNode); return ok })
}

func ofV2(configs []node) node {
	for _, c := range configs {
		if url := c.scalar("@type"); strings.Contains(url, ".v2.") || strings.Contains(url, "v2alpha") {
			return c
		}
	}
	return nil
}

// nothing says of a dump without resources what it is.
func (d *configDump) nothing() string {
	if len(d.parts.other) > 0 {
		return fmt.Sprintf(" is a config dump, but all that is in it is %s: %s", d.parts.other[0].what, takes)
	}
	return " is a config dump without listeners, routes, clusters, endpoints and secrets: was its Envoy running yet? take it again with /config_dump?include_eds"
}

// build makes resources of the parts. Secrets come first, since others name
// them, and routes before the listeners whose inline routes take their names
// from what is left.
func (d *configDump) build() {
	d.each(mesh.Secret, d.keepOnce)
	d.each(mesh.Extension, d.keepOnce)
	d.each(mesh.ScopedRoute, d.keepOnce)
	d.clusters()
	d.endpoints()
	d.eachIn(mesh.Route, func(e entry) bool { return e.state != isStatic }, d.keepOnce)
	n := 0
	d.each(mesh.Listener, func(e entry, r *mesh.Resource) {
		n++
		if r = d.named(r, fmt.Sprintf("listener-%d", n)); d.firstOf(e, r) {
			for _, name := range inlineRouteNames(r) {
				d.inside[name] = true // the dump lists them a second time
			}
			d.takeListener(r)
		}
	})
	d.eachIn(mesh.Route, func(e entry) bool { return e.state == isStatic }, d.staticRoute)
	for i, r := range d.collected {
		d.collected[i] = d.byADS(r)
	}
}

// each reads every resource of a type that Envoy used, and tells of those that
// it did not use yet.
func (d *configDump) each(t mesh.Type, take func(entry, *mesh.Resource)) {
	d.eachIn(t, func(entry) bool { return true }, take)
	for _, e := range d.parts.resources[t] {
		if e.state != isWarming {
			continue
		}
		k := mesh.Key{Type: t, Name: e.node.scalar("name")}
		message := "it was still warming when the dump was taken, so Envoy did not use it yet, and it is not taken"
		if was, there := d.states[k]; there {
			message = fmt.Sprintf("a newer version of it was still warming; the one that Envoy used (line %d) is taken", was.line)
		}
		d.note(mesh.Warning, "warming", k, "", e.line, message)
	}
}

func (d *configDump) eachIn(t mesh.Type, wanted func(entry) bool, take func(entry, *mesh.Resource)) {
	order := []state{isStatic, isActive}
	if t == mesh.Endpoints {
		slices.Reverse(order) // the static ones may be of a cluster that does not ask for them
	}
	for _, s := range order {
		for _, e := range d.parts.resources[t] {
			if e.state != s || !wanted(e) {
				continue
			}
			if t == mesh.Secret && s == isStatic {
				d.secrets[e.node.scalar("name")] = true
			}
			if r := d.read(t, e); r != nil {
				take(e, r)
			}
		}
	}
}

// read decodes an entry; what is wrong with it is a problem, and harms no other.
func (d *configDump) read(t mesh.Type, e entry) *mesh.Resource {
	got := e.node.decode(t)
	if got.resource == nil {
		d.Problems = append(d.Problems, got.findings...)
		if name := e.node.scalar(nameField(t)); name != "" {
			d.missing(mesh.DefaultGroup).unread[mesh.Key{Type: t, Name: name}] = true
		}
		return nil
	}
	d.Notices = append(d.Notices, got.findings...)
	return got.resource
}

// keepOnce takes a resource unless there is one of its name.
func (d *configDump) keepOnce(e entry, r *mesh.Resource) {
	if d.firstOf(e, r) {
		d.keep(r)
	}
}

// firstOf reports whether a resource is the first of its name. What is said of
// a second one depends on how Envoy held the two.
func (d *configDump) firstOf(e entry, r *mesh.Resource) bool {
	was, there := d.states[r.Key]
	if !there {
		d.states[r.Key] = e
		return true
	}
	if was.state == isStatic && e.state != isStatic && r.Key.Type != mesh.Endpoints {
		d.note(mesh.Warning, "duplicate-resource", r.Key, "", e.line,
			fmt.Sprintf("it is there as a static one (line %d) and as one from a management server; the static one is taken, as by Envoy", was.line))
		return false
	}
	d.duplicate(r, was, e)
	return false
}

// duplicate deals with a resource that is there twice in the same state.
func (d *configDump) duplicate(r *mesh.Resource, was, e entry) {
	if mesh.SameContent(was.node.decode(r.Key.Type).resource, r) {
		d.twice++
		return
	}
	d.note(mesh.Warning, "duplicate-resource", r.Key, "", e.line,
		fmt.Sprintf("there is another one of that name on line %d, and that one is taken", was.line))
}

// clusters takes the clusters. Endpoints of one with fixed addresses are served
// by EDS, unless another cluster asks for that name.
func (d *configDump) clusters() {
	var all []*mesh.Resource
	d.each(mesh.Cluster, func(e entry, r *mesh.Resource) {
		if !d.firstOf(e, r) {
			return
		}
		if name, ok := mesh.EndpointsOf(r.Message); ok {
			d.asked[name] = true
		}
		all = append(all, r)
	})
	for _, r := range all {
		if d.asked[r.Key.Name] {
			if _, ok := mesh.EndpointsOf(r.Message); !ok {
				d.keep(r)
				continue
			}
		}
		d.takeCluster(r)
	}
}

// staticRoute takes a static route configuration that stands in no listener of
// the dump.
func (d *configDump) staticRoute(e entry, r *mesh.Resource) {
	if d.inside[r.Key.Name] || r.Key.Name == "" {
		d.twice++
		return
	}
	d.keepOnce(e, r)
}

// has reports whether the dump has what a config source is for: a resource, or
// any of the type where that says no name.
func (d *configDump) has(k mesh.Key) bool {
	return d.names[k] != nil || k.Name == "" && len(d.parts.resources[k.Type]) > 0
}

// byADS lets the config sources of a resource that name another management
// server, or a file, ask meshtui where the dump has what they ask for.
func (d *configDump) byADS(r *mesh.Resource) *mesh.Resource {
	body := r.Source.Text
	if !containsAny(body, sourceWords...) || !containsAny(body, otherSources...) {
		return r
	}
	var edits []func(string) (string, error)
	for _, s := range configSources(body, r.Key.Name) {
		want := asked{key: mesh.Key{Type: s.service, Name: s.name}}
		if s.ads || !d.has(want.key) {
			continue
		}
		for _, kind := range []string{"api_config_source", "path_config_source", "path", "self"} {
			at := text.Field(s.path, kind)
			if _, there := text.Sub(body, at); there {
				edits = append(edits, func(b string) (string, error) { return text.Rename(b, at, "ads", map[string]any{}) })
				d.note(mesh.Note, "rewritten", r.Key, s.path, r.Source.LineAt(s.line).Line,
					fmt.Sprintf("%s is served as \"ads: {}\", since the dump has %s", kind, want))
				break
			}
		}
	}
	if len(edits) == 0 {
		return r
	}
	if out := d.edited(r, edits...); out != nil {
		return out
	}
	return r
}
