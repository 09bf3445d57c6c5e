package merge

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// Verify holds the mesh that a change makes against the text that it was made of,
// before anything is pushed. base is the mesh that was shown, edited the text that
// came back, findings what can be said about a mesh by itself. It fails with a
// *SyntaxError when the result has an error that base had not, a reference to what
// is not there, or a route that no request reaches; and when the result, projected
// again, neither says what was written or left as it was, nor the change's Report
// tells of it. A refusal loses nothing: the text can be edited again.
func (c *Change) Verify(base *mesh.Mesh, shown *nginx.Config, edited string, findings func(*mesh.Mesh) []mesh.Finding) error {
	now, err := c.Apply(base)
	if err != nil {
		return fmt.Errorf("the edit does not fit the mesh: %w", err)
	}
	if c.theirs == nil {
		return nil // the text says the same as before
	}
	v := &verifier{change: c, shown: shown, made: now, again: nginx.Project(now)}
	if err := v.read(shown.String(), edited); err != nil {
		return err
	}
	refused := v.broken(worse(base, now, findings))
	if len(refused) == 0 {
		refused = v.open()
	}
	if len(refused) == 0 {
		refused = v.unsaid()
	}
	if len(refused) > 0 {
		return &SyntaxError{refused}
	}
	v.beside()
	return nil
}

// tell adds an entry to the report, once, in the order of the lines.
func (c *Change) tell(e importer.Entry) {
	if slices.Contains(c.Report, e) {
		return
	}
	c.Report = append(c.Report, e)
	slices.SortStableFunc(c.Report, func(a, b importer.Entry) int { return cmp.Compare(a.Line, b.Line) })
}

// verifier is one run of Verify.
type verifier struct {
	change          *Change
	made            *mesh.Mesh
	shown, again    *nginx.Config
	was, now, after *conf.Config // shown, edited, projected again
	edit            *trees       // from the shown text to the edited one
	result          *trees       // from the edited text to what is projected again
}

func (v *verifier) read(shown, edited string) (err error) {
	if v.was, err = v.change.was.of(shown); err != nil {
		return err
	}
	if v.now, err = v.change.now.of(edited); err != nil {
		return err
	}
	if v.after, err = read(v.again.String()); err != nil {
		return err
	}
	v.edit, v.result = align(v.was, v.now), align(v.now, v.after)
	return nil
}

// harmful are the rules beside those that speak of errors whose findings an edit
// of the nginx.conf must not add: nginx would not start with the one, and never
// does the other.
var harmful = map[string]bool{"dangling-reference": true, "shadowed-route": true}

// worse are the findings that now has and base had not. A finding about a place
// that only moved is none.
func worse(base, now *mesh.Mesh, findings func(*mesh.Mesh) []mesh.Finding) (out []mesh.Finding) {
	type of struct {
		rule string
		key  mesh.Key
	}
	had, count := map[string]int{}, map[of]int{}
	for _, f := range findings(base) {
		had[place(base, f)]++
		count[of{f.Rule, f.Key}]++
	}
	has := findings(now)
	for _, f := range has {
		count[of{f.Rule, f.Key}]--
	}
	for _, f := range has {
		if f.Severity != mesh.Error && !harmful[f.Rule] || count[of{f.Rule, f.Key}] >= 0 {
			continue
		}
		if at := place(now, f); had[at] > 0 {
			had[at]--
			continue
		}
		out = append(out, f)
	}
	return out
}

var number = regexp.MustCompile(`\d+`)

// place tells a finding from others, wherever in a list it stands now.
func place(m *mesh.Mesh, f mesh.Finding) string {
	said := ""
	if r := m.Get(f.Key); r != nil {
		if sub, ok := text.Sub(r.Source.Text, f.Path); ok {
			said = sub.Text
		}
	}
	return strings.Join([]string{f.Rule, f.Key.String(), number.ReplaceAllString(f.Path, "#"), number.ReplaceAllString(f.Message, "#"), said}, "\x00")
}

// broken tells of findings at the lines of the edited text that led to them.
func (v *verifier) broken(fs []mesh.Finding) (out []mesh.Finding) {
	for _, f := range fs {
		message := "Envoy would not do what is written: " + f.Message
		if f.Severity == mesh.Error {
			message = "Envoy would not take what this makes of the mesh: " + f.Message
		}
		out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: v.lineOf(f), Key: f.Key, Path: f.Path,
			Message: message, Hint: instead})
	}
	return out
}

