package mark

import (
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// State is how one resource stands on one node, the best first.
type State uint8

// The states. The order is that in which several nodes are summed up: the
// last of them is what is shown.
const (
	NoNode     State = iota // nobody is connected
	NotAsked                // connected, but the node asks for no such resource
	Carrying                // active, and requests go through it
	Active                  // ACKed, and Envoy runs exactly this
	Acked                   // ACKed; whether it runs cannot be seen
	PassedOver              // this kind of client takes no notice of it
	Offline                 // the node has left; what is known is from before
	Waiting                 // a newer version is still to be sent
	Sent                    // sent, not answered
	Warming                 // taken, and not yet in use
	Stuck                   // warming for longer than is usual
	NotActive               // ACKed, and yet Envoy does not have it
	Differs                 // Envoy runs other content under this name
	Overridden              // somebody else's resource of that name is what runs
	Rejected                // NACKed
)

// words are each state's, and for narrow places where those are too long.
var words = [...][2]string{
	NoNode: {"no node"}, NotAsked: {"not asked for"}, Carrying: {"carrying traffic", "active"}, Active: {"active"}, Acked: {"ACKed"},
	PassedOver: {"passed over"}, Offline: {"offline"}, Waiting: {"waiting"}, Sent: {"sent"}, Warming: {"waiting for warm", "warming"}, Stuck: {"stuck in warming", "stuck"},
	NotActive: {"ACKed, not active", "not active"}, Differs: {"drifted"}, Overridden: {"overridden"}, Rejected: {"rejected"},
}

// Word is the state in a word or three.
func (s State) Word() string {
	if int(s) < len(words) {
		return words[s][0]
	}
	return "unknown"
}

// Short is Word for narrow places, at most 13 cells.
func (s State) Short() string {
	if int(s) < len(words) && words[s][1] != "" {
		return words[s][1]
	}
	return s.Word()
}

// verdicts says how each verdict on one node is drawn.
var verdicts = map[truth.Verdict]State{
	truth.Rejected: Rejected, truth.Overridden: Overridden, truth.Drifted: Differs, truth.Missing: NotActive, truth.Stuck: Stuck, truth.Unsent: Waiting,
	truth.Sent: Sent, truth.WaitingToWarm: Warming, truth.Unasked: NotAsked, truth.PassedOver: PassedOver, truth.Unobservable: Acked, truth.Active: Active, truth.Carrying: Carrying,
}

// Verdict is the state that a verdict is drawn as; NotAsked for none.
func Verdict(v truth.Verdict) State {
	if s, ok := verdicts[v]; ok {
		return s
	}
	return NotAsked
}

// Good reports whether nothing is amiss and nothing is awaited.
func (s State) Good() bool {
	return s == Carrying || s == Active || s == Acked || s == PassedOver || s == NotAsked
}

// Draw is the state's glyph and style.
func (s State) Draw(t *theme.Theme) (string, theme.Style) {
	switch s {
	case Active, Carrying:
		return t.Glyph.Active, t.Good
	case Acked:
		return t.Glyph.Acked, t.Good
	case Offline:
		return t.Glyph.Offline, t.Dim
	case Waiting, NotAsked, PassedOver:
		return t.Glyph.NotSent, t.Dim
	case Sent:
		return t.Glyph.Sent, t.Info
	case Warming, Stuck:
		return t.Glyph.Warming, t.Warn
	case NotActive:
		return t.Glyph.NotActive, t.Warn
	case Differs, Overridden:
		return t.Glyph.Differs, t.Warn
	case Rejected:
		return t.Glyph.Rejected, t.Bad
	}
	return t.Glyph.NotSent, t.Dim
}

// observed reports whether the state rests on what the admin interface shows,
// and not on the stream alone.
func (s State) observed() bool {
	switch s {
	case Carrying, Active, Warming, Stuck, NotActive, Differs, Overridden:
		return true
	}
	return false
}

// OnNode is how a resource stands on one node, with the facts behind it.
type OnNode struct {
	Node     string
	State    State
	Stale    bool // the admin interface has been silent for too long
	Status   xds.ResourceStatus
	Served   bool // whether Status is known
	Active   envoy.Active
	Observed time.Time       // when Active was seen; zero when it was not
	Truth    *truth.Resource // the same joined, nil where nobody joins it
}

// Look is where what is known of the nodes comes from.
type Look struct {
	Facts func(node string) *envoy.Facts                // nil for a node that nothing is known of
	Truth func(node string, k mesh.Key) *truth.Resource // nil, or returning nil, leaves the join to this package
}

// Of is how the resource with that key stands on each of the nodes. hash is
// that of the newest revision's content, "" when it has no such resource.
func Of(k mesh.Key, hash string, nodes []*xds.Node, look Look, now time.Time) []OnNode {
	out := make([]OnNode, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, one(k, hash, n, look, now))
	}
	return out
}

// Worst is Of without the details of each node, for a row that is drawn often.
// stale says that the worst state is known from a silent admin interface only.
func Worst(k mesh.Key, hash string, nodes []*xds.Node, look Look, now time.Time) (s State, count int, stale bool) {
	for _, n := range nodes {
		on := one(k, hash, n, look, now)
		if on.State == Carrying {
			on.State = Active // which of two nodes took the last request says nothing of the resource
		}
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

func one(k mesh.Key, hash string, n *xds.Node, look Look, now time.Time) OnNode {
	on := OnNode{Node: n.ID, State: NotAsked}
	on.Status, on.Served = n.Resources.Get(k), n.Resources.Has(k)
	facts := look.Facts(n.ID)
	if facts != nil {
		if a, ok := facts.Active[k]; ok {
			on.Active, on.Observed = a, facts.At
		}
	}
	if look.Truth != nil {
		on.Truth = look.Truth(n.ID, k)
	}
	switch {
	case on.Truth == nil || on.Truth.Verdict == 0:
		on.State = decide(&on, hash, n)
	case !n.Connected && on.Truth.Verdict != truth.Rejected:
		on.State = Offline
	default:
		on.State = Verdict(on.Truth.Verdict)
	}
	seen := on.State.observed() || on.Truth != nil && on.Truth.Verdict == truth.Unobservable && !on.Observed.IsZero()
	on.Stale = seen && facts != nil && facts.Stale(now)
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
