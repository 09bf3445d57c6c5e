package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
)

// A rejection is told also where the rollback came before anybody looked; what an
// earlier run accepted is not told as what became of it now; events are told in
// the order of their times.
func TestRevisionsAreToldInOrder(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	accepted := engine.Outcome{Result: engine.Accepted, Nodes: 1}
	r1 := &engine.Revision{Number: 1, At: after(-9), Outcome: accepted}
	r2 := &engine.Revision{Number: 2, At: after(1), Outcome: engine.Outcome{Result: engine.Pending}}
	teller := revisionTeller{began: at, earlier: 1}
	var told []event
	look := func(now int, revisions ...*engine.Revision) {
		told = append(told, teller.tell(&engine.State{At: after(now), Revisions: revisions})...)
	}
	look(0, r1)
	look(2, r1, r2)
	rejected := *r2
	rejected.Outcome = engine.Outcome{Result: engine.Rejected, Nodes: 1}
	look(9, r1, &rejected, &engine.Revision{Number: 3, At: after(4), Outcome: accepted})
	told = append(told, event{Time: after(3), Event: "rejected", Revision: 2}, event{Time: after(5), Event: "acked", Revision: 3})
	var got []string
	for _, e := range inOrder(told) {
		got = append(got, fmt.Sprintf("%.0f %s %d", e.Time.Sub(at).Seconds(), e.Event, e.Revision))
	}
	want := []string{"0 pushed 1", "1 pushed 2", "3 rejected 2", "4 outcome 2", "4 pushed 3", "5 acked 3", "9 outcome 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