const instead = "make the edit in smaller steps, or change the resource in Envoy's own terms"

// lineOf is the line of the edited text that a place of the result is projected
// from, or the first that the operator touched.
func (v *verifier) lineOf(f mesh.Finding) int {
	best, length := 0, -1
	for d := range v.after.All() {
		l := v.again.Lines[d.Line-1]
		for _, o := range append([]nginx.Origin{l.From}, l.Also...) {
			if o.Key != f.Key || !covers(o.Path, f.Path) && !covers(f.Path, o.Path) || len(o.Path) <= length {
				continue
			}
			if e := v.result.was[d]; e != nil && v.touched(e) {
				best, length = e.Line, len(o.Path)
			}
		}
	}
	if best > 0 {
		return best
	}
	for e := range v.now.All() {
		if v.touched(e) {
			return e.Line
		}
	}
	return 1
}

// touched reports whether a directive of the edited text is new, changed, or a
// block out of which something was taken.
func (v *verifier) touched(e *conf.Directive) bool {
	was := v.edit.was[e]
	return was == nil || !same(was, e) || len(was.Block) > len(e.Block)
}

// unsaid are the findings about what the text says and the result does not, though
// nobody told of it. What the importer reads is held by what it means, the rest by
// its words; where the meanings part, the words that are missing tell it best.
func (v *verifier) unsaid() []mesh.Finding {
	reported := map[int]bool{}
	for _, e := range v.change.Report {
		reported[e.Line] = true
	}
	strays := v.strays(reported)
	words := v.lost(reported, len(strays) > 0)
	if len(words) == 0 {
		words = v.stays(reported, len(strays) > 0)
	}
	if len(words) == 0 {
		return strays
	}
	return words
}

// lost are the directives of the edited text that the result does not say: all of
// them, or those of which the importer knows no meaning.
func (v *verifier) lost(reported map[int]bool, all bool) (out []mesh.Finding) {
	known := v.linked()
	for e := range v.now.All() {
		if ofReading(e) {
			continue
		}
		was := v.edit.was[e]
		asIs := was != nil && same(was, e)
		if !all && known[e] && !isMember(e) || v.found(e, asIs) || asIs && !v.mirrors(was) || excused(e, reported) {
			continue
		}
		message := fmt.Sprintf("%q cannot be carried over to Envoy together with the rest of the edit", e)
		if asIs {
			message = fmt.Sprintf("%q would be lost by the edit", e)
		}
		out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: e.Line, Message: message, Hint: instead})
	}
	return out
}

// linked are the directives of the edited text that the importer made something
// of, and the blocks that those stand in.
func (v *verifier) linked() map[*conf.Directive]bool {
	out := map[*conf.Directive]bool{}
	for _, l := range v.change.theirs.Links {
		for d := l.From; d != nil && !out[d]; d = d.Parent {
			out[d] = true
		}
	}
	return out
}

// ofReading reports whether the directive refuses what nginx reads otherwise than
// Envoy: which paths these are follows from the routes.
func ofReading(d *conf.Directive) bool {
	if d.Parent != nil && d.Parent.Name == "if" {
		d = d.Parent
	}
	return d.Name == "if" && len(d.Args) == 3 && d.Arg(0) == "$request_uri" && nginx.Misread(d.Arg(2))
}

// stays are the directives that the operator took out or changed, and that the
// result says still beside what they became: all, or the servers of upstreams.
func (v *verifier) stays(reported map[int]bool, all bool) (out []mesh.Finding) {
	for d := range v.was.All() {
		now := v.edit.now[d]
		if !all && !isMember(d) || d.Parent == nil || now != nil && same(now, d) {
			continue
		}
		block := v.edit.now[d.Parent]
		at := v.result.now[block]
		if block == nil || at == nil || v.told(d) || now != nil && excused(now, reported) {
			continue
		}
		for _, a := range at.Block {
			if says(a, d, false) && (!isLocation(a) || written(a) == written(d)) && (v.result.was[a] == nil || !says(v.result.was[a], a, false)) {
				line := block.Line
				if now != nil {
					line = now.Line
				}
				out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: line, Message: fmt.Sprintf("%q cannot be taken out of Envoy together with the rest of the edit", d), Hint: instead})
				break
			}
		}
	}
	return out
}

