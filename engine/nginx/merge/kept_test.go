package merge_test

import (
	"slices"
	"strings"

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
// merge the same text again changes nothing, nor does its own text.
func (e *experiment) isThere() {
	same, err := merge.Merge(e.now, e.again, e.again.String())
	if err != nil || len(same.Edits) > 0 {
		e.errorf("the next projection as it is: %v %v", err, same)
	}
	c, err := merge.Merge(e.now, e.again, e.edited)
	if err != nil {
		e.errorf("the same edit again: %v", err)
		return
	}
	then, err := c.Apply(e.now)
	if err != nil {
		e.errorf("the same edit again: %v", err)
		return
	}
	if len(mesh.DiffText(e.now, then)) > 0 && slices.ContainsFunc(c.Edits, func(x merge.Edit) bool { return !strings.HasSuffix(x.Path, "num_retries") }) { // how often follows from how many servers there are
		e.count["not there"]++
		if len(e.change.Report) == 0 {
			e.errorf("the same edit again changes\n%s\n--- after\n%s\n--- of\n%s", outcome(e.t, e.now, c), outcome(e.t, e.base, e.change), diffLines(e.shown.String(), e.edited))
		}
	}
}
