package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

func rolloutActions() []*Action {
	const group = "Push, history, files"
	return []*Action{
		{ID: "widen", Title: "widen: the revision that is on chosen nodes goes to all", Short: "widen", Group: group, Keys: []string{"W"},
			In: InMain | InNodes | InHistory | InOther, Enabled: canWiden, Hidden: func(a *App) bool { return a.data.ws.Limited == nil }, Run: (*App).askWiden},
		{ID: "cancel", Title: "cancel the revision that hangs: back to what was accepted last", Short: "cancel", Group: group, Keys: []string{"C"},
			In: InMain | InNodes | InHistory | InOther, Enabled: canCancel, Hidden: func(a *App) bool { return !a.hangs() }, Run: (*App).askCancel},
	}
}

func canWiden(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	return a.data.ws.Limited != nil, "what is live went to all nodes"
}

func canCancel(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	h := a.data.head
	if h == nil || h.Outcome.Result != engine.Pending && h.Outcome.Result != engine.TimedOut {
		return false, "no revision is under way"
	}
	return true, ""
}

func (a *App) askWiden() tea.Cmd {
	r := a.data.ws.Limited
	on, of := a.reach(r)
	text := fmt.Sprintf("%s is on %d of %s: %s. It goes to the others too, under the same number.", noteOf(r), on, a.nodes(of), strings.Join(r.Only, ", "))
	if r.Outcome.Result != engine.Accepted {
		word, _, _ := a.outcome(r)
		text += "\nIt is not accepted there yet: " + word + "."
	}
	a.open(&widenDialog{confirm: confirm{head: fmt.Sprintf("Widen revision %d to all?", r.Number), text: text, yes: "W", yesText: "widen", do: func(a *App) tea.Cmd {
		ws := a.deps.Workspace
		return a.wantRevision("widen", ws.Widen, func(rev *engine.Revision) string { return fmt.Sprintf("revision %d goes to all", rev.Number) })
	}}})
	return nil
}

// widenDialog asks whether to widen, and shows what that does to the nodes that
// do not have the revision yet.
type widenDialog struct {
	confirm
	list widget.List
}

func (d *widenDialog) width() int { return 84 }

func (d *widenDialog) lines(a *App, w, h int) []string {
	lines := d.confirm.lines(a, w, h)
	head, foot := lines[:len(lines)-1], []string{widget.Spaces(w), lines[len(lines)-1]}
	body := a.courseLines(w)
	d.list.Resize(len(body), min(len(body), max(1, h-len(head)-len(foot))))
	if d.list.Top > 0 || d.list.End() < len(body) {
		foot[0] = a.scrollHint(&d.list, w)
	}
	return slices.Concat(head, body[d.list.Top:d.list.End()], foot)
}

func (d *widenDialog) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	if d.list.ScrollKey(keyName(msg)) {
		return nil, false
	}
	return d.confirm.key(a, msg)
}

func (a *App) askCancel() tea.Cmd {
	h := a.data.head
	text := "What was accepted last becomes a new revision, and what does not get warm is taken out of the nodes. The draft stays as it is."
	if waits := a.warming(); len(waits) > 0 {
		text = fmt.Sprintf("It waits for warm: %s.\n%s", strings.Join(waits, ", "), text)
	}
	a.open(&confirm{head: fmt.Sprintf("Cancel revision %d?", h.Number), text: text, yes: "C", yesText: "cancel the revision", noText: "go on waiting", harm: true, do: func(a *App) tea.Cmd {
		ws := a.deps.Workspace
		return a.wantRevision("cancel", ws.Cancel, func(rev *engine.Revision) string {
			return fmt.Sprintf("cancelled: revision %d says what was accepted before; the draft still has the rest", rev.Number)
		})
	}})
	return nil
}

// reach is how many of the group's connected nodes a revision goes to, and of
// how many.
func (a *App) reach(r *engine.Revision) (on, of int) {
	for _, n := range a.data.members {
		if !n.Connected {
			continue
		}
		of++
		if r.For(n.ID) == r {
			on++
		}
	}
	return on, of
}

