package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

func automatic(o *engine.Options) { o.AutoRollback = true }

func reject(w *engine.Workspace, revision int, detail string) {
	w.Record(revision, engine.Outcome{Result: engine.Rejected, Nodes: 1, Detail: detail})
}

func notes(w *engine.Workspace) []string {
	var out []string
	for _, r := range w.State().Revisions {
		out = append(out, r.Note)
	}
	return out
}

func TestARejectedPushIsTakenBack(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	accept(w, 1)
	l.pushTo(w, "RANDOM")
	reject(w, 2, "envoy-1: Error adding/updating cluster(s) app: no\nand more")
	want := []string{"opened", "set lb_policy of cluster app to RANDOM",
		"automatic rollback to 1: envoy-1 rejected 2: Error adding/updating cluster(s) app: no …"}
	if diff := cmp.Diff(want, notes(w)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, l.published.numbers()); diff != "" {
		t.Error(diff)
	}
	s := w.State()
	if s.Draft != 1 || !strings.Contains(draftText(w, cluster), "RANDOM") {
		t.Errorf("what was rejected is not in the draft any more, to be mended: %d changes", s.Draft)
	}
	if base := s.Head().Base; base == nil || base.Number != 1 {
		t.Errorf("the nodes held %+v", base)
	}
	reject(w, 3, "envoy-1: no to that, too") // never twice
	reject(w, 2, "envoy-2: late")
	if n := len(w.State().Revisions); n != 3 {
		t.Errorf("%d revisions: %q", n, notes(w))
	}
}

func TestWhatIsNotTakenBack(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	reject(w, 1, "envoy-1: what was opened is no push")
	if s := w.State(); len(s.Revisions) != 1 || len(s.Notices) != 0 {
		t.Errorf("%q, %v", notes(w), s.Notices)
	}
	l.pushTo(w, "RANDOM")
	reject(w, 2, "envoy-1: no")
	s := w.State()
	if len(s.Revisions) != 2 || len(s.Notices) != 1 || !strings.Contains(s.Notices[0].Message, "no revision was accepted before 2") {
		t.Errorf("with nothing to go back to: %q, %v", notes(w), s.Notices)
	}
	l.pushTo(w, "LEAST_REQUEST")
	if s := w.State(); len(s.Notices) != 0 {
		t.Errorf("the notice stays: %v", s.Notices)
	}
	reject(w, 2, "envoy-1: once more")
	if n := len(w.State().Revisions); n != 3 {
		t.Errorf("one that is past was taken back: %q", notes(w))
	}

	off := newLab(t)
	w = off.open()
	accept(w, 1)
	off.pushTo(w, "RANDOM")
	reject(w, 2, "envoy-1: no")
	if n := len(w.State().Revisions); n != 2 {
		t.Errorf("unasked: %q", notes(w))
	}
}

func TestTakingBackALimitedPushLeavesItLimited(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	accept(w, 2)
	l.pushTo(w, "LEAST_REQUEST", "envoy-1")
	reject(w, 3, "no, and nobody is named")
	_, err := w.Widen() // what 2 said
	l.must(err)
	reject(w, 4, "envoy-2: no to a rollback that was widened")
	want := []string{"1 opening", "2 push only envoy-1 rest 1", "3 push only envoy-1 rest 1", "4 rollback first envoy-1"}
	if diff := cmp.Diff(want, ways(w.State())); diff != "" {
		t.Error(diff)
	}
	if got, want := notes(w)[3], "automatic rollback to 2: 3 was rejected: no, and nobody is named"; got != want {
		t.Errorf("noted %q", got)
	}
	if head := w.State().Head(); !strings.Contains(head.Meshes[mesh.DefaultGroup].Get(cluster).Source.Text, "RANDOM") {
		t.Error("it is not what 2 said")
	}
}

func TestARejectedWideningIsTakenBackFromAll(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	accept(w, 2)
	_, err := w.Widen()
	l.must(err)
	reject(w, 2, "envoy-2: no")
	head := w.State().Head()
	if head.Number != 3 || has(head, "envoy-1") != 3 || has(head, "envoy-2") != 3 {
		t.Errorf("%q", ways(w.State()))
	}
	if strings.Contains(head.Meshes[mesh.DefaultGroup].Get(cluster).Source.Text, "RANDOM") || !strings.HasPrefix(head.Note, "automatic rollback to 1:") {
		t.Errorf("it went back to what was rejected: %s", head.Note)
	}
	if has(head.Base, "envoy-1") != 1 {
		t.Errorf("the nodes held %+v", head.Base)
	}
}

