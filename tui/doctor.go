package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// doctor says why a node rejected a response: for each reason what is wrong in
// plain words, where it stands and why Envoy refuses it, Envoy's own words, and
// the edit that mends it, as a diff against the draft.
type doctor struct {
	refused *refusal
	scripts []prescription // one for each reason
	at      int            // the reason that is shown
	list    widget.List
}

// prescription is the edit that mends a reason, made for the draft as it is.
type prescription struct {
	fix    *nack.Fix
	change mesh.Change // from the draft to what the edit makes of it
	note   string      // why there is no edit, or what to know of it
}

// prescribe finds for each reason the edit that mends it in the draft. What the
// draft changed since the push is diagnosed anew, so that no edit of the
// operator's is lost.
func (d *data) prescribe(r *refusal) []prescription {
	pushed, _ := d.pushed(r.revision, d.group)
	var again []nack.Diagnosis
	out := make([]prescription, len(r.reasons))
	for i := range r.reasons {
		reason, p := &r.reasons[i], &out[i]
		p.fix = reason.Fix
		if p.fix == nil {
			continue
		}
		now, then := d.gs.Draft.Get(p.fix.Key), pushed.Get(p.fix.Key)
		switch {
		case now == nil:
			p.fix, p.note = nil, "The draft no longer has "+reason.Key.String()+"."
			continue
		case then == nil || now.Source.Text != then.Source.Text:
			if again == nil {
				again = nack.Diagnose(d.rejection(r, d.gs.Draft))
			}
			p.fix, p.note = fixAmong(again, p.fix.Key), "The draft has changed it since the push; the edit is made for what the draft says now."
			if p.fix == nil {
				p.note = "The draft has changed it since the push: d shows how. What was wrong may be mended in it already."
				continue
			}
		}
		p.change = mesh.Change{Key: p.fix.Key, Old: now}
		if p.fix.Text != "" {
			p.change.New, _ = text.Decode(p.fix.Key.Type, mesh.Source{Text: p.fix.Text})
			if p.change.New == nil {
				p.change.New = &mesh.Resource{Key: now.Key, Message: now.Message, Source: mesh.Source{Text: p.fix.Text}}
			}
		}
	}
	return out
}

// fixAmong is the first edit among the reasons that mends a resource, or nil.
func fixAmong(reasons []nack.Diagnosis, k mesh.Key) *nack.Fix {
	for i := range reasons {
		if f := reasons[i].Fix; f != nil && f.Key == k {
			return f
		}
	}
	return nil
}

// openDoctor diagnoses a refusal outside the event loop and opens what came of
// it; the panes' cursor goes to the resource.
func (a *App) openDoctor(r *refusal, about mesh.Key) tea.Cmd {
	d, wire := a.data, a.deps.Nodes.Wire()
	return func() tea.Msg {
		if r.reasons == nil {
			r.words(wire)
			d.reason(r)
		}
		doc := &doctor{refused: r, scripts: d.prescribe(r)}
		doc.at = max(0, slices.IndexFunc(r.reasons, func(x nack.Diagnosis) bool { return x.Key == about }))
		return showMsg{doc}
	}
}

func (p *doctor) title() string {
	what := p.refused.t.String()
	if k := p.reason().Key; !k.IsZero() {
		what = k.String()
	}
	title := "Why " + p.refused.node + " rejected " + what
	if n := len(p.scripts); n > 1 {
		title += fmt.Sprintf(" (%d of %d)", p.at+1, n)
	}
	return title
}

func (p *doctor) width() int { return 96 }

func (p *doctor) reason() *nack.Diagnosis { return &p.refused.reasons[p.at] }

func (p *doctor) lines(a *App, w, h int) []string {
	body := []string{a.th.Dim.Render(widget.Fit(widget.Clean(p.head(a)), w)), widget.Spaces(w)}
	body = append(body, a.reasonText(p.refused, p.reason(), w)...)
	body = append(body, widget.Spaces(w))
	s := p.scripts[p.at]
	if s.note != "" {
		body = append(body, paragraph(s.note, w, a.th.Warn)...)
	}
	switch {
	case s.fix != nil:
		body = append(body, paragraph("What mends it: "+s.fix.Says, w, a.th.Good)...)
		body = append(body, diffLines(a.th, []mesh.Change{s.change}, w)...)
	case s.note == "":
		body = append(body, paragraph("There is no edit that mends it by itself: only you can know what was meant.", w, a.th.Info)...)
	}
	foot := []string{widget.Spaces(w), p.foot(a, w)}
	p.list.Resize(len(body), max(1, min(len(body), h-len(foot))))
	return append(slices.Clone(body[p.list.Top:p.list.End()]), foot...)
}

// head says when it was, and in which revision.
func (p *doctor) head(a *App) string {
	r := p.refused
	text := r.t.Service()
	if r.revision > 0 {
		text += fmt.Sprintf(", revision %d", r.revision)
	}
	if r.fact.Version != "" {
		text += ", version " + r.fact.Version
	}
	return text + ", " + ago(age(a.at, r.fact.At))
}

func (p *doctor) foot(a *App, w int) string {
	var pairs []string
	if p.scripts[p.at].fix != nil {
		pairs = append(pairs, "enter", "put it into the draft")
	}
	if !p.reason().Key.IsZero() {
		pairs = append(pairs, "e", "edit it there")
	}
	if len(p.scripts) > 1 {
		pairs = append(pairs, "tab", "next reason")
	}
	return a.keysLine(w, append(pairs, "j k", "scroll", "esc", "close")...)
}

