package matchtest

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// Shrink makes a case with one request smaller as long as it fails: it takes
// fields and items out of the listener and the routes, and parts out of the
// request. fails is asked about many candidates at once and says of each
// whether it fails as the first one did; a candidate that a data plane refuses
// does not. The smallest that fails is the next to be made smaller.
func Shrink(c Case, fails func([]Case) []bool) Case {
	for {
		next, ok := c.next(fails)
		if !ok {
			return c
		}
		c = next
	}
}

func (c Case) next(fails func([]Case) []bool) (Case, bool) {
	const batch = 120
	for some := range slices.Chunk(c.smaller(), batch) {
		best, size := -1, c.size()
		for i, failed := range fails(some) {
			if n := some[i].size(); failed && n < size {
				best, size = i, n
			}
		}
		if best >= 0 {
			return some[best], true
		}
	}
	return c, false
}

// size is what Shrink makes smaller.
func (c Case) size() int {
	n := 0
	for _, r := range c.Mesh.All() {
		n += proto.Size(r.Message)
	}
	for _, q := range c.Requests {
		n += len(q.Raw)
	}
	return n
}

// smaller lists the cases that are this one less something.
func (c Case) smaller() []Case {
	var out []Case
	for _, r := range c.Mesh.All() {
		if r.Key.Type != mesh.Listener && r.Key.Type != mesh.Route {
			continue
		}
		for n := 0; ; n++ {
			m := proto.Clone(r.Message)
			if !(&edit{left: n}).message(m.ProtoReflect()) {
				break
			}
			if less, err := mesh.NewResource(m, mesh.Source{}); err == nil && less.Key == r.Key {
				out = append(out, Case{Seed: c.Seed, Options: c.Options, Mesh: c.Mesh.With(less), Requests: c.Requests})
			}
		}
	}
	if len(c.Requests) == 1 {
		for _, q := range c.Requests[0].smaller() {
			out = append(out, Case{Seed: c.Seed, Options: c.Options, Mesh: c.Mesh, Requests: []Request{q}})
		}
	}
	return out
}

// At is the case with its listener on another IP address.
func (c Case) At(ip string) Case {
	old := c.Options.Address
	c.Options.Address = ip
	for _, r := range c.Mesh.List(mesh.Listener) {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			continue
		}
		if there, err := mesh.NewResource(moved(l, ip, c.Options.Port), mesh.Source{}); err == nil {
			c.Mesh = c.Mesh.With(there)
		}
	}
	c.Requests = slices.Clone(c.Requests)
	for i := range c.Requests {
		for n := range 3 {
			if to, err := netip.ParseAddr(Beside(ip, n)); err == nil && c.Requests[i].Ask.Address.String() == Beside(old, n) {
				c.Requests[i].Ask.Address = to
				break
			}
		}
	}
	return c
}

// kept are the fields that every case needs to be observed, or that say nothing.
var kept = []protoreflect.Name{"name", "address", "additional_addresses", "local_reply_config", "response_headers_to_add", "stat_prefix", "http_filters", "rds",
	"generate_request_id", "validate_clusters", "default_value", "transport_socket", "listener_filters"}

// edit applies the one of a message's reductions that has left others before
// it, in the order in which they are found.
type edit struct{ left int }

func (e *edit) here() bool { e.left--; return e.left < 0 }

// message reports whether the reduction was found in m, and applied.
func (e *edit) message(m protoreflect.Message) bool {
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		return e.packed(m)
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) || slices.Contains(kept, fd.Name()) {
			continue
		}
		if e.field(m, fd) {
			return true
		}
	}
	return false
}

func (e *edit) field(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	switch {
	case fd.IsMap():
		if e.here() {
			m.Clear(fd)
			return true
		}
		return false
	case fd.IsList():
		return e.list(m, fd)
	case fd.Message() != nil:
		if fd.Name() != "typed_config" && e.here() {
			m.Clear(fd)
			return true
		}
		return e.message(m.Mutable(fd).Message())
	case fd.Kind() == protoreflect.StringKind:
		return e.text(m, fd)
	}
	if e.here() {
		m.Clear(fd)
		return true
	}
	return false
}

