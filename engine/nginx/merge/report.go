package merge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// report adds an entry, once.
func (m *merger) report(e importer.Entry) {
	if !slices.Contains(m.reported, e) {
		m.reported = append(m.reported, e)
	}
}

// leftovers adds what else is new in the edited import: what stream {} became, the
// clusters that a proxy_pass names by address.
func (m *merger) leftovers() {
	for _, r := range m.after.result.Mesh.All() {
		d := m.after.result.Made[r.Key]
		if d == nil || m.before.message(r.Key) != nil || isUpstream(d) || m.sited(r.Key) {
			continue
		}
		if m.trees.was[d] == nil || !same(m.trees.was[d], d) || m.anyFresh(d) {
			m.putNew(r.Key)
		}
	}
}

// sited reports whether a resource of the edited import came into the mesh with
// what is listened on, or by itself.
func (m *merger) sited(k mesh.Key) bool {
	return slices.ContainsFunc(m.siteList, func(s *site) bool { return s.after == k.Name && (k.Type == mesh.Listener || k.Type == mesh.Route) }) ||
		slices.ContainsFunc(m.ops.put, func(e Edit) bool { return e.Key == k })
}

// anyFresh reports whether the block has a directive that is new or changed.
func (m *merger) anyFresh(d *conf.Directive) bool {
	return slices.ContainsFunc(d.Block, func(in *conf.Directive) bool {
		was := m.trees.was[in]
		return was == nil || !same(was, in) || m.anyFresh(in)
	})
}

// account sees to it that each directive that the operator wrote or changed is
// carried over or in the report.
func (m *merger) account() {
	at := map[int]bool{}
	m.questions(at)
	asked := maps.Clone(at)
	for _, e := range m.after.result.Report {
		if e.File != file || !m.touched(e.Line) {
			continue
		}
		if m.known(e) || asked[e.Line] {
			continue
		}
		e.Key, e.Path = m.inMesh(e)
		at[e.Line] = true
		m.report(e)
	}
	for _, e := range m.reported {
		at[e.Line] = true
	}
	for _, c := range m.changed {
		if c.was != nil && c.now != nil && !at[c.now.Line] {
			m.lesson(c, at)
		}
		switch {
		case c.now == nil:
			m.accountGone(c.was)
		case at[c.now.Line] || m.part(c.now) || m.told(c.now, at) || m.becameRoutes(c.now):
		case len(m.after.links[c.now]) == 0:
			e := importer.Entry{Kind: nginx.None, Directive: c.now.String(), File: file, Line: c.now.Line, Reason: "it changes nothing in Envoy"}
			if block := m.lost(c.now); block != nil {
				e.Reason = fmt.Sprintf("%s as a whole is not carried over", block)
				e.Instead = "change it in Envoy's own terms"
			}
			e.Key, e.Path = m.inMesh(e)
			m.report(e)
		case !m.handled[c.now] && !m.inFresh(c.now):
			m.report(importer.Entry{Kind: nginx.None, Directive: c.now.String(), File: file, Line: c.now.Line,
				Reason: "what it says holds in Envoy for more than the block that it stands in", Instead: "change it in Envoy's own terms"})
		}
	}
}

// known reports whether the import of the shown text says the same of what the
// directive was: that is no news.
func (m *merger) known(e importer.Entry) bool {
	for _, c := range m.changed {
		if c.now == nil || c.now.Line != e.Line || c.was == nil {
			continue
		}
		if slices.ContainsFunc(m.before.result.Report, func(o importer.Entry) bool {
			return o.Line == c.was.Line && o.Reason == e.Reason && o.Kind == nginx.Approximate
		}) {
			return true
		}
	}
	return false
}

// lesson reports a change to a line that mirrors something only nearly.
func (m *merger) lesson(c concern, at map[int]bool) {
	l := m.shown.Lines[c.was.Line-1]
	if l.Kind != nginx.Approximate || l.Lesson == "" || !m.handled[c.now] {
		return
	}
	at[c.now.Line] = true
	m.report(importer.Entry{Kind: nginx.Approximate, Directive: c.now.String(), File: file, Line: c.now.Line, Key: l.From.Key, Path: l.From.Path, Reason: l.Lesson})
}

// told reports whether a block around d is in the report already.
func (m *merger) told(d *conf.Directive, at map[int]bool) bool {
	for p := d.Parent; p != nil; p = p.Parent {
		if m.trees.was[p] == nil && at[p.Line] {
			return true
		}
	}
	return false
}

// inFresh reports whether d stands in a block that is new: it came with that.
func (m *merger) inFresh(d *conf.Directive) bool {
	for p := d.Parent; p != nil; p = p.Parent {
		if m.trees.was[p] == nil || m.remade[p] {
			return true
		}
	}
	return false
}

// lost is the block around d that the importer has no words for; nil for none.
func (m *merger) lost(d *conf.Directive) *conf.Directive {
	for p := d.Parent; p != nil; p = p.Parent {
		if slices.ContainsFunc(m.after.result.Report, func(e importer.Entry) bool {
			return e.Kind == nginx.None && e.Line == p.Line && e.Directive == p.String()
		}) {
			return p
		}
	}
	return nil
}

