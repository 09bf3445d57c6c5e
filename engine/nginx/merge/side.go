package merge

import (
	"regexp"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// side is one of the two texts and what the importer makes of it.
type side struct {
	conf   *conf.Config
	result *importer.Result
	links  map[*conf.Directive][]nginx.Origin
	made   map[*conf.Directive][]mesh.Key
	said   map[mesh.Key]proto.Message // messages in which clusters have the mesh's names
}

func newSide(c *conf.Config) *side {
	s := &side{conf: c, result: imported(c), links: map[*conf.Directive][]nginx.Origin{}, made: map[*conf.Directive][]mesh.Key{}}
	for _, l := range s.result.Links {
		s.links[l.From] = append(s.links[l.From], l.To)
	}
	for _, r := range s.result.Mesh.All() {
		if d := s.result.Made[r.Key]; d != nil {
			s.made[d] = append(s.made[d], r.Key)
		}
	}
	return s
}

// places are where a directive, or what stands in it, leads to among the places
// of a form, in the order of the links.
func (s *side) places(d *conf.Directive, t mesh.Type, form *regexp.Regexp) []nginx.Origin {
	var out []nginx.Origin
	seen := map[nginx.Origin]bool{}
	add := func(d *conf.Directive) {
		for _, o := range s.links[d] {
			if t != 0 && o.Key.Type != t {
				continue
			}
			if path := form.FindString(o.Path); path != "" && !seen[nginx.Origin{Key: o.Key, Path: path}] {
				o.Path = path
				seen[o] = true
				out = append(out, o)
			}
		}
	}
	add(d)
	if len(out) > 0 {
		return out
	}
	for _, in := range d.Block {
		add(in)
	}
	return out
}

// at is what stands at a place of the import.
func (s *side) at(o nginx.Origin) (cell, bool) {
	return lookup(s.message(o.Key), o.Path)
}

func (s *side) message(k mesh.Key) proto.Message {
	if m := s.said[k]; m != nil {
		return m
	}
	if r := s.result.Mesh.Get(k); r != nil {
		return r.Message
	}
	return nil
}

// cluster is the cluster that an upstream became.
func (s *side) cluster(d *conf.Directive) (mesh.Key, bool) {
	for _, k := range s.clusters(d) {
		return k, true
	}
	return mesh.Key{}, false
}

// clusters are all that it became: one more for each other way to connect.
func (s *side) clusters(d *conf.Directive) (out []mesh.Key) {
	for _, k := range s.made[d] {
		if k.Type == mesh.Cluster {
			out = append(out, k)
		}
	}
	return out
}