// warming names what the nodes withhold their answers for, each once.
func (a *App) warming() []string {
	var out []string
	for _, n := range a.data.members {
		for _, name := range n.Rollout.Warming {
			if n.Connected && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// stuck is a resource that warms for longer than is usual, with its node; nil
// when none does.
func (a *App) stuck() (*xds.Node, *truth.Resource) {
	for _, n := range a.data.members {
		if t := a.data.truths[n.ID]; t != nil && n.Connected {
			for i := range t.Resources {
				if t.Resources[i].Verdict == truth.Stuck {
					return n, &t.Resources[i]
				}
			}
		}
	}
	return nil, nil
}

// hangs reports whether the newest revision is held up by what does not get
// warm.
func (a *App) hangs() bool {
	if ok, _ := canCancel(a); !ok {
		return false
	}
	_, r := a.stuck()
	return r != nil || a.data.head.Outcome.Result == engine.TimedOut
}

// takenBack reports whether a revision is what meshtui rolled back to by itself.
func takenBack(r *engine.Revision) bool {
	return r.Cause != engine.Pushed && strings.HasPrefix(r.Note, "automatic rollback")
}

// limitedBar says that the newest revision is on chosen nodes only.
func (a *App) limitedBar(r *engine.Revision) bar {
	on, of := a.reach(r)
	rest := "the others have nothing yet"
	if r.Rest != nil {
		rest = fmt.Sprintf("the others keep revision %d", r.Rest.Number)
	}
	tail := a.keyOf("widen") + " widens"
	switch {
	case r.Outcome.Result == engine.Rejected:
		tail = "" // its own bar says what to do
	case r.Rest != nil:
		tail += "   " + a.keyOf("rollback") + " undoes"
	}
	return bar{text: fmt.Sprintf("revision %d is on %d of %s (%s); %s", r.Number, on, a.nodes(of), listed(r.Only), rest), tail: tail}
}

// stuckBar names what does not get warm, and the way out.
func (a *App) stuckBar() (bar, bool) {
	n, r := a.stuck()
	if r == nil {
		return bar{}, false
	}
	b := bar{text: fmt.Sprintf("%s on %s is stuck, %s", r.Key, n.ID, r.Says)}
	if ok, _ := canCancel(a); ok {
		b.tail = fmt.Sprintf("%s cancels revision %d", a.keyOf("cancel"), a.data.head.Number)
	}
	return b, true
}

// rolloutBars are what asks for attention about the newest revision.
func (a *App) rolloutBars() []bar {
	h := a.data.head
	if h == nil {
		return nil
	}
	var out []bar
	stuck, isStuck := a.stuckBar()
	switch {
	case h.Outcome.Result == engine.Rejected:
		out = append(out, bar{bad: true, text: fmt.Sprintf("revision %d rejected: %s", h.Number, a.whyRejected(h)), tail: a.wayOut()})
	case isStuck:
		out = append(out, stuck)
	case h.Outcome.Result == engine.TimedOut && len(a.warming()) > 0:
		out = append(out, bar{text: fmt.Sprintf("revision %d is waiting for warm: %s", h.Number, strings.Join(a.warming(), ", ")), tail: a.keyOf("cancel") + " cancels it"})
	case h.Outcome.Result == engine.TimedOut:
		out = append(out, bar{bad: true, text: fmt.Sprintf("revision %d unanswered: %s", h.Number, h.Outcome.Detail), tail: a.keyOf("cancel") + " cancels it"})
	case takenBack(h) && a.data.ws.Draft > 0:
		b := bar{bad: true, text: h.Note}
		if ok, _ := isRejected(a); ok {
			b.tail = a.keyOf("doctor") + " says why"
		}
		out = append(out, b)
	}
	if r := a.data.ws.Limited; r != nil {
		out = append(out, a.limitedBar(r))
	}
	return out
}

// whyRejected is a rejection in plain words where the doctor knows them, else in
// the node's own.
func (a *App) whyRejected(h *engine.Revision) string {
	for _, r := range a.data.refusals {
		for i := range r.reasons {
			if d := &r.reasons[i]; d.Plain != "" && (r.revision == h.Number || r.revision == 0) {
				return r.node + ": " + d.Plain
			}
		}
	}
	return h.Outcome.Detail
}
