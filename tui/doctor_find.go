package tui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/xds"
)

func doctorActions() []*Action {
	return []*Action{
		{ID: "doctor", Title: "why was it rejected, and the edit that mends it", Short: "why", Group: "Look", Keys: []string{"f"},
			In: InMain | InNodes | InWireScreen | InHistory | InOther, Enabled: isRejected,
			Hidden: func(a *App) bool { ok, _ := isRejected(a); return !ok }, Run: (*App).diagnoseHere},
	}
}

func isRejected(a *App) (bool, string) {
	r, _ := a.refusalHere()
	return r != nil, "nothing here was rejected"
}

// diagnoseHere opens the doctor on what the cursor is on.
func (a *App) diagnoseHere() tea.Cmd {
	r, about := a.refusalHere()
	if r == nil {
		return nil
	}
	if about.IsZero() && len(r.reasons) > 0 {
		about = r.reasons[0].Key
	}
	a.jump(about, "")
	return a.openDoctor(r, about)
}

// refusalHere is the refusal that the cursor is on, and the resource that it is
// about; where it is on none, the newest that stands. It finds, and diagnoses
// nothing.
func (a *App) refusalHere() (*refusal, mesh.Key) {
	switch s := a.screen.(type) {
	case *nodesScreen:
		s.refresh(a)
		if row := s.current(); row != nil && row.n != nil {
			return a.refusalIn(row.nodeSpot)
		}
		return nil, mesh.Key{}
	case *wireScreen:
		return a.refusalAt(s.list.Cursor), mesh.Key{}
	case *historyScreen:
		return a.refusalOfRevision(s.at(a, s.list.Cursor)), mesh.Key{}
	}
	if a.screen == nil && a.focus == PanelWire {
		if r := a.refusalAt(a.lists[PanelWire].Cursor); r != nil {
			return r, mesh.Key{}
		}
	}
	if row := a.selected(); row != nil {
		if r := a.data.refusalOf(row.Key); r != nil {
			return r, row.Key
		}
	}
	if len(a.data.refusals) > 0 {
		return a.data.refusals[0], mesh.Key{}
	}
	return a.refusalOfRevision(a.rejectedRevision()), mesh.Key{}
}

// refusalIn is that of a row of the nodes screen.
func (a *App) refusalIn(at nodeSpot) (*refusal, mesh.Key) {
	if !at.key.IsZero() {
		return a.data.refusalOn(at.node, at.key), at.key
	}
	for _, r := range a.data.refusals {
		if r.node == at.node && (at.t == 0 || r.t == at.t) {
			return r, mesh.Key{}
		}
	}
	return nil, mesh.Key{}
}

// rejectedRevision is the newest revision where it was rejected, or the one
// before where that was rolled back by itself; nil when neither.
func (a *App) rejectedRevision() *engine.Revision {
	revs := a.data.ws.Revisions
	for i := len(revs) - 1; i >= max(0, len(revs)-2); i-- {
		switch {
		case revs[i].Outcome.Result == engine.Rejected:
			return revs[i]
		case !takenBack(revs[i]):
			return nil
		}
	}
	return nil
}

// refusalOfRevision is the newest refusal on the wire that belongs to a revision.
func (a *App) refusalOfRevision(rev *engine.Revision) *refusal {
	if rev == nil || rev.Outcome.Result != engine.Rejected {
		return nil
	}
	for i := len(a.data.wire) - 1; i >= 0; i-- {
		if m := &a.data.wire[i]; m.Kind == xds.NACK && m.Revision == rev.Number {
			return a.refusalAt(i)
		}
	}
	return nil
}

// refusalAt is the NACK that stands i-th on the wire; nil for any other message.
func (a *App) refusalAt(i int) *refusal {
	if i < 0 || i >= len(a.data.wire) || a.data.wire[i].Kind != xds.NACK {
		return nil
	}
	m := &a.data.wire[i]
	j := slices.IndexFunc(a.data.refusals, func(r *refusal) bool { return r.node == m.Node && r.t == m.Type && r.fact.Nonce == m.Nonce })
	if j >= 0 {
		return a.data.refusals[j]
	}
	return refusalOnWire(m)
}

// refusalOnWire makes a refusal of a NACK on the wire.
func refusalOnWire(m *xds.Message) *refusal {
	r := &refusal{seq: m.Seq, node: m.Node, t: m.Type, fact: xds.Fact{Version: m.Version, Nonce: m.Nonce, At: m.At}, text: m.Detail, revision: m.Revision}
	for _, name := range m.Names {
		r.among = append(r.among, mesh.Key{Type: m.Type, Name: name})
	}
	return r
}

// words reads the node's own words as they came from the message itself, where
// that is still kept.
func (r *refusal) words(wire WireReader) {
	if r.seq == 0 || wire == nil {
		return
	}
	switch body, _ := wire.Body(r.seq); b := body.(type) {
	case *discoveryv3.DiscoveryRequest:
		r.text = orText(b.GetErrorDetail().GetMessage(), r.text)
	case *discoveryv3.DeltaDiscoveryRequest:
		r.text = orText(b.GetErrorDetail().GetMessage(), r.text)
	}
}

func orText(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// jump puts the cursor of the main screen on a field of a resource; what has no
// pane gets its own screen, unless another one is open.
func (a *App) jump(k mesh.Key, path string) {
	if k.IsZero() {
		return
	}
	if s, ok := a.screen.(*otherScreen); ok {
		s.refresh(a)
		if i := s.find(k); i >= 0 {
			s.list.Select(i)
			s.at = k
			return
		}
	}
	for p := outline.Pane(0); p < outline.Panes; p++ {
		i := a.data.outline.Find(p, k, path)
		if i < 0 || Panel(p) != paneOf(k.Type) {
			continue
		}
		if a.shown(p, i) < 0 {
			a.filter[p] = filtered{}
			a.arrange()
		}
		a.lists[p].Select(a.shown(p, i))
		a.focusOn(Panel(p))
		return
	}
	if a.screen == nil && slices.ContainsFunc(a.data.outline.Others, func(r *outline.Row) bool { return r.Key == k }) {
		a.showOther(k)
	}
}

// paneOf is the pane that has a type's own rows; panels for none.
func paneOf(t mesh.Type) Panel {
	if i := slices.Index(mesh.Types(), t); i >= 0 && i <= int(PanelEDS) {
		return Panel(i)
	}
	return panels
}
