package xds

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/plan"
)

// askGrace is how long a step waits, after the last word from a node, for it to
// ask for what it was told of (the routes of a new listener). An Envoy and gRPC
// ask at once. A client that does not even say what it is, such as a script, is
// not waited for: it may never ask.
const askGrace = 2 * time.Second

// run is one revision on its way to one node. It is a state machine that is
// looked at whenever something happened on the node's streams.
type run struct {
	seq      int // 1 for the first; ties a response to the run that sent it
	revision int
	steps    []plan.Step
	at       int    // index of the step under way; len(steps) when all are through
	offered  bool   // the step under way was offered; else it waits for what drains
	draining string // for how long it has waited for that, in words
	whole    bool
	result   engine.Result
	waiting  string
	warming  []string // the clusters for which the step waits
	rejected *Rejection
	anew     bool // it is to be planned anew: the node refused something that it leads away from
	replans  int  // how often it was
	detail   string
	// inherited is what the runs before still waited for the node to ask for.
	inherited []mesh.Reference
	started   time.Time
	step      time.Time // when the step under way began
	progress  time.Time // the last word from or to the node
	ended     time.Time
}

// rollout drives the node for as long as the server serves. Its mailbox is the
// node's target: whatever was published last. A panic in it is reported, and it
// goes on when something happens next.
func (n *node) rollout(ctx context.Context) error {
	for ctx.Err() == nil {
		err := task.Run("rollout to "+n.id, func() error { return n.drive(ctx) })
		if err == nil {
			return nil
		}
		if n.srv.o.OnError != nil {
			n.srv.o.OnError(err)
		}
		select {
		case <-ctx.Done():
		case <-n.wake:
		}
	}
	return nil
}

// drive returns when the context ends or the node is forgotten.
func (n *node) drive(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		again := n.advance()
		if again <= 0 && n.srv.drop(n) {
			return nil
		}
		timer.Reset(max(again, time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-timer.C:
		}
	}
}

// advance takes the node as far as it can go now. It returns when to look again
// if nothing happens, and 0 for a node that may be forgotten.
func (n *node) advance() (again time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.srv.o.Now()
	if n.left {
		return 0
	}
	if len(n.streams) == 0 {
		return max(0, n.srv.o.ForgetAfter-now.Sub(n.since))
	}
	if n.target != nil && (n.target.Number != n.run.revision || n.moved || n.run.anew) {
		n.startRun(now)
	}
	again = n.follow(now)
	if held := n.release(now); held > 0 {
		again = min(again, held)
	}
	return again
}

// follow takes the run from step to step, and returns when to look again.
func (n *node) follow(now time.Time) time.Duration {
	for n.run.at < len(n.run.steps) && n.run.rejected == nil {
		if !n.run.offered {
			if again := n.take(now); again > 0 {
				n.reportDraining(now)
				return again
			}
			continue
		}
		w := n.unmet(now)
		n.noteWarming(w.warming)
		if w.what != "" && (w.patience > 0 || !n.takenOn()) {
			return n.wait(w, now)
		}
		n.nextStep(now)
	}
	n.finish(now)
	return time.Hour
}

// wait enters what the step waits for, and returns when to look again. A late
// answer rouses the rollout, and it goes on.
func (n *node) wait(w unmet, now time.Time) (again time.Duration) {
	again = w.patience
	if again > 0 {
		n.report(engine.Pending, w.what, "", time.Time{})
	} else {
		n.report(engine.TimedOut, w.what, "no answer: "+cmp.Or(w.late, w.what), now)
		again = time.Hour
	}
	if len(w.warming) > 0 && n.srv.o.Warming != nil {
		again = min(again, warmLook)
	}
	return again
}

// startRun turns to the newest revision, from wherever the node stands.
func (n *node) startRun(now time.Time) {
	group, m := n.target.MeshFor(n.id, n.cluster)
	n.group, n.moved, n.muted = group, false, false
	fresh := !n.ready()
	f := n.flight(m)
	if !n.run.ended.IsZero() {
		n.born = time.Time{} // it serves
	}
	before := n.run
	n.run = run{seq: before.seq + 1, revision: n.target.Number, whole: fresh, started: now, step: now, progress: now, result: engine.Pending}
	if before.anew && before.revision == n.run.revision {
		n.run.started, n.run.replans, n.run.whole = before.started, before.replans+1, fresh || before.whole
	}
	if fresh {
		n.run.steps = n.firstSteps(m)
	} else {
		from, refused := n.settled(m)
		if f.None() || n.srv.o.Unsequenced {
			n.run.steps = n.srv.plans.Between(from, m, n.srv.o.Unsequenced)
		} else {
			n.run.steps, n.run.inherited = plan.Between(from, m, f), f.Needs
		}
		n.run.steps = plan.BeginWith(refused, n.run.steps, from, m)
	}
	if len(n.run.steps) == 0 {
		n.rename(plan.Step{})
		n.offered.mesh = m // the same content, perhaps in other words
		n.offered.revision = n.run.revision
		n.kick(plan.Order()...)
		return
	}
	n.take(now)
}

