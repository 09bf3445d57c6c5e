package mark

import (
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// State is how one resource stands on one node, the best first.
type State uint8

// The states. The order is that in which several nodes are summed up: the
// last of them is what is shown.
const (
	NoNode    State = iota // nobody is connected
	NotAsked               // connected, but the node asks for no such resource
	Active                 // ACKed, and Envoy runs exactly this
	Acked                  // ACKed; whether it runs cannot be seen
	Offline                // the node has left; what is known is from before
	Waiting                // a newer version is still to be sent
	Sent                   // sent, not answered
	Warming                // taken, and not yet in use
	NotActive              // ACKed, and yet Envoy does not have it
	Differs                // Envoy runs something else under this name
	Rejected               // NACKed
)

// Word is the state in a word or three.
func (s State) Word() string {
	words := [...]string{"no node", "not asked for", "active", "ACKed", "offline", "waiting", "sent", "warming",
		"ACKed, not active", "differs", "rejected"}
	if int(s) < len(words) {
		return words[s]
	}
	return "unknown"
}

// Short is Word for narrow places, at most 13 cells.
func (s State) Short() string {
	if s == NotActive {
		return "not active"
	}
	return s.Word()
}

// Draw is the state's glyph and style.
func (s State) Draw(t *theme.Theme) (string, theme.Style) {
	switch s {
	case Active:
		return t.Glyph.Active, t.Good
	case Acked:
		return t.Glyph.Acked, t.Good
	case Offline:
		return t.Glyph.Offline, t.Dim
	case Waiting, NotAsked:
		return t.Glyph.NotSent, t.Dim
	case Sent:
		return t.Glyph.Sent, t.Info
	case Warming:
		return t.Glyph.Warming, t.Warn
	case NotActive:
		return t.Glyph.NotActive, t.Warn
	case Differs:
		return t.Glyph.Differs, t.Warn
	case Rejected:
		return t.Glyph.Rejected, t.Bad
	}
	return t.Glyph.NotSent, t.Dim
}

// observed reports whether the state rests on what the admin interface shows,
// and not on the stream alone.
func (s State) observed() bool {
	return s == Active || s == Warming || s == NotActive || s == Differs
}

// OnNode is how a resource stands on one node, with the facts behind it.
type OnNode struct {
	Node     string
	State    State
	Stale    bool // the admin interface has been silent for too long
	Status   xds.ResourceStatus
	Served   bool // whether Status is known
	Active   envoy.Active
	Observed time.Time // when Active was seen; zero when it was not
}

// Of is how the resource with that key stands on each of the nodes. hash is
// that of the newest revision's content, "" when it has no such resource.
func Of(k mesh.Key, hash string, nodes []*xds.Node, facts func(node string) *envoy.Facts, now time.Time) []OnNode {
	out := make([]OnNode, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, one(k, hash, n, facts(n.ID), now))
	}
	return out
}

// Worst is Of without the details of each node, for a row that is drawn often.
// stale says that the worst state is known from a silent admin interface only.
func Worst(k mesh.Key, hash string, nodes []*xds.Node, facts func(node string) *envoy.Facts, now time.Time) (s State, count int, stale bool) {
	for _, n := range nodes {
		on := one(k, hash, n, facts(n.ID), now)
		switch {
		case count == 0 || on.State > s:
			s, count, stale = on.State, 1, on.Stale
		case on.State == s:
			count++
			stale = stale || on.Stale
		}
	}
	return s, count, stale
}

func one(k mesh.Key, hash string, n *xds.Node, facts *envoy.Facts, now time.Time) OnNode {
	on := OnNode{Node: n.ID, State: NotAsked}
	on.Status, on.Served = n.Resources.Get(k), n.Resources.Has(k)
	if facts != nil {
		if a, ok := facts.Active[k]; ok {
			on.Active, on.Observed = a, facts.At
		}
	}
	on.State = decide(&on, hash, n)
	on.Stale = on.State.observed() && facts.Stale(now)
	return on
}

func decide(on *OnNode, hash string, n *xds.Node) State {
	st := &on.Status
	switch {
	case on.Served && st.Rejected != nil:
		return Rejected
	case !n.Connected:
		return Offline
	case !on.Served || st.Served.At.IsZero():
		return NotAsked
	case on.Active.State == envoy.Warming && on.Observed.After(st.Served.At):
		return Warming
	case hash != "" && st.Hash != "" && st.Hash != hash:
		return Waiting
	case st.Acked.At.IsZero() || st.Acked.Version != st.Served.Version:
		return Sent
	}
	switch on.Active.State {
	case envoy.ActiveSame:
		return Active
	case envoy.Warming:
		return Warming
	case envoy.ActiveOther:
		return Differs
	case envoy.Absent:
		return NotActive
	}
	return Acked
}