func (p *doctor) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	switch k := keyName(msg); k {
	case "esc", "q", "f":
		return nil, true
	case "tab":
		p.at, p.list = (p.at+1)%len(p.scripts), widget.List{}
		a.jump(p.reason().Key, p.reason().Path)
	case "shift+tab":
		p.at, p.list = (p.at+len(p.scripts)-1)%len(p.scripts), widget.List{}
		a.jump(p.reason().Key, p.reason().Path)
	case "enter":
		if p.scripts[p.at].fix != nil {
			return a.mend(p.scripts[p.at], p.reason())
		}
	case "e":
		return a.editField(p.reason().Key, p.reason().Path)
	default:
		p.list.ScrollKey(k)
	}
	return nil, false
}

// mend puts the edit into the draft, unless that has changed since it was shown.
func (a *App) mend(s prescription, reason *nack.Diagnosis) (tea.Cmd, bool) {
	if ok, why := writable(a); !ok {
		a.shout("mend: " + why)
		return nil, false
	}
	a.screen = nil
	a.jump(reason.Key, reason.Path)
	fix, shown := s.fix, s.change.Old.Source.Text
	return a.editSaying("mend "+fix.Key.String(), func(gs *engine.GroupState) ([]engine.Edit, string, error) {
		if now := gs.Draft.Get(fix.Key); now == nil || now.Source.Text != shown {
			return nil, "", fmt.Errorf("the draft has changed it meanwhile; f shows the edit anew")
		}
		said := "in the draft: " + fix.Says + "; p pushes it, u takes it back"
		if fix.Text == "" {
			return []engine.Edit{engine.Remove{Key: fix.Key}}, said, nil
		}
		return []engine.Edit{engine.Put{Type: fix.Key.Type, Text: fix.Text, Was: fix.Key}}, said, nil
	}), true
}

// editField opens a resource of the draft in the editor, at a field.
func (a *App) editField(k mesh.Key, path string) (tea.Cmd, bool) {
	res := a.data.gs.Draft.Get(k)
	if ok, why := writable(a); !ok || res == nil {
		if res == nil {
			why = "the draft has nothing of that name"
		}
		a.shout("edit: " + why)
		return nil, false
	}
	line, _, _ := text.Position(res.Source.Text, path)
	return a.editText(&editJob{t: k.Type, was: k, text: res.Source.Text, line: max(1, line), what: "edit " + k.String()}), true
}

// plainly is what is wrong in a sentence: the doctor's, or the node's own words
// where it knows no better.
func plainly(d *nack.Diagnosis) string {
	plain := d.Plain
	if plain == "" {
		plain = strings.TrimSpace(d.Words)
	}
	if !d.Sure && !d.Key.IsZero() {
		return "most likely " + d.Key.String() + ": " + plain
	}
	return plain
}

// reasonText is one reason: what is wrong, where, why, what to do, and the
// node's own words.
func (a *App) reasonText(r *refusal, reason *nack.Diagnosis, w int) []string {
	out := indented(plainly(reason), a.th.Glyph.Rejected+" ", w, a.th.Bad)
	return append(out, a.reasonRest(r, reason, w)...)
}

// reasonRest is a reason without the sentence that says what is wrong.
func (a *App) reasonRest(r *refusal, reason *nack.Diagnosis, w int) []string {
	var out []string
	for _, l := range []struct {
		head, text string
		style      theme.Style
	}{{"at   ", reasonPlace(reason), a.th.Accent}, {"why  ", reason.Why, theme.Style{}}, {"do   ", reason.Hint, theme.Style{}}} {
		if l.text != "" {
			out = append(out, indented(l.text, "  "+l.head, w, l.style)...)
		}
	}
	if words := strings.TrimSpace(reason.Words); words != "" && words != reason.Plain {
		who := productOf(a.data.xs.Node(r.node))
		out = append(out, indented(words, "  "+who.The()+" says: ", w, a.th.Dim)...)
	}
	return out
}

// reasonPlace is where a reason stands: field, and file and line.
func reasonPlace(d *nack.Diagnosis) string {
	var parts []string
	if d.Path != "" {
		parts = append(parts, d.Path)
	}
	switch {
	case d.File != "" && d.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d", baseName(d.File), d.Line))
	case d.Line > 0:
		parts = append(parts, fmt.Sprintf("line %d", d.Line))
	}
	return strings.Join(parts, "  ")
}

// reasonLines are the reasons of a refusal that are about a resource, or all of
// them, the first behind a head; and the key that leads to the doctor.
func (a *App) reasonLines(head string, r *refusal, about *mesh.Key, w int) []string {
	var out []string
	fixable := false
	for i := range r.reasons {
		reason := &r.reasons[i]
		if about != nil && reason.Key != *about && r.about(*about) != nil {
			continue
		}
		plain := plainly(reason)
		if about != nil && !reason.Key.IsZero() && reason.Key != *about {
			plain = "it came in one response with " + reason.Key.String() + ". Of that: " + plain
		}
		if len(out) == 0 && head != "" {
			plain = head + ": " + plain
		}
		out = append(out, indented(plain, a.th.Glyph.Rejected+" ", w, a.th.Bad)...)
		out = append(out, a.reasonRest(r, reason, w)...)
		fixable = fixable || reason.Fix != nil
	}
	hint := a.keyOf("doctor") + " says more"
	if fixable {
		hint = a.keyOf("doctor") + " shows the edit that mends it"
	}
	return append(out, paragraph("  "+hint, w, a.th.Info)...)
}