// What nodes say of a revision that is through, one that joins or returns, changes
// nothing.
func TestAnOutcomeStays(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	outcome := func(i int) engine.Outcome { return w.State().Revisions[i].Outcome }
	w.Record(1, engine.Outcome{Result: engine.NoNodes})
	w.Record(1, engine.Outcome{Result: engine.Pending, Nodes: 1})
	accept(w, 1) // its first nodes came
	l.pushTo(w, "RANDOM")
	w.Record(2, engine.Outcome{Result: engine.TimedOut, Nodes: 1})
	accept(w, 2) // it answered after all
	accepted := outcome(1)
	reject(w, 2, "newcomer: no")
	for _, o := range []engine.Outcome{{Result: engine.Pending}, {Result: engine.NoNodes}, {Result: engine.Accepted, Nodes: 2, Took: 78}} {
		w.Record(2, o)
	}
	if len(w.State().Revisions) != 2 || outcome(1) != accepted {
		t.Errorf("%q, the outcome is %+v", notes(w), outcome(1))
	}
	l.pushTo(w, "LEAST_REQUEST")
	w.Record(2, engine.Outcome{Result: engine.Superseded})
	if outcome(1) != accepted {
		t.Errorf("after the next push the outcome is %+v", outcome(1))
	}
	reject(w, 3, "envoy-1: no")
	accept(w, 3)
	if outcome(2).Result != engine.Rejected {
		t.Errorf("what was rejected is %+v", outcome(2))
	}
}

// The chosen nodes may answer just while a revision is widened: the rollout to all
// has an outcome of its own.
func TestAWideningHasItsOwnOutcome(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	accept(w, 1)
	l.pushTo(w, "RANDOM", "envoy-1")
	_, err := w.Widen()
	l.must(err)
	accept(w, 2) // of the rollout to envoy-1
	w.Record(2, engine.Outcome{Result: engine.Pending, Nodes: 2})
	reject(w, 2, "envoy-2: no")
	if diff := cmp.Diff([]string{"1 opening", "2 push first envoy-1", "3 rollback"}, ways(w.State())); diff != "" {
		t.Error(diff)
	}
}

// A new run serves what was accepted on: who returns and rejects it then is ill
// himself. What was rejected is tried again.
func TestAnOutcomeStaysAfterARestart(t *testing.T) {
	l := newLab(t)
	w := l.open(automatic)
	accept(w, 1)
	l.pushTo(w, "RANDOM")
	accept(w, 2)
	l.must(w.Save(""))
	l.close(w)
	w = l.open(automatic)
	w.Record(2, engine.Outcome{Result: engine.NoNodes})
	reject(w, 2, "envoy-1: no")
	if s := w.State(); len(s.Revisions) != 2 || s.Head().Outcome.Result != engine.Accepted {
		t.Errorf("%q: %+v", notes(w), s.Head().Outcome)
	}
	l.pushTo(w, "LEAST_REQUEST")
	l.must(w.Save(""))
	l.close(w)
	w = l.open()
	reject(w, 3, "envoy-1: no")
	l.close(w)
	w = l.open()
	accept(w, 3)
	if head := w.State().Head(); head.Number != 3 || head.Outcome.Result != engine.Accepted {
		t.Errorf("%q: %+v", notes(w), head.Outcome)
	}
}

func TestTakenBackAfterARestart(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	l.pushTo(w, "RANDOM")
	l.must(w.Save(""))
	l.close(w)
	w = l.open(automatic) // it is still a push, on its way again
	reject(w, 2, "envoy-1: no")
	if diff := cmp.Diff([]string{"1 opening", "2 push", "3 rollback"}, ways(w.State())); diff != "" {
		t.Error(diff)
	}
}

func TestCancelGoesBackToWhatWasAccepted(t *testing.T) {
	l := newLab(t)
	w := l.open()
	accept(w, 1)
	if _, err := w.Cancel(); !errors.Is(err, engine.ErrNothingToCancel) {
		t.Errorf("cancelled what is through: %v", err)
	}
	l.pushTo(w, "RANDOM")
	accept(w, 2)
	l.pushTo(w, "LEAST_REQUEST")
	w.Record(3, engine.Outcome{Result: engine.Pending, Nodes: 1, Detail: "envoy-1: waiting for app-v2 to get warm"})
	r, err := w.Cancel()
	l.must(err)
	if r.Note != "cancelled 3: envoy-1: waiting for app-v2 to get warm" || r.Cause != engine.RolledBack {
		t.Errorf("%+v", r)
	}
	if text := r.Meshes[mesh.DefaultGroup].Get(cluster).Source.Text; !strings.Contains(text, "RANDOM") {
		t.Errorf("went back to %s", text)
	}
	if !strings.Contains(draftText(w, cluster), "LEAST_REQUEST") {
		t.Error("the draft went too")
	}
	if _, err := w.Cancel(); err != nil { // the cancelling hangs: again to what was accepted
		t.Errorf("cancelling what cancelled: %v", err)
	}
}

func TestCancelWithNothingBefore(t *testing.T) {
	l := newLab(t)
	w := l.open()
	if _, err := w.Cancel(); err == nil || !strings.Contains(err.Error(), "no revision was accepted before 1") {
		t.Errorf("cancelled the first: %v", err)
	}
}
