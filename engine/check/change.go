package check

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Change is what a push that replaces one mesh by another does that an
// operator should know first, worst first. What is wrong with the new mesh by
// itself is said by [Mesh]. A nil mesh is an empty one, and nothing is said of
// what an Envoy gets for the first time.
func Change(from, to *mesh.Mesh) []mesh.Finding {
	var out []mesh.Finding
	taken := map[string]bool{} // addresses that a listener will have
	for _, r := range to.List(mesh.Listener) {
		for _, a := range addresses(r.Message.(*listenerv3.Listener)) {
			taken[a.text] = true
		}
	}
	for _, d := range mesh.Diff(from, to) {
		if d.Key.Type != mesh.Listener || d.Old == nil {
			continue
		}
		if f, ok := listenerChange(d, taken); ok {
			out = append(out, f)
		}
	}
	locateAll(out, to) // the removed ones stand nowhere any more
	Sort(out)
	return out
}

// listenerChange is what happens to the connections of one listener that is
// changed or removed.
func listenerChange(d mesh.Change, taken map[string]bool) (mesh.Finding, bool) {
	old := d.Old.Message.(*listenerv3.Listener)
	was := mesh.Address(old.GetAddress())
	if d.New == nil {
		return mesh.Finding{
			Severity: mesh.Note, Rule: "listener-removed", Key: d.Key,
			Message: fmt.Sprintf("new connections to %s are refused at once when listener %q goes", was, d.Key.Name),
			Hint:    "connections that are open are served on until Envoy's drain time ends",
		}, was != "" && !taken[addressKey(old.GetAddress())]
	}
	now := d.New.Message.(*listenerv3.Listener)
	moved := addressKey(old.GetAddress()) != addressKey(now.GetAddress())
	switch {
	case moved && was != "" && !taken[addressKey(old.GetAddress())]:
		return mesh.Finding{
			Severity: mesh.Warning, Rule: "listener-moved", Key: d.Key, Path: "address",
			Message: fmt.Sprintf("Envoy closes %s at once when listener %q moves to %s: requests to the old address are refused",
				was, d.Key.Name, mesh.Address(now.GetAddress())),
			Hint: "to lose none, add a listener of another name on the new address, move the clients, then remove this one",
		}, true
	case drains(old, now):
		return mesh.Finding{
			Severity: mesh.Note, Rule: "listener-drains", Key: d.Key,
			Message: fmt.Sprintf("open connections to listener %q keep its old configuration until they are drained", d.Key.Name),
			Hint:    "no request is lost; how long it takes is Envoy's --drain-time-s (600 s unless set)",
		}, true
	}
	return mesh.Finding{}, false
}

// drains reports whether a change of a listener concerns its open connections:
// they stay untouched where filter chains are only added.
func drains(old, now *listenerv3.Listener) bool {
	a, b := proto.Clone(old).(*listenerv3.Listener), proto.Clone(now).(*listenerv3.Listener)
	a.FilterChains, b.FilterChains = nil, nil
	if !proto.Equal(a, b) {
		return true
	}
	for _, chain := range old.GetFilterChains() {
		kept := false
		for _, other := range now.GetFilterChains() {
			kept = kept || proto.Equal(chain, other)
		}
		if !kept {
			return true
		}
	}
	return false
}