// part reports whether a directive says nothing by itself: what it says is said of
// the block or the directive that it belongs to.
func (m *merger) part(d *conf.Directive) bool {
	return shares(d.Parent) || isServer(d) || isLocation(d) || d.Name == "server_name" || d.Name == "listen" || d.Name == "http" || d.Name == "stream" || isMember(d) || isUpstream(d)
}

// accountGone reports a directive that was taken out and changes nothing.
func (m *merger) accountGone(d *conf.Directive) {
	if len(m.before.links[d]) > 0 || questioned(d) != nil || m.part(d) || d.Parent != nil && m.trees.now[d.Parent] == nil {
		return
	}
	m.report(importer.Entry{Kind: nginx.None, Directive: d.String(), File: file, Line: m.lineOf(d),
		Reason: "taking it out changes nothing in Envoy: the line is there to make nginx do as Envoy does"})
}

// touched reports whether a directive of the line is new or changed.
func (m *merger) touched(line int) bool {
	return slices.ContainsFunc(m.changed, func(c concern) bool { return c.now != nil && c.now.Line == line })
}

// inMesh is where the mesh has what the import has at an entry's place, as far as
// that is known: the import's own names mean nothing to the operator.
func (m *merger) inMesh(e importer.Entry) (k mesh.Key, path string) {
	for _, c := range m.changed {
		if c.now == nil || c.now.Line != e.Line {
			continue
		}
		for _, o := range m.origins(c.was) {
			if !o.Key.IsZero() {
				return o.Key, o.Path
			}
		}
		for d := c.now.Parent; d != nil; d = d.Parent {
			for _, o := range m.origins(m.trees.was[d]) {
				if !o.Key.IsZero() {
					return o.Key, o.Path
				}
			}
		}
	}
	return mesh.Key{}, ""
}

// comments reports the comments of the shown text that are gone or changed, where
// the block that they stood in is still there.
func (m *merger) comments(edited string) {
	have := map[string]int{}
	for line := range strings.Lines(edited) {
		if c := comment(line); c != "" {
			have[c]++
		}
	}
	blocks := m.blocksOfLines()
	for i, l := range m.shown.Lines {
		c := comment(l.Text)
		if c == "" {
			continue
		}
		line := 1
		if block := blocks[i]; block != nil {
			now := m.trees.now[block]
			if now == nil {
				continue // it went with its block
			}
			line = now.Line
		}
		if have[c]--; l.Kind == nginx.None && have[c] < 0 {
			m.report(importer.Entry{Kind: nginx.None, Directive: c, File: file, Line: line, Key: l.From.Key, Path: l.From.Path,
				Reason: "this is a comment: it says what nginx cannot", Instead: "change it in Envoy's own terms"})
		}
	}
}

// comment is the comment that a line is, "" when it is none.
func comment(line string) string {
	if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
		return strings.Join(strings.Fields(line), " ")
	}
	return ""
}

// blocksOfLines are the blocks that the lines of the shown text stand in, told by
// their indents, comments too; nil for what stands in none.
func (m *merger) blocksOfLines() []*conf.Directive {
	begins := map[int]*conf.Directive{}
	for d := range m.before.conf.All() {
		if d.IsBlock {
			begins[d.Line] = d
		}
	}
	type open struct {
		block *conf.Directive
		depth int
	}
	var around []open
	out := make([]*conf.Directive, len(m.shown.Lines))
	for i, l := range m.shown.Lines {
		depth := len(l.Text) - len(strings.TrimLeft(l.Text, " "))
		for len(around) > 0 && around[len(around)-1].depth >= depth {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			out[i] = around[len(around)-1].block
		}
		if d := begins[i+1]; d != nil {
			around = append(around, open{d, depth})
		}
	}
	return out
}

// sum names the changes outside of locations, which no entity names by itself.
func (m *merger) sum() {
	for _, c := range m.changed {
		d := c.now
		if d == nil {
			d = c.was
		}
		if !m.handled[c.now] || m.part(d) || d.IsBlock || d.Parent == nil || isLocation(d.Parent) || m.inFresh(d) {
			continue
		}
		what := d.String()
		if c.now == nil {
			what = "without " + what
		}
		m.say("%s: %s", m.called(d.Parent), what)
	}
}

// called is a block as the summary names it.
func (m *merger) called(block *conf.Directive) string {
	if names := serverNames(block); isServer(block) && len(names) > 0 {
		return "server " + names[0]
	}
	return block.String()
}

// change is the outcome: its edits are made once, to see that they can be.
func (m *merger) change(base *mesh.Mesh) (*Change, error) {
	slices.SortStableFunc(m.reported, func(a, b importer.Entry) int { return cmp.Compare(a.Line, b.Line) })
	c := &Change{Edits: m.ops.edits(), Summary: m.summary, Report: m.reported}
	if err := m.resolve(c.Edits); err != nil {
		return nil, fmt.Errorf("the edit does not fit the mesh: %w", err)
	}
	made, err := c.Apply(base)
	if err != nil {
		return nil, fmt.Errorf("the edit does not fit the mesh: %w", err)
	}
	c.base, c.made = base, made
	if len(c.Edits) == 0 {
		c.Summary = nil
	}
	return c, nil
}
