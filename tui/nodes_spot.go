package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

// spotLines are all that is known of a row of the nodes screen.
func (a *App) spotLines(at nodeSpot, w int) []string {
	n := a.data.xs.Node(at.node)
	switch {
	case n == nil:
		return paragraph(at.node+" is gone.", w, a.th.Dim)
	case !at.key.IsZero():
		return a.resourceSpot(n, at, w)
	case at.t != 0:
		return a.typeSpot(n, at, w)
	}
	out := paragraph(rolloutText(n), w, theme.Style{})
	style := a.th.Dim
	if a.blind(n) {
		style = a.th.Warn
	}
	out = append(out, paragraph(a.adminText(n), w, style)...)
	about := fmt.Sprintf("%s, cluster %q, group %s, %s, %s", agentOf(n), n.Cluster, n.Group, n.Variant, count(n.Streams, "stream"))
	out = append(out, paragraph(about, w, a.th.Dim)...)
	if t := a.data.truths[n.ID]; t != nil && len(t.Foreign) > 0 {
		out = append(out, paragraph(foreignText(t.Foreign, len(t.Foreign)), w, a.th.Dim)...)
	}
	return out
}

// typeSpot is the conversation about one type with one node.
func (a *App) typeSpot(n *xds.Node, at nodeSpot, w int) []string {
	st := n.Types[at.t]
	asked := "asks for every " + at.t.String()
	if !st.Wildcard {
		asked = "asks for " + listed(st.Subscribed)
		if len(st.Subscribed) == 0 {
			asked = "asks for none by name"
		}
	}
	text := asked + a.factText("; sent ", st.Sent) + a.factText("; ACKed ", st.Acked)
	if st.Acked.Version != st.Sent.Version && !st.Sent.At.IsZero() && st.Rejected == nil {
		text += "; not answered yet"
	}
	out := paragraph(text, w, theme.Style{})
	if st.Rejected != nil {
		if r, _ := a.refusalIn(at); r != nil {
			return append(a.reasonLines("rejected "+st.Rejected.Version+" "+ago(age(a.at, st.Rejected.At)), r, nil, w), out...)
		}
	}
	return out
}

// factText is a version with its age: "v12-3 4m ago"; "" when it is not so.
func (a *App) factText(head string, f xds.Fact) string {
	if f.At.IsZero() {
		return ""
	}
	return head + f.Version + " " + ago(age(a.at, f.At))
}

// resourceSpot is the truth about one resource on one node.
func (a *App) resourceSpot(n *xds.Node, at nodeSpot, w int) []string {
	r := a.data.truthOf(at.node, at.key)
	if r == nil {
		return paragraph(at.node+" no longer has it.", w, a.th.Dim)
	}
	return a.truthLines(n, r, w)
}

// truthLines say a verdict in words, the facts behind it with their time and
// source, and of a rejection what the doctor makes of it.
func (a *App) truthLines(n *xds.Node, r *truth.Resource, w int) []string {
	state := a.stateOn(n, r)
	glyph, style := state.Draw(a.th)
	out := paragraph(glyph+" "+inWords(state, r), w, style)
	if refused := a.data.refusalOn(n.ID, r.Key); r.Rejected.Yes() && refused != nil {
		out = append(out, a.reasonLines("", refused, &r.Key, w)...)
	} else if r.Words != "" {
		out = append(out, paragraph(productOf(n).one+" says: "+r.Words, w, a.th.Bad)...)
	}
	if r.Partly {
		out = append(out, paragraph("It came in a response that was rejected for another's sake; "+productOf(n).the+" took this one all the same.", w, a.th.Warn)...)
	}
	if r.Acked.Yes() && !r.Active.Yes() && (r.Verdict == truth.Missing || r.Verdict == truth.WaitingToWarm || r.Verdict == truth.Stuck) {
		out = append(out, paragraph("It was ACKed, and is not active.", w, a.th.Warn)...)
	}
	if text := a.factsText(n, r); text != "" {
		out = append(out, paragraph(text, w, a.th.Dim)...)
	}
	if r.Verdict == truth.Stuck || r.Verdict == truth.WaitingToWarm {
		if ok, _ := canCancel(a); ok {
			out = append(out, paragraph(a.keyOf("cancel")+" cancels the revision: the clusters go back to what was accepted last.", w, a.th.Info)...)
		}
	}
	return out
}

// inWords is how a resource stands, in a word and a sentence.
func inWords(state mark.State, r *truth.Resource) string {
	switch word := state.Word(); {
	case r.Says == "":
		return word
	case strings.HasPrefix(r.Says, word):
		return r.Says
	default:
		return word + ": " + r.Says
	}
}

// factsText lists the facts that hold of a resource, each with its age and who
// told it.
func (a *App) factsText(n *xds.Node, r *truth.Resource) string {
	var parts []string
	for _, f := range factsIn(r) {
		part := f.name
		if when := age(a.at, f.mark.At); when != "" {
			part += " " + when + " ago"
		}
		if d := r.Acked.At.Sub(r.Served.At); f.name == "ACKed" && r.Served.Yes() && d > 0 {
			part += ", after " + short(d)
		}
		parts = append(parts, part+" ("+sourceWord(f.mark.Source, n)+")")
	}
	text := strings.Join(parts, "; ")
	if r.Revision > 0 && text != "" {
		text = fmt.Sprintf("revision %d: %s", r.Revision, text)
	}
	if a.blind(n) && r.Active.Yes() {
		text += "; STALE, last seen " + a.seenAge(n.ID) + " ago"
	}
	return text
}

// sourceWord says who told a fact.
func sourceWord(s truth.Source, n *xds.Node) string {
	switch {
	case s == truth.Stream:
		return "stream"
	case productOf(n) == grpcProduct:
		return "its CSDS"
	}
	return "admin"
}

// openOnNode opens everything about a resource on a node: the truth, what the
// node has in its place, and the text that was pushed.
func (a *App) openOnNode(row *nodeRow) tea.Cmd {
	at, n := row.nodeSpot, row.n
	p := &pager{head: row.key.String() + " on " + row.node, facts: func(w int) []string { return a.spotLines(at, w) }}
	pushed, _ := a.data.pushed(row.r.Revision, n.Group)
	res := pushed.Get(row.key)
	instead := row.r.Instead
	return func() tea.Msg {
		if instead != nil {
			p.text = append(p.text, "# What "+n.ID+" has in its place:")
			if yaml, err := text.Encode(mesh.Redacted(instead)); err == nil {
				p.text = append(p.text, splitLines(yaml)...)
			}
			p.text = append(p.text, "", "# What was served:")
		}
		if res != nil {
			p.text = slices.Concat(p.text, shownText(res))
		}
		return showMsg{p}
	}
}

// showMsg hands in an overlay that was made outside the event loop.
type showMsg struct{ overlay overlay }
