package files

import (
	"path/filepath"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// Known is what is known of the resources that a group's mesh names and that
// were not opened with it. The zero Known knows nothing.
type Known struct {
	opened *Opened
	group  string
}

// Known is what is known of the resources that a group does not hold. o may be
// nil.
func (o *Opened) Known(group string) Known { return Known{opened: o, group: group} }

// Absent says where a resource is that the group does not hold: from is in words,
// "another control plane" or a file, or "" where a problem or a notice says
// already that it could not be read or is not there. known is false for what was
// opened, and for a name that leads nowhere.
func (k Known) Absent(key mesh.Key) (from string, known bool) {
	if k.opened == nil || k.opened.Meshes[k.group].Get(key) != nil {
		return "", false
	}
	a := k.opened.absent[k.group]
	if a.unread[key] || a.types[key.Type] {
		return "", true
	}
	from, known = a.foreign[key.Type]
	return from, known
}

// absent is what is known to be missing of a group.
type absent struct {
	unread  map[mesh.Key]bool    // a problem says why
	types   map[mesh.Type]bool   // none of the type could be read, or is there, which is said elsewhere
	foreign map[mesh.Type]string // what is not here of a type comes from there
}

// missing is the record of what a group lacks, to be added to.
func (o *Opened) missing(group string) absent {
	if o.absent == nil {
		o.absent = map[string]absent{}
	}
	a, there := o.absent[group]
	if !there {
		a = absent{unread: map[mesh.Key]bool{}, types: map[mesh.Type]bool{}, foreign: map[mesh.Type]string{}}
		o.absent[group] = a
	}
	return a
}

// unread notes a resource that could not be read, so that nothing more is said of
// those that name it.
func (o *Opened) unread(group string, t mesh.Type, body string) {
	if name, ok := text.Scalar(body, nameField(t)); ok && name != "" {
		o.missing(group).unread[mesh.Key{Type: t, Name: name}] = true
	}
}

// unreadFile notes a file that could not be taken apart: it would have had
// resources of the type that it is called after.
func (o *Opened) unreadFile(f *file) {
	name := filepath.Base(f.rel)
	if !xdsName.MatchString(name) {
		return
	}
	for _, t := range mesh.Types() {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(t.File(), ".yaml")); ok && strings.ContainsAny(rest[:1], "-.") {
			o.missing(f.group).types[t] = true
		}
	}
}

// comesFrom notes what a bootstrap's Envoy has from elsewhere: what its static
// resources ask ADS for, and clusters.
func (b *bootstrap) comesFrom(dynamic *bootstrapv3.Bootstrap_DynamicResources) {
	foreign := b.missing(mesh.DefaultGroup).foreign
	const another = "another control plane"
	if dynamic.GetAdsConfig() != nil {
		for _, t := range []mesh.Type{mesh.Route, mesh.Endpoints, mesh.Secret, mesh.Extension, mesh.ScopedRoute, mesh.VirtualHost} {
			foreign[t] = another
		}
	}
	switch cds := dynamic.GetCdsConfig(); {
	case cds == nil:
	case sourceFile(cds) != "":
		foreign[mesh.Cluster] = "the file " + sourceFile(cds)
	default:
		foreign[mesh.Cluster] = another
	}
}

// sourceFile is the path of a config source, in either of its forms; "" for any
// other kind.
func sourceFile(c *corev3.ConfigSource) string {
	if p := c.GetPathConfigSource().GetPath(); p != "" {
		return p
	}
	return c.GetPath() //nolint:staticcheck // deprecated, and still what people have
}
