package merge

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/text"
)

// target is a message of the mesh that takes changes, which need not be there.
type target struct {
	spot
	message protoreflect.Message // nil where the mesh does not have it
	rel     string               // its path within what the block of nginx stands for
}

func (t target) field(fd protoreflect.FieldDescriptor) target {
	out := target{spot: spot{t.key, below(t.path, string(fd.Name()))}, rel: below(t.rel, string(fd.Name()))}
	if t.message != nil && t.message.Has(fd) && fd.Message() != nil && !fd.IsList() && !fd.IsMap() {
		out.message = t.message.Get(fd).Message()
	}
	return out
}

func (t target) has(fd protoreflect.FieldDescriptor) bool {
	return t.message != nil && t.message.Has(fd)
}

// fields brings what differs between two imports of one message into the mesh's.
// Names in skip are of this message alone.
func (m *merger) fields(to target, base, theirs protoreflect.Message, skip ...string) {
	fds := theirs.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		if slices.Contains(skip, string(fd.Name())) || !base.Has(fd) && !theirs.Has(fd) || m.sparing && to.rel == "" && !m.asked(string(fd.Name())) {
			continue
		}
		if base.Descriptor() != theirs.Descriptor() {
			return
		}
		if m.follows(below(to.rel, string(fd.Name()))) && fd.Name() != "route" {
			continue
		}
		switch {
		case fd.IsMap():
			m.mapping(to, fd, base, theirs)
		case fd.FullName() == shareList:
		case fd.IsList():
			m.items(to, fd, base, theirs)
		case fd.Message() == nil || atomic(fd.Message()):
			m.value(to, fd, base, theirs)
		default:
			m.nested(to, fd, base, theirs)
		}
	}
}

// atomic are messages that are one value for whoever reads them.
func atomic(md protoreflect.MessageDescriptor) bool {
	switch md.FullName().Parent() {
	case "google.protobuf":
		return md.Name() != "Any"
	case "envoy.type.v3":
		return true
	}
	return false
}

func cellOf(m protoreflect.Message, fd protoreflect.FieldDescriptor) cell {
	if !m.Has(fd) {
		return cell{fd: fd}
	}
	return cell{fd: fd, value: m.Get(fd), list: fd.IsList() || fd.IsMap()}
}

// value handles what is set or not.
func (m *merger) value(to target, fd protoreflect.FieldDescriptor, base, theirs protoreflect.Message) {
	was, now := cellOf(base, fd), cellOf(theirs, fd)
	if was.value.IsValid() == now.value.IsValid() && was.value.Equal(now.value) && !m.said(to.field(fd).rel) {
		return
	}
	at := m.mirrored(to.field(fd), was)
	if !now.value.IsValid() {
		m.unset(at)
		return
	}
	if at == to.field(fd).spot {
		m.clear(to, fd)
		if with := together[fd.FullName()]; with != "" {
			m.setCell(spot{to.key, below(to.path, string(with))}, cellOf(theirs, theirs.Descriptor().Fields().ByName(with)))
		}
	}
	m.setCell(at, now)
}

// together are fields that one directive of nginx says, with the one that goes
// along: Envoy's idle_timeout means nothing while its timeout ends the answer
// first.
var together = map[protoreflect.FullName]protoreflect.Name{"envoy.config.route.v3.RouteAction.idle_timeout": "timeout"}

// nested handles a message within a message.
func (m *merger) nested(to target, fd protoreflect.FieldDescriptor, base, theirs protoreflect.Message) {
	in := to.field(fd)
	was, now := unpacked(base.Get(fd).Message()), unpacked(theirs.Get(fd).Message())
	switch {
	case !theirs.Has(fd):
		m.drop(in, was)
	case base.Has(fd) && proto.Equal(was.Interface(), now.Interface()) && !m.saidWithin(in.rel):
	case in.message == nil && base.Has(fd) && m.onlyMirrored(in, was, now):
	case in.message == nil:
		m.clear(to, fd)
		m.setCell(in.spot, cellOf(theirs, fd))
	default:
		in.message = unpacked(in.message)
		if in.message.Descriptor() != now.Descriptor() {
			m.setCell(in.spot, cellOf(theirs, fd))
			return
		}
		if !base.Has(fd) || was.Descriptor() != now.Descriptor() {
			was = now.New()
		}
		m.fields(in, was, now)
	}
}

// onlyMirrored handles a message that the mesh does not have because it says its
// fields elsewhere; it reports whether every field that differs is said there.
func (m *merger) onlyMirrored(in target, was, now protoreflect.Message) bool {
	fds, all := now.Descriptor().Fields(), true
	for i := range fds.Len() {
		fd := fds.Get(i)
		w, n := cellOf(was, fd), cellOf(now, fd)
		if w.value.IsValid() == n.value.IsValid() && w.value.Equal(n.value) {
			continue
		}
		all = all && m.mirrored(in.field(fd), w) != in.field(fd).spot
	}
	if all {
		m.fields(in, was, now)
	}
	return all
}

// clear takes out what stands in the same oneof.
func (m *merger) clear(to target, fd protoreflect.FieldDescriptor) {
	one := fd.ContainingOneof()
	if one == nil || to.message == nil {
		return
	}
	if other := to.message.WhichOneof(one); other != nil && other != fd {
		m.ops.gone[to.field(other).spot] = true
	}
}

// drop takes out a message that the edit does without: all of it where it says no
// more than nginx did, else field by field, so that the rest stays.
func (m *merger) drop(in target, was protoreflect.Message) {
	if in.message == nil {
		m.eachField(was, func(fd protoreflect.FieldDescriptor) {
			if at := m.mirrored(in.field(fd), cellOf(was, fd)); at != in.field(fd).spot {
				m.unset(at)
			}
		})
		return
	}
	ours := unpacked(in.message)
	more := ours.Descriptor() != was.Descriptor()
	m.eachField(ours, func(fd protoreflect.FieldDescriptor) {
		more = more || !was.Has(fd) && !m.isMirror(in.field(fd).spot)
	})
	if !more || ours.Descriptor() != was.Descriptor() {
		m.unset(in.spot)
		return
	}
	in.message = ours
	m.fields(in, was, was.New())
}

func (m *merger) eachField(in protoreflect.Message, do func(protoreflect.FieldDescriptor)) {
	in.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		do(fd)
		return true
	})
}

// mapping handles a map by its keys.
func (m *merger) mapping(to target, fd protoreflect.FieldDescriptor, base, theirs protoreflect.Message) {
	was, now := base.Get(fd).Map(), theirs.Get(fd).Map()
	at := to.field(fd)
	now.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if was.Has(k) && was.Get(k).Equal(v) {
			return true
		}
		m.setCell(spot{at.key, text.Field(at.path, k.String())}, cell{fd: fd, value: v})
		return true
	})
	was.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		if !now.Has(k) && to.has(fd) && to.message.Get(fd).Map().Has(k) {
			m.unset(spot{at.key, text.Field(at.path, k.String())})
		}
		return true
	})
}
