package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// has is the number of the revision that a node is to have, 0 for none.
func has(r *engine.Revision, node string) int {
	if r = r.For(node); r != nil {
		return r.Number
	}
	return 0
}

func (l *lab) pushTo(w *engine.Workspace, policy string, only ...string) *engine.Revision {
	l.Helper()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy(policy)))
	r, err := w.Push(engine.PushOptions{Only: only})
	l.must(err)
	return r
}

func accept(w *engine.Workspace, revision int) {
	w.Record(revision, engine.Outcome{Result: engine.Accepted, Nodes: 1})
}

// ways says of each revision: number, what it is limited to, what the others
// have, and where it went first.
func ways(s *engine.State) []string {
	var out []string
	for _, r := range s.Revisions {
		way := itoa(r.Number) + " " + r.Cause.String()
		if len(r.Only) > 0 {
			way += " only " + strings.Join(r.Only, ",")
		}
		if r.Rest != nil {
			way += " rest " + itoa(r.Rest.Number)
		}
		if len(r.First) > 0 {
			way += " first " + strings.Join(r.First, ",")
		}
		out = append(out, way)
	}
	return out
}

func TestAPushToChosenNodesLeavesTheOthersWhatTheyHave(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	r := l.pushTo(w, "RANDOM", "canary-*")
	if has(r, "canary-1") != 2 || has(r, "envoy-1") != 1 {
		t.Errorf("canary-1 is to have %d, envoy-1 %d", has(r, "canary-1"), has(r, "envoy-1"))
	}
	if s := w.State(); s.Limited == nil || s.Limited.Number != 2 {
		t.Errorf("the state says %+v is limited", s.Limited)
	}
	r = l.pushTo(w, "LEAST_REQUEST", "canary-1") // the others still have what went to all last
	if has(r, "canary-1") != 3 || has(r, "canary-2") != 1 {
		t.Errorf("canary-1 is to have %d, canary-2 %d", has(r, "canary-1"), has(r, "canary-2"))
	}
	r = l.pushTo(w, "RANDOM")
	if s := w.State(); has(r, "envoy-1") != 4 || s.Limited != nil {
		t.Errorf("a push to all goes to %d, and %+v is limited", has(r, "envoy-1"), s.Limited)
	}
	want := []string{"1 opening", "2 push only canary-* rest 1", "3 push only canary-1 rest 1", "4 push"}
	if diff := cmp.Diff(want, ways(w.State())); diff != "" {
		t.Error(diff)
	}
}

func TestTheFirstOfAllRevisionsLetsTheOthersWait(t *testing.T) {
	l := newLab(t)
	l.write("eds.yaml", "resources: []\n")
	l.write("cds.yaml", "resources: []\n")
	w := l.open() // has errors: nothing is served
	r, err := w.Push(engine.PushOptions{Only: []string{"envoy-1"}, Force: true})
	l.must(err)
	if has(r, "envoy-1") != 1 || has(r, "envoy-2") != 0 {
		t.Errorf("envoy-1 is to have %d, envoy-2 %d", has(r, "envoy-1"), has(r, "envoy-2"))
	}
	r, err = w.Widen()
	l.must(err)
	if has(r, "envoy-2") != 1 {
		t.Error("a widened revision is not for all")
	}
}

func TestWidenPublishesTheSameRevisionToAll(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	accept(w, 2)
	r, err := w.Widen()
	l.must(err)
	if diff := cmp.Diff([]int{1, 2, 2}, l.published.numbers()); diff != "" {
		t.Error(diff)
	}
	if has(r, "envoy-2") != 2 || r.Outcome.Result != engine.Pending || w.State().Limited != nil {
		t.Errorf("widened: %+v", r)
	}
	// What runs: envoy-1 took it, the others are where they were.
	if has(r.Base, "envoy-1") != 2 || has(r.Base, "envoy-2") != 1 {
		t.Errorf("before the widening envoy-1 held %d, envoy-2 %d", has(r.Base, "envoy-1"), has(r.Base, "envoy-2"))
	}
	want := []string{"1 opening", "2 push first envoy-1"}
	if diff := cmp.Diff(want, ways(w.State())); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Widen(); !errors.Is(err, engine.ErrNothingToWiden) {
		t.Errorf("widened twice: %v", err)
	}
}

func TestAcceptedByChosenNodesIsNotWhatAllHold(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	accept(w, 2)
	r := l.pushTo(w, "LEAST_REQUEST", "envoy-2") // which takes envoy-1 back
	if has(r.Base, "envoy-1") != 2 || has(r.Base, "envoy-2") != 1 {
		t.Errorf("after 2, envoy-1 held %d and envoy-2 %d", has(r.Base, "envoy-1"), has(r.Base, "envoy-2"))
	}
	accept(w, 3)
	r = l.pushTo(w, "RANDOM")
	if has(r.Base, "envoy-1") != 1 || has(r.Base, "envoy-2") != 3 {
		t.Errorf("after 3, envoy-1 held %d and envoy-2 %d", has(r.Base, "envoy-1"), has(r.Base, "envoy-2"))
	}
	// A revision to all that somebody rejected: who was not asked again holds what was before it.
	w.Record(4, engine.Outcome{Result: engine.Rejected, Nodes: 2, Detail: "envoy-2: no"})
	l.pushTo(w, "ROUND_ROBIN", "envoy-1")
	accept(w, 5)
	r = l.pushTo(w, "RANDOM")
	if has(r.Base, "envoy-1") != 5 || has(r.Base, "envoy-2") != 3 || has(r.Base, "envoy-3") != 1 {
		t.Errorf("after 5, the nodes held %d, %d, %d", has(r.Base, "envoy-1"), has(r.Base, "envoy-2"), has(r.Base, "envoy-3"))
	}
}