// told reports whether the report tells of a directive of the shown text, or of a
// block that it stood in.
func (v *verifier) told(d *conf.Directive) bool {
	return slices.ContainsFunc(v.change.Report, func(e importer.Entry) bool {
		for in := d; in != nil; in = in.Parent {
			if e.Directive == in.String() {
				return true
			}
		}
		return false
	})
}

// excused reports whether the report tells of a directive, of a block that it
// stands in, or of what it holds.
func excused(e *conf.Directive, reported map[int]bool) bool {
	for d := e; d != nil; d = d.Parent {
		if reported[d.Line] {
			return true
		}
	}
	return slices.ContainsFunc(e.Block, func(in *conf.Directive) bool { return reported[in.Line] })
}

// mirrors reports whether a directive of the shown text mirrors something of the
// mesh, rather than make nginx do as Envoy does by itself.
func (v *verifier) mirrors(d *conf.Directive) bool {
	switch {
	case d.Parent == nil, d.Parent.Name == "http" && d.Name != "upstream", shares(d.Parent), d.Name == "listen":
		return false // it stands there only as long as something asks for it
	case isServer(d.Parent) && slices.Equal(serverNames(d.Parent), []string{"_"}):
		return false // what takes the hosts that no other server takes goes once one takes them
	case d.Name == "proxy_connect_timeout", d.Name == "proxy_http_version", d.Name == "proxy_next_upstream", strings.HasPrefix(d.Name, "proxy_ssl"):
		return false // it is the cluster's, and goes when the location asks another one
	}
	l := v.shown.Lines[d.Line-1]
	return l.Kind != nginx.None && !l.From.Key.IsZero()
}

// found reports whether what is projected again says a directive of the edited
// text: at its place, or further in or out of it.
func (v *verifier) found(e *conf.Directive, asIs bool) bool {
	say := func(a *conf.Directive) bool { return says(a, e, asIs) }
	a := v.result.now[e]
	if a != nil && say(a) || a == nil && e.Name == "proxy_next_upstream_tries" || filters.MatchString(e.Name) || inStream(e) {
		return true // as many tries as there are servers are not written
	}
	if e.Name == "listen" {
		return within(v.after.Main, say) // each address of a server may be shown as a server
	}
	if e.Name == "proxy_pass" && a != nil && v.reaches(a, e) {
		return true
	}
	block := e.Parent
	for block != nil && v.result.now[block] == nil {
		block = block.Parent
	}
	if block == nil {
		return within(v.after.Main, say)
	}
	at := v.result.now[block]
	for out := at.Parent; out != nil; out = out.Parent {
		if slices.ContainsFunc(out.Block, say) {
			return true
		}
	}
	return within(at.Block, say)
}

// inStream reports whether a directive is not about HTTP.
func inStream(d *conf.Directive) bool {
	for ; d != nil; d = d.Parent {
		if d.Name == "stream" {
			return true
		}
	}
	return false
}

// reaches reports whether a proxy_pass goes through an upstream of the projection
// to the very address that the text goes to without one.
func (v *verifier) reaches(a, e *conf.Directive) bool {
	scheme, host, _ := strings.Cut(a.Arg(0), "://")
	wantScheme, want, _ := strings.Cut(e.Arg(0), "://")
	host, path, _ := strings.Cut(host, "/")
	want, wantPath, _ := strings.Cut(want, "/")
	if scheme != wantScheme || path != wantPath {
		return false
	}
	for d := range v.after.All() {
		if d.Name == "upstream" && d.Arg(0) == host {
			return slices.ContainsFunc(d.Children("server"), func(s *conf.Directive) bool { return spelled(s.Arg(0)) == spelled(want) })
		}
	}
	return false
}

// filters are the directives that become filters of Envoy's, of which the
// projection tells by a comment where it cannot say them.
var filters = regexp.MustCompile(`^(gzip|limit_|auth_|access_log|log_format|ssl_|map$|geo$|mirror|allow$|deny$|satisfy$|client_|keepalive|http2|worker_)`)

func within(block []*conf.Directive, say func(*conf.Directive) bool) bool {
	return slices.ContainsFunc(block, func(a *conf.Directive) bool { return say(a) || within(a.Block, say) })
}
