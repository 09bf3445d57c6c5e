package importer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// result settles where everything stands, now that nothing moves any more.
func (im *importer) result() *Result {
	out := &Result{Made: map[mesh.Key]*conf.Directive{}}
	var rs []*mesh.Resource
	origins := map[proto.Message]nginx.Origin{} // of what is asked for; the rest of a mesh is large
	for _, l := range im.links {
		origins[l.to.in] = nginx.Origin{}
	}
	for _, e := range im.report {
		origins[e.at.in] = nginx.Origin{}
	}
	for _, outer := range im.packed {
		origins[outer.in] = nginx.Origin{}
	}
	delete(origins, nil)
	found := &settling{into: origins, asked: map[protoreflect.FullName]bool{}, leads: map[protoreflect.FullName]bool{}}
	for m := range origins {
		found.asked[m.ProtoReflect().Descriptor().FullName()] = true
	}
	for _, m := range im.made {
		r, err := mesh.NewResource(m.message, mesh.Source{})
		if err != nil {
			continue // cannot be: put takes resources alone
		}
		rs = append(rs, r)
		out.Made[r.Key] = m.from
		found.settle(m.message.ProtoReflect(), r.Key, nil)
	}
	m, err := mesh.New(rs...)
	if err != nil { // cannot be: put keeps the keys apart
		m = &mesh.Mesh{}
	}
	out.Mesh = m
	for _, l := range im.links {
		if to, ok := im.origin(origins, l.to); ok {
			out.Links = append(out.Links, Link{From: l.from, Kind: l.kind, To: to})
		}
	}
	for _, e := range im.report {
		if to, ok := im.origin(origins, e.at); ok {
			e.Key, e.Path = to.Key, to.Path
		}
		out.Report = append(out.Report, e.Entry)
	}
	files := map[string]int{}
	for i, f := range im.conf.Files {
		files[f] = i
	}
	slices.SortStableFunc(out.Report, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(files[a.File], files[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return out
}

// origin is where a place stands in the end; ok is false for one in a message
// that no resource holds.
func (im *importer) origin(origins map[proto.Message]nginx.Origin, p place) (nginx.Origin, bool) {
	for range 8 { // a message within an Any within an Any
		if p.in == nil {
			return nginx.Origin{}, false
		}
		if o := origins[p.in]; !o.Key.IsZero() {
			return nginx.Origin{Key: o.Key, Path: join(o.Path, p.path)}, true
		}
		outer, ok := im.packed[p.in]
		if !ok {
			return nginx.Origin{}, false
		}
		p = place{outer.in, join(outer.path, p.path)}
	}
	return nginx.Origin{}, false
}

// join is a field path below another.
func join(path, below string) string {
	switch {
	case path == "" || below == "":
		return path + below
	case below[0] == '[':
		return path + below
	}
	return path + "." + below
}

// step is one field of a path, and the index in it; -1 is none.
type step struct {
	field protoreflect.Name
	index int
}

// settling notes where the messages within resources stand that are asked for.
type settling struct {
	into  map[proto.Message]nginx.Origin
	asked map[protoreflect.FullName]bool // types of which some are asked for
	leads map[protoreflect.FullName]bool // types that may hold such, as far as that is known
}

func (s *settling) settle(m protoreflect.Message, key mesh.Key, path []step) {
	if s.asked[m.Descriptor().FullName()] {
		if _, asked := s.into[m.Interface()]; asked {
			s.into[m.Interface()] = nginx.Origin{Key: key, Path: written(path)}
		}
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap() || !s.worth(fd.Message()):
		case fd.IsList():
			list := v.List()
			for i := range list.Len() {
				s.settle(list.Get(i).Message(), key, append(path, step{fd.Name(), i}))
			}
		default:
			s.settle(v.Message(), key, append(path, step{fd.Name(), -1}))
		}
		return true
	})
}

// worth reports whether a message of that type, or one within it, may be asked
// for.
func (s *settling) worth(d protoreflect.MessageDescriptor) bool {
	name := d.FullName()
	if s.asked[name] {
		return true
	}
	leads, known := s.leads[name]
	if !known {
		leads = s.reaches(d, map[protoreflect.FullName]bool{})
		s.leads[name] = leads
	}
	return leads
}

// reaches reports whether some way leads from a type to one that is asked for.
func (s *settling) reaches(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if s.asked[d.FullName()] {
		return true
	}
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		if in := d.Fields().Get(i).Message(); in != nil && !d.Fields().Get(i).IsMap() && s.reaches(in, seen) {
			return true
		}
	}
	return false
}

// written is a path as package mesh writes it.
func written(path []step) string {
	var b strings.Builder
	for i, s := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(string(s.field))
		if s.index >= 0 {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
	}
	return b.String()
}
