package xds

import (
	"fmt"
	"time"

	"example.com/meshtui/engine"
)

const (
	// drainSettle is how long after it answered an Envoy may take to count what
	// it drains: a listener warms, and its workers take it over one by one.
	drainSettle = 500 * time.Millisecond
	// drainLook is the time between two questions after what still drains.
	drainLook = 100 * time.Millisecond
	// drainStale is how old an answer may be and still be believed: who asked may
	// have lost sight of the node.
	drainStale = 15 * time.Second

	drainWords = "old connections to drain"
)

// take offers the step under way, unless it takes away what connections that
// still drain may use; then it returns when to look again.
func (n *node) take(now time.Time) (again time.Duration) {
	r := &n.run
	step := r.steps[r.at]
	if step.Breaks {
		if again = n.drains(now); again > 0 {
			return again
		}
	}
	rej := n.leadsNowhere(step)
	if rej == nil {
		rej = n.leadsStill(step)
	}
	if rej != nil {
		r.rejected = rej
		return 0
	}
	r.offered, r.step, r.progress = true, now, now
	if step.Drains {
		n.letGo = now
	}
	n.hurry(step, now)
	n.offer(step, r.revision)
	n.view = nil
	n.srv.changed()
	return 0
}

// drains is when to look again whether connections of listeners that changed or
// went are still drained; 0 when none is.
func (n *node) drains(now time.Time) (again time.Duration) {
	if n.letGo.IsZero() {
		return 0
	}
	over, again := false, drainLook
	draining, at, ok := 0, time.Time{}, false
	if n.srv.o.Draining != nil {
		draining, at, ok = n.srv.o.Draining(n.id)
	}
	if ok && now.Sub(at) < drainStale {
		over = draining == 0 && at.Sub(n.letGo) >= drainSettle
	} else {
		left := n.srv.o.DrainWait - now.Sub(n.letGo)
		over, again = left <= 0, min(left, time.Second)
	}
	if over {
		n.letGo = time.Time{}
		return 0
	}
	return again
}

// reportDraining enters that the run waits for connections to drain. For how
// long is for the screen alone: it is no news for who is told of outcomes.
func (n *node) reportDraining(now time.Time) {
	n.report(engine.Pending, drainWords, "", time.Time{})
	text := fmt.Sprintf("%s (%d s)", drainWords, int(now.Sub(n.letGo).Seconds()))
	if text != n.run.draining {
		n.run.draining = text
		n.view = nil
		n.srv.changed()
	}
}
