package merge

import (
	"slices"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/text"
)

// keyOf is what makes a list's item the one that it is, whatever else it says.
func keyOf(c cell) string {
	m := c.message()
	if m == nil {
		return c.value.String()
	}
	for _, name := range []protoreflect.Name{"name", "key", "cluster", "upgrade_type", "cluster_name"} {
		if fd := m.Descriptor().Fields().ByName(name); fd != nil && fd.Kind() == protoreflect.StringKind && !fd.IsList() && m.Get(fd).String() != "" {
			return m.Get(fd).String()
		}
	}
	for _, name := range []protoreflect.Name{"header", "typed_extension_config"} {
		fd := m.Descriptor().Fields().ByName(name)
		if fd != nil && fd.Message() != nil && m.Has(fd) {
			return strings.ToLower(keyOf(cell{fd: fd, value: m.Get(fd)}))
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		return ""
	}
	return string(b)
}

// keysOf are the keys of a list's items; a key that comes again is numbered.
func keysOf(m protoreflect.Message, fd protoreflect.FieldDescriptor) []string {
	if m == nil || !m.Has(fd) {
		return nil
	}
	l := m.Get(fd).List()
	out := make([]string, l.Len())
	seen := map[string]int{}
	for i := range out {
		k := keyOf(cell{fd: fd, value: l.Get(i)})
		out[i] = k + strings.Repeat("\x00again", seen[k])
		seen[k]++
	}
	return out
}

// items handles a list: items are told apart by their keys. A new one goes behind
// the one that it follows in the import.
func (m *merger) items(to target, fd protoreflect.FieldDescriptor, base, theirs protoreflect.Message) {
	was, now, ours := keysOf(base, fd), keysOf(theirs, fd), keysOf(to.message, fd)
	index := func(keys []string) map[string]int {
		out := map[string]int{}
		for i, k := range keys {
			out[k] = i
		}
		return out
	}
	wasAt, nowAt, oursAt := index(was), index(now), index(ours)
	at := to.field(fd)
	item := func(in protoreflect.Message, i int) cell { return cell{fd: fd, value: in.Get(fd).List().Get(i)} }
	for i, k := range was {
		if _, stays := nowAt[k]; stays {
			continue
		}
		if j, ok := oursAt[k]; ok {
			m.removeItem(at.spot, len(ours), j)
		} else {
			m.unmirror(at, item(base, i))
		}
	}
	for i, k := range now {
		c := item(theirs, i)
		j, there := oursAt[k]
		if w, ok := wasAt[k]; ok {
			before := item(base, w)
			if before.value.Equal(c.value) || c.message() == nil {
				continue
			}
			if there {
				in := target{spot: spot{at.key, text.Item(at.path, j)}, message: to.message.Get(fd).List().Get(j).Message(), rel: at.rel}
				m.fields(in, before.message(), c.message())
				continue
			}
			if m.remirror(at, before, c) {
				continue
			}
		} else if there {
			continue // it says so already
		}
		m.insertItem(at.spot, len(ours), behind(now, i, oursAt), behindOwnFilters(c, to, theirs))
	}
}

// behindOwnFilters is an upgrade that is new without the filters that the import
// has for it, where the listener has others: they would be a way past those.
func behindOwnFilters(c cell, to target, theirs protoreflect.Message) cell {
	upgrade, ok := c.message(), false
	if upgrade == nil {
		return c
	}
	imported, isManager := theirs.Interface().(*hcmv3.HttpConnectionManager)
	own := &hcmv3.HttpConnectionManager{}
	if to.message != nil {
		own, ok = to.message.Interface().(*hcmv3.HttpConnectionManager)
	}
	u, isUpgrade := upgrade.Interface().(*hcmv3.HttpConnectionManager_UpgradeConfig)
	if !isManager || !isUpgrade || ok && slices.EqualFunc(own.GetHttpFilters(), imported.GetHttpFilters(), func(a, b *hcmv3.HttpFilter) bool { return proto.Equal(a, b) }) {
		return c
	}
	plain := proto.CloneOf(u)
	plain.Filters = nil
	c.value = protoreflect.ValueOfMessage(plain.ProtoReflect())
	return c
}

// behind is the place in our list for the item i of theirs: behind the nearest
// one before it that we have, else before the nearest one behind it, else last.
func behind(theirs []string, i int, ours map[string]int) int {
	for k := i - 1; k >= 0; k-- {
		if j, ok := ours[theirs[k]]; ok {
			return j + 1
		}
	}
	for k := i + 1; k < len(theirs); k++ {
		if j, ok := ours[theirs[k]]; ok {
			return j
		}
	}
	return len(ours)
}
