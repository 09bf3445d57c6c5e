package xds

import (
	"context"
	"fmt"
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
	rejected *Rejection
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
	if n.target != nil && (n.target.Number != n.run.revision || n.moved) {
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
		waiting, patience := n.unmet(now)
		if waiting != "" && patience > 0 {
			n.report(engine.Pending, waiting, "", time.Time{})
			return patience
		}
		if waiting != "" {
			n.report(engine.TimedOut, waiting, "no answer: "+waiting, now)
			return time.Hour // a late answer rouses it, and it goes on
		}
		n.nextStep(now)
	}
	n.finish(now)
	return time.Hour
}

// startRun turns to the newest revision, from wherever the node stands.
func (n *node) startRun(now time.Time) {
	group, m := n.target.MeshFor(n.id, n.cluster)
	n.group, n.moved, n.muted = group, false, false
	fresh := !n.ready()
	f := n.flight(m)
	n.run = run{seq: n.run.seq + 1, revision: n.target.Number, whole: fresh, started: now, step: now, progress: now, result: engine.Pending}
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

// unmet says in words what the step under way still waits for, and for how much
// longer; "" when the node has answered everything. Out of patience is 0.
func (n *node) unmet(now time.Time) (waiting string, patience time.Duration) {
	step := n.run.steps[n.run.at]
	left := max(0, n.srv.o.StepDeadline-now.Sub(n.run.step))
	counting := n.counting()
	if !slices.ContainsFunc(counting, func(st *stream) bool { return len(st.subs) > 0 }) {
		return "the node's first request", left
	}
	absent := ""
	for _, t := range step.Types {
		asked := false
		for _, st := range counting {
			if s := st.subs[t.URL()]; s != nil {
				asked = true
				if w := n.unanswered(s, step); w != "" {
					return w, left
				}
			}
		}
		if !asked && n.types[t] != nil {
			absent = "the node to ask for " + t.Service() + " again" // it has just reconnected
		}
	}
	if n.run.whole && n.expectsListeners() && left > 0 {
		return "the node to ask for listeners", left
	}
	grace := min(left, askGrace-now.Sub(n.run.progress))
	if grace <= 0 {
		return "", 0
	}
	if absent != "" {
		return absent, grace
	}
	if n.agent == "" {
		return "", 0
	}
	for _, need := range step.Needs {
		if _, taken := n.status[need.From]; taken && !n.asks(need.To) {
			return "the node to ask for " + need.To.String(), grace
		}
	}
	return "", 0
}

// unanswered says what one subscription waits for, "" for nothing.
func (n *node) unanswered(s *sub, step plan.Step) string {
	switch {
	case s.unsaid():
		return s.typ.Service() + " to be sent"
	case len(s.open) == 0:
		return ""
	}
	rec := s.open[len(s.open)-1]
	w := fmt.Sprintf("%s %s: ACK", s.typ.Service(), rec.version)
	if s.typ != mesh.Cluster || !s.stream.ads() {
		return w
	}
	if names := warmingIn(step); len(names) > 0 {
		w += ", which comes when these are warm: " + strings.Join(names, ", ")
	}
	return w
}

// warmingIn lists the clusters that Envoy warms before it answers a step, the
// first few of them.
func warmingIn(step plan.Step) []string {
	const few = 5
	var names []string
	for _, c := range step.ByType[mesh.Cluster] {
		if c.New == nil {
			continue
		}
		if len(names) == few {
			return append(names, "…")
		}
		names = append(names, c.Key.Name)
	}
	return names
}

// expectsListeners reports whether an Envoy that has just started is yet to ask
// for its listeners: it does so only when its clusters are warm.
func (n *node) expectsListeners() bool {
	if !strings.HasPrefix(n.agent, "envoy") {
		return false
	}
	clusters := false
	for _, st := range n.counting() {
		if st.subs[mesh.Listener.URL()] != nil {
			return false
		}
		clusters = clusters || st.subs[mesh.Cluster.URL()] != nil
	}
	return clusters
}