// nextStep leaves a step that the node has answered.
func (n *node) nextStep(now time.Time) {
	if n.run.steps[n.run.at].Drains {
		n.letGo = now
	}
	n.run.at++
	n.run.offered = false
}

// finish says how it ended. Something that the node still refuses from an
// earlier revision counts: the node does not have what the revision says.
func (n *node) finish(now time.Time) {
	rej := n.run.rejected
	for _, t := range mesh.Types() {
		if f := n.types[t]; rej == nil && f != nil && f.rejected != nil {
			rej = f.rejected
		}
	}
	if rej == nil {
		for k := range n.bad {
			rej = n.status[k].Rejected
			break
		}
	}
	switch {
	case rej != nil:
		n.report(engine.Rejected, "", rej.Detail, now)
	case n.run.revision > 0:
		n.report(engine.Accepted, "", "", now)
	}
}

// report enters how the run stands, and tells the server when that is new.
func (n *node) report(result engine.Result, waiting, detail string, ended time.Time) {
	r := &n.run
	if r.result == result && r.waiting == waiting && r.detail == detail && r.ended.IsZero() == ended.IsZero() {
		return
	}
	r.result, r.waiting, r.detail, r.ended = result, waiting, detail, ended
	n.view = nil
	n.srv.changed()
	if result == engine.Pending {
		n.srv.outcomes.look()
		return
	}
	n.srv.outcomes.ended()
}

// unmet is what the step under way still waits for; the zero value when the node
// has answered everything.
type unmet struct {
	what     string   // in words
	late     string   // the same when it is too late; "" is what
	warming  []string // the clusters that hold the answer up
	patience time.Duration
}

// unmet says what the step under way still waits for, and for how much longer;
// out of patience is 0.
func (n *node) unmet(now time.Time) unmet {
	step := n.run.steps[n.run.at]
	left := max(0, n.srv.o.StepDeadline-now.Sub(n.run.step))
	counting := n.counting()
	if !slices.ContainsFunc(counting, func(st *stream) bool { return len(st.subs) > 0 }) {
		return unmet{what: "the node's first request", patience: left}
	}
	absent := ""
	for _, t := range step.Types {
		asked := false
		for _, st := range counting {
			if s := st.subs[t.URL()]; s != nil {
				asked = true
				if w := n.unanswered(s, now); w.what != "" && n.heeds(s) {
					w.patience = left
					return w
				}
			}
		}
		if !asked && n.types[t] != nil {
			absent = "the node to ask for " + t.Service() + " again" // it has just reconnected
		}
	}
	if n.run.whole && n.expectsListeners() && left > 0 {
		return unmet{what: "the node to ask for listeners", patience: left}
	}
	return n.unasked(step, absent, min(left, askGrace-now.Sub(n.run.progress)))
}

// unasked is what the node is yet to ask for, while there is grace left.
func (n *node) unasked(step plan.Step, absent string, grace time.Duration) unmet {
	if grace <= 0 {
		return unmet{}
	}
	if absent != "" {
		return unmet{what: absent, patience: grace}
	}
	if n.agent == "" {
		return unmet{}
	}
	for _, need := range step.Needs {
		if _, taken := n.status[need.From]; taken && !n.asks(need.To) {
			return unmet{what: "the node to ask for " + need.To.String(), patience: grace}
		}
	}
	return unmet{}
}

// unanswered is what one subscription waits for.
func (n *node) unanswered(s *sub, now time.Time) unmet {
	switch {
	case s.unsaid():
		return unmet{what: s.typ.Service() + " to be sent and answered"}
	case len(s.open) == 0:
		return unmet{}
	}
	response := s.typ.Service() + " " + s.open[len(s.open)-1].version
	if names := n.warming(s, now); len(names) > 0 {
		text := n.warmingText(names)
		return unmet{what: text, late: response + ", not " + text, warming: names}
	}
	return unmet{what: response + ": ACK"}
}

// expectsListeners reports whether an Envoy that has just started is yet to ask
// for its listeners: it does so only when its clusters are warm, and before those
// it asks for its runtime alone.
func (n *node) expectsListeners() bool {
	if !strings.HasPrefix(n.agent, "envoy") {
		return false
	}
	begun := false
	for _, st := range n.counting() {
		if st.subs[mesh.Listener.URL()] != nil {
			return false
		}
		begun = begun || st.subs[mesh.Cluster.URL()] != nil || st.subs[mesh.Runtime.URL()] != nil
	}
	return begun
}
