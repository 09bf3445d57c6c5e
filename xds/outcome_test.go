package xds_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// of is what was told of a revision once it was through.
func (s *served) of(revision int) []engine.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []engine.Outcome
	for _, o := range s.outcomes {
		if o.Revision == revision && o.Outcome.Result != engine.Pending && o.Outcome.Result != engine.NoNodes {
			out = append(out, o.Outcome)
		}
	}
	return out
}

// newcomer connects and answers the first response.
func newcomer(t *testing.T, s *served, id string, refuses string) {
	t.Helper()
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: id}).Open()
	st.Subscribe(mesh.Cluster)
	if refuses != "" {
		st.Nack(st.Next(), refuses)
		s.through(id, 2, engine.Rejected)
		return
	}
	st.Ack(st.Next())
	s.through(id, 2, engine.Accepted)
}

// A node that joins or returns once a revision is through changes nothing about
// what became of that, whatever it says.
func TestAnOutcomeIsAboutWhoWasHere(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	s.said(1, engine.NoNodes)
	s.envoy("envoy-1", false)
	s.said(1, engine.Accepted)
	e := s.envoy("envoy-2", false)
	s.through("envoy-2", 1, engine.Accepted)

	s.Publish(revision(2, with(t, shop(t), endpoints("app", 9009))))
	if o := s.said(2, engine.Accepted); o.Nodes != 2 {
		t.Errorf("it went to both; counted are %+v", o)
	}
	told := s.of(2)
	newcomer(t, s, "ill", "no")
	e.Stop()
	s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-2").Connected })
	s.envoy("envoy-2", false)
	s.through("envoy-2", 2, engine.Accepted)
	newcomer(t, s, "well", "")
	s.Publish(revision(3, with(t, shop(t), endpoints("app", 9010))))
	s.said(3, engine.Rejected) // of the one that is ill
	if diff := cmp.Diff(told, s.of(2)); diff != "" {
		t.Errorf("of what was through (-then +now):\n%s", diff)
	}
	if n := len(s.of(1)); n != 1 {
		t.Errorf("revision 1 was through %d times", n)
	}
}

// What waits for a node that does not answer waits for that one alone: a newcomer
// that refuses it does not reject it.
func TestWhatTimedOutWaitsForItsNodes(t *testing.T) {
	s := serve(t, xds.Options{StepDeadline: 300 * time.Millisecond})
	s.Publish(revision(1, shop(t)))
	slow := scripted(t, s, false)
	s.Publish(revision(2, with(t, shop(t), cluster("app", 2*time.Second))))
	late := slow.Next()
	s.said(2, engine.TimedOut)
	newcomer(t, s, "ill", "no")
	newcomer(t, s, "well", "")
	slow.Ack(late)
	if o := s.said(2, engine.Accepted); o.Nodes != 1 {
		t.Errorf("outcome %+v", o)
	}
	for _, o := range s.of(2) {
		if o.Result == engine.Rejected {
			t.Errorf("a newcomer rejected it: %+v", o)
		}
	}
}