func (e *edit) list(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	items := m.Mutable(fd).List()
	for i := 0; items.Len() > 2 && i < items.Len(); i++ {
		if e.here() {
			remove(m, fd, i+1, items.Len())
			remove(m, fd, 0, i)
			return true
		}
	}
	if n := items.Len(); n > 3 {
		for _, half := range [][2]int{{0, n / 2}, {n / 2, n}} {
			if e.here() {
				remove(m, fd, half[0], half[1])
				return true
			}
		}
	}
	for i := range items.Len() {
		if e.here() {
			remove(m, fd, i, i+1)
			return true
		}
	}
	if fd.Message() != nil {
		for i := range items.Len() {
			if e.message(items.Get(i).Message()) {
				return true
			}
		}
	}
	return false
}

// remove takes a list's items from one index up to another out.
func remove(m protoreflect.Message, fd protoreflect.FieldDescriptor, from, to int) {
	items := m.Mutable(fd).List()
	if from == to {
		return
	}
	if to-from == items.Len() {
		m.Clear(fd)
		return
	}
	for i := to; i < items.Len(); i++ {
		items.Set(i-to+from, items.Get(i))
	}
	items.Truncate(items.Len() - to + from)
}

// text takes a text out, or its second half, its first, or its last byte. One
// of a oneof goes with the field around it.
func (e *edit) text(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	s := m.Get(fd).String()
	for _, to := range []string{"", s[:len(s)/2], s[len(s)/2:], s[:max(0, len(s)-1)], s[min(1, len(s)):]} {
		if e.here() {
			if to == "" || !utf8.ValidString(to) {
				m.Clear(fd)
			} else {
				m.Set(fd, protoreflect.ValueOfString(to))
			}
			return true
		}
	}
	return false
}

// packed goes into a google.protobuf.Any. One that cannot be read has no
// reductions.
func (e *edit) packed(m protoreflect.Message) bool {
	whole, ok := m.Interface().(*anypb.Any)
	if !ok {
		return false
	}
	inner, err := whole.UnmarshalNew()
	if err != nil || !e.message(inner.ProtoReflect()) {
		return false
	}
	return whole.MarshalFrom(inner) == nil
}

// smaller lists the requests that are this one less something.
func (q Request) smaller() []Request {
	var out []Request
	try := func(change func(r *Request)) {
		next := Request{Ask: q.Ask, Classes: q.Classes}
		next.Ask.Headers = slices.Clone(q.Ask.Headers)
		change(&next)
		next.Raw = Raw(&next.Ask)
		if string(next.Raw) != string(q.Raw) && len(next.Raw) <= len(q.Raw) {
			out = append(out, next)
		}
	}
	try(func(r *Request) { r.Ask.Headers = nil })
	for i := range q.Ask.Headers {
		try(func(r *Request) { r.Ask.Headers = slices.Delete(r.Ask.Headers, i, i+1) })
	}
	try(func(r *Request) { r.Ask.Method = "GET" })
	try(func(r *Request) { r.Ask.HTTP10 = false })
	for _, s := range shorter(q.Ask.Path) {
		if s != "" {
			try(func(r *Request) { r.Ask.Path = s })
		}
	}
	for _, s := range shorter(q.Ask.Host) {
		if s != "" {
			try(func(r *Request) { r.Ask.Host = s })
		}
	}
	for i, h := range q.Ask.Headers {
		for _, s := range shorter(h.Value) {
			try(func(r *Request) { r.Ask.Headers[i] = routes.Header{Name: h.Name, Value: s} })
		}
	}
	return out
}

// shorter lists the texts that are s less a half, a path segment, or a byte.
func shorter(s string) []string {
	out := []string{s[:len(s)/2], s[len(s)/2:], s[:min(1, len(s))], s[:min(2, len(s))]}
	if path, _, has := strings.Cut(s, "?"); has {
		out = append(out, path)
	}
	parts := strings.SplitAfter(s, "/")
	for i := range parts {
		if len(parts) < 30 {
			out = append(out, strings.Join(slices.Delete(slices.Clone(parts), i, i+1), ""))
		}
	}
	for i := range s {
		if len(s) < 40 {
			out = append(out, s[:i]+s[i+1:])
		}
	}
	return out
}
