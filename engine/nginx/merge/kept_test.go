package merge_test

import (
	"strings"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
)

// keeps holds that what no changed line mirrors is to the letter as it was.
func (e *experiment) keeps() {
	have := map[string]int{}
	for line := range strings.Lines(e.edited) {
		have[strings.TrimSpace(line)]++
	}
	touched := map[mesh.Key]bool{}
	for _, l := range e.shown.Lines {
		if have[strings.TrimSpace(l.Text)]--; have[strings.TrimSpace(l.Text)] < 0 || strings.HasSuffix(l.Text, "{") {
			for _, o := range append([]nginx.Origin{l.From}, l.Also...) {
				touched[o.Key] = true
			}
		}
	}
	for _, d := range mesh.DiffText(e.base, e.now) {
		if d.Old != nil && !touched[d.Key] && d.Key.Type != mesh.Listener { // a filter of its own may be what a line needs
			e.errorf("%s changed, and no line that mirrors it did\n%s", d.Key, outcome(e.t, e.base, e.change))
		}
	}
}

// isThere holds that the next projection is one that says what was written: to
// merge its own text changes nothing, and to merge what was written once more
// changes no answer.
func (e *experiment) isThere(w world) {
	same, err := merge.Merge(e.now, e.again, e.again.String())
	if err != nil || len(same.Edits) > 0 {
		e.errorf("the next projection as it is: %v %v", err, same)
		return
	}
	c, err := merge.Merge(e.now, e.again, e.edited)
	if err != nil {
		e.errorf("the same edit again: %v", err)
		return
	}
	if err := c.Verify(e.now, e.again, e.edited, check.Mesh); err != nil {
		e.count["again refused"]++ // nothing is lost by that
		return
	}
	then, err := c.Apply(e.now)
	if err != nil {
		e.errorf("the same edit again: %v", err)
		return
	}
	if len(mesh.DiffText(e.now, then)) == 0 || strings.Contains(strings.Join(e.edits, ""), "listen") {
		return // the server that Project adds goes along with those of the mesh, which its words do not say
	}
	e.count["again in other words"]++
	once, twice := match.New(e.now), match.New(then)
	hosts, paths, ports := words(parsedConf(e.t, e.edited))
	for range 40 {
		q := w.request(hosts, paths, ports)
		if a, b := byEnvoy(e.now, once.Match(asEnvoy(q))), byEnvoy(then, twice.Match(asEnvoy(q))); a != b && len(e.change.Report) == 0 {
			e.errorf("the same edit again changes %s of %s:%d from %+v to %+v\n%s\n--- after\n%s", q.Target, q.Host, q.Port, a, b, outcome(e.t, e.now, c), outcome(e.t, e.base, e.change))
			return
		}
	}
}
