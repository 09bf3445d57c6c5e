package adapter_test

import (
	"slices"
	"testing"

	"example.com/meshtui/xds/xdstest"
)

// A scenario may leave its stream open, and unanswered, while the next one runs
// under the same node id. The next one sees nothing of what was before Clear, and
// waits for nobody but itself.
func TestStreamOfTheScenarioBefore(t *testing.T) {
	for _, before := range variants {
		for _, v := range variants {
			t.Run(before.name+", then "+v.name, func(t *testing.T) {
				t.Parallel()
				p := start(t)
				old := p.script(t, before)
				old.setup("CDS,EDS", "A,B,C", "1")
				old.subscribe("CDS", "")
				if before.ads {
					old.subscribe("EDS", "A,B")
					mustHave(t, old.stream.Next(), "A", "B", "C")
				}
				mustHave(t, old.stream.Next()) // and nothing is answered
				old.must(old.adapter.ClearState(t.Context(), nodeID))

				s := p.script(t, v)
				s.setup("CDS", "D,E,F", "1")
				s.subscribe("CDS", "")
				r := s.stream.Next()
				mustHave(t, r, "D", "E", "F")
				if r.Version != "1" || len(r.Removed) > 0 {
					t.Errorf("version %q, removed %v", r.Version, r.Removed)
				}
				s.note(r)
				s.stream.Ack(r)
				s.setup("CDS", "X", "2")
				s.receives("CDS", "X", "2")
				s.until("it has nothing else", func() bool {
					last := s.got[services["CDS"]]["X"]
					return len(s.removed[services["CDS"]]) == 3 || !v.delta && !slices.ContainsFunc([]string{"D", "E", "F"}, func(name string) bool {
						return s.got[services["CDS"]][name].nonce == last.nonce
					})
				})
				s.until("the rollout is over", func() bool { return !s.State().Node(nodeID).Rollout.Ended.IsZero() })
				s.must(s.adapter.ClearState(t.Context(), nodeID))
			})
		}
	}
}

// mustHave holds that a response has these resources, if any are named, and no other.
func mustHave(t *testing.T, r xdstest.Response, names ...string) {
	t.Helper()
	if len(names) > 0 && !slices.Equal(slices.Sorted(slices.Values(r.Names)), names) {
		t.Fatalf("%s, want %v", r, names)
	}
}