func TestALimitedRevisionIsLimitedAfterARestart(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	accept(w, 2)
	l.must(w.Save(""))
	before := ways(w.State())
	l.close(w)

	w = l.open()
	s := w.State()
	if diff := cmp.Diff(before, ways(s)); diff != "" {
		t.Fatal(diff)
	}
	if s.Limited == nil || has(s.Limited, "envoy-1") != 2 || has(s.Limited, "envoy-2") != 1 {
		t.Fatalf("limited is %+v", s.Limited)
	}
	if p := l.published.revs[len(l.published.revs)-1]; has(p, "envoy-2") != 1 {
		t.Errorf("envoy-2 is served %d", has(p, "envoy-2"))
	}
	_, err := w.Widen()
	l.must(err)
	l.close(w)
	w = l.open()
	if diff := cmp.Diff([]string{"1 opening", "2 push first envoy-1"}, ways(w.State())); diff != "" {
		t.Error(diff)
	}
}

func TestRollbackOfALimitedRevisionGoesToAll(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	limited := l.pushTo(w, "RANDOM", "envoy-1")
	if _, err := w.Rollback(2); err == nil || !strings.Contains(err.Error(), "widen revision 2") {
		t.Errorf("rolled back to what is limited: %v", err)
	}
	r, err := w.Rollback(limited.Rest.Number)
	l.must(err)
	if has(r, "envoy-1") != 3 || has(r, "envoy-2") != 3 || w.State().Limited != nil || w.State().Draft != 0 {
		t.Errorf("after the undo: %+v", w.State())
	}
}

func TestPushingToNodesAgain(t *testing.T) {
	l := newLab(t)
	w := l.open()
	push := func(only ...string) error {
		_, err := w.Push(engine.PushOptions{Only: only})
		return err
	}
	if err := push("envoy-1"); !errors.Is(err, engine.ErrNothingToPush) {
		t.Errorf("what all have was pushed to one: %v", err)
	}
	l.pushTo(w, "RANDOM", "envoy-1")
	if err := push("envoy-1"); !errors.Is(err, engine.ErrNothingToPush) {
		t.Errorf("twice to the same: %v", err)
	}
	if err := push(); !errors.Is(err, engine.ErrNothingToPush) || !strings.Contains(err.Error(), "widen revision 2") {
		t.Errorf("to all without a change: %v", err)
	}
	for _, bad := range []string{"", "envoy-["} {
		if err := push(bad); err == nil || errors.Is(err, engine.ErrNothingToPush) {
			t.Errorf("pushed to %q: %v", bad, err)
		}
	}
	l.must(push("envoy-1", "envoy-2")) // one more
	r := w.State().Head()
	if has(r, "envoy-2") != 3 || has(r, "envoy-3") != 1 || r.Note != "to other nodes" {
		t.Errorf("%+v", r)
	}
}

func TestWhatTheOthersHaveStaysInTheHistory(t *testing.T) {
	l := newLab(t)
	w := l.open(func(o *engine.Options) { o.Writer = quick{} })
	for i := range 203 {
		l.pushTo(w, []string{"RANDOM", "ROUND_ROBIN"}[i%2], "envoy-1")
	}
	s := w.State()
	if len(s.Revisions) != 200 || s.Revisions[0].Number != 1 || s.Revisions[1].Number != 6 {
		t.Errorf("%d revisions: %d, %d …", len(s.Revisions), s.Revisions[0].Number, s.Revisions[1].Number)
	}
	_, err := w.Rollback(s.Limited.Rest.Number)
	l.must(err)
}

// What a push does to the nodes that do not have the newest revision yet is said
// as long as they do not, also before it is widened.
func TestFindingsOfAChangeAreAboutTheOthersToo(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: mesh.Key{Type: mesh.Listener, Name: "app"},
		Path: "address.socket_address.port_value", Value: 10001}))
	moved := func() int {
		n := 0
		for _, f := range w.State().Group(mesh.DefaultGroup).Findings {
			if f.Rule == "listener-moved" {
				n++
			}
		}
		return n
	}
	if moved() != 1 {
		t.Fatal("a listener that moves is not found")
	}
	_, err := w.Push(engine.PushOptions{Only: []string{"envoy-1"}})
	l.must(err)
	if moved() != 1 {
		t.Errorf("%d findings about the others, whose listener is where it was", moved())
	}
	_, err = w.Widen()
	l.must(err)
	if moved() != 0 {
		t.Errorf("%d findings after the widening", moved())
	}
}
