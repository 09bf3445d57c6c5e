package xds

import (
	"testing"

	"example.com/meshtui/engine"
)

// What a node that runs holds as a server starts: of a revision that went to
// chosen nodes, each has its own past.
func TestHeldBefore(t *testing.T) {
	accepted := engine.Outcome{Result: engine.Accepted}
	one := &engine.Revision{Number: 1, Outcome: accepted}
	two := &engine.Revision{Number: 2, Base: one}
	three := &engine.Revision{Number: 3, Only: []string{"a"}, Rest: two, Base: one}
	done := &engine.Revision{Number: 4, Only: []string{"a"}, Rest: one, Outcome: accepted}
	four := &engine.Revision{Number: 5, Base: done}
	first := &engine.Revision{Number: 6, Only: []string{"a"}}
	for name, tc := range map[string]struct {
		first *engine.Revision
		node  string
		want  *engine.Revision
	}{
		"nothing published":                   {nil, "a", nil},
		"accepted itself":                     {one, "a", one},
		"accepted before":                     {two, "a", one},
		"chosen":                              {three, "a", one},
		"not chosen: what its own comes from": {three, "b", one},
		"chosen and accepted":                 {done, "a", done},
		"not chosen, and its own accepted":    {done, "b", one},
		"all, after a limited one: chosen":    {four, "a", done},
		"all, after a limited one: not":       {four, "b", one},
		"the very first, not chosen":          {first, "b", nil},
	} {
		if got := heldBefore(tc.first, tc.node); got != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
