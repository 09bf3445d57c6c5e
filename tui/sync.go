package tui

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
)

// standing is how a node stands to what it is to have, the worst first.
type standing uint8

const (
	refused standing = iota + 1 // it rejected some of it
	away                        // meshtui started it, and it is not connected
	unheard                     // it was looked into, and does not answer any more
	overridden
	drifted
	missing
	stuck
	underway // it is still on its way there
	bystands // the revision was rejected elsewhere, in a type that it does not ask for
	synced
)

// standingWords say of a node how it stands: "1 overridden".
var standingWords = [...]string{refused: "rejected", away: "gone", unheard: "stale", overridden: "overridden", drifted: "drifted", missing: "missing",
	stuck: "stuck", underway: "on its way", bystands: "not asked", synced: "in sync"}

// amiss is what a resource's state says of the node that it stands on.
var amiss = map[mark.State]standing{mark.Rejected: refused, mark.Overridden: overridden, mark.Differs: drifted, mark.NotActive: missing, mark.Stuck: stuck}

// standingOf is how a node stands: not by what it said to have accepted alone,
// but by what can be seen to be in it.
func (a *App) standingOf(n *xds.Node) standing {
	if !n.Connected {
		return away
	}
	worst := synced
	switch {
	case a.unheard(n):
		worst = unheard
	case !a.accepted(n):
		worst = underway
	case a.bystands(n):
		worst = bystands
	}
	if n.Rollout.Result == engine.Rejected {
		worst = refused
	}
	for _, t := range n.Types {
		if t.Rejected != nil {
			worst = refused
		}
	}
	if t := a.data.truths[n.ID]; t != nil {
		for i := range t.Resources {
			if s, ill := amiss[drawn(&t.Resources[i])]; ill {
				worst = min(worst, s)
			}
		}
	}
	return worst
}

// accepted reports whether a node has said yes to what it is to have.
func (a *App) accepted(n *xds.Node) bool {
	want := a.data.head.For(n.ID)
	return want != nil && n.Rollout.Revision == want.Number && n.Rollout.Result == engine.Accepted
}

// unheard reports whether a node could be looked into, and cannot any more.
func (a *App) unheard(n *xds.Node) bool {
	return a.blind(n) && a.seenAge(n.ID) != ""
}

// bystands reports whether a node took a revision for the one reason that it
// asks for nothing of what another node rejected of it.
func (a *App) bystands(n *xds.Node) bool {
	want := a.data.head.For(n.ID)
	if want == nil || want.Outcome.Result != engine.Rejected {
		return false
	}
	var types []mesh.Type
	for _, r := range a.data.refusals {
		if r.revision == want.Number && r.node != n.ID {
			types = append(types, r.t)
		}
	}
	return len(types) > 0 && !slices.ContainsFunc(types, func(t mesh.Type) bool {
		st, asked := n.Types[t]
		return asked && !st.Sent.At.IsZero()
	})
}

// nodesPart says how many Envoys are here, and how many of them have what they
// are to have; of the others what is amiss. One that meshtui started and that is
// not here is counted with them.
func (a *App) nodesPart(b brevity) []widget.Span {
	here, of := a.data.connected(), 0
	if here == 0 {
		return []widget.Span{{Style: a.th.Warn, Text: a.th.Glyph.NotSent + " no " + a.product().one + " connected"}}
	}
	var counts [synced + 1]int
	for _, n := range a.data.members {
		if n.Connected || a.data.own[n.ID] {
			counts[a.standingOf(n)]++
			of++
		}
	}
	text, style := a.nodes(of)+" in sync", a.th.Good
	if counts[synced] < of {
		text, style = fmt.Sprintf("%d of %s in sync", counts[synced], a.nodes(of)), a.th.Warn
	}
	if b >= figures {
		text = fmt.Sprintf("%d/%d in sync", counts[synced], of)
	}
	for s := refused; s < synced && b < figures; s++ {
		if n := counts[s]; n > 0 && s != underway {
			text += fmt.Sprintf(", %d %s", n, standingWords[s])
			if b == worstOnly {
				break
			}
		}
	}
	spans := []widget.Span{{Style: style, Text: text}}
	if a.data.node != "" {
		spans = append(spans, widget.Span{Style: a.th.Accent, Text: " [" + a.data.node + "]"})
	}
	return spans
}

// brevity is how little the status line says, for want of room.
type brevity uint8

const (
	full      brevity = iota
	worstOnly         // of what is amiss the worst alone
	figures           // a number for a sentence
	barest            // of the draft too
)

// ownBars name those that meshtui started itself and that are gone or do not
// answer, unless whoever started them says so already.
func (a *App) ownBars() []bar {
	var out []bar
	for _, n := range a.data.members {
		if !a.data.own[n.ID] || slices.ContainsFunc(a.data.notices, func(o Notice) bool { return mentions(o.Text, n.ID) }) {
			continue
		}
		switch {
		case !n.Connected:
			out = append(out, bar{bad: true, text: fmt.Sprintf("%s, which meshtui started, has been gone for %s: it runs and does not answer, or it ended", n.ID, age(a.at, n.Since))})
		case a.unheard(n):
			out = append(out, bar{bad: true, text: fmt.Sprintf("%s, which meshtui started, has not answered for %s", n.ID, a.seenAge(n.ID))})
		}
	}
	return out
}

// mentions reports whether a text names a node, and not only one whose name
// begins so.
func mentions(text, node string) bool {
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :,;()", r) }), node)
}
