package engine_test

import (
	"testing"

	"example.com/meshtui/engine"
)

// A revision says what Envoys that run already hold: what was accepted last.
// One that they accepted themselves needs no such word.
func TestBaseIsWhatWasAcceptedBefore(t *testing.T) {
	l := newLab(t)
	w := l.open()
	if b := w.State().Head().Base; b != nil {
		t.Errorf("the first revision came after %d", b.Number)
	}
	w.Record(1, engine.Outcome{Result: engine.Accepted, Nodes: 1})
	l.must(w.Edit("default", lbPolicy("RANDOM")))
	l.push(w)
	w.Record(2, engine.Outcome{Result: engine.Rejected, Nodes: 1})
	l.must(w.Edit("default", lbPolicy("LEAST_REQUEST")))
	l.push(w)
	for _, r := range w.State().Revisions[1:] {
		if r.Base == nil || r.Base.Number != 1 || r.Base.Base != nil {
			t.Errorf("revision %d came after %+v, want 1 and nothing before it", r.Number, r.Base)
		}
	}
	l.must(w.Save(""))
	l.close(w)

	w = l.open() // 3 is still pending: it may have got anywhere
	if head := w.State().Head(); head.Number != 3 || head.Base == nil || head.Base.Number != 1 {
		t.Errorf("opened again, head is %+v", head)
	}
	w.Record(3, engine.Outcome{Result: engine.Accepted, Nodes: 1})
	l.close(w)
	w = l.open()
	if head := w.State().Head(); head.Number != 3 || head.Base != nil {
		t.Errorf("what was accepted came after %+v", head.Base)
	}
	l.close(w)
	l.write("cds.yaml", "resources: []\n")
	l.write("lds.yaml", "resources: []\n")
	l.write("rds.yaml", "resources: []\n")
	l.write("eds.yaml", "resources: []\n")
	w = l.open()
	if head := w.State().Head(); head.Number != 4 || head.Base == nil || head.Base.Number != 3 || head.Base.Base != nil {
		t.Errorf("with other files, head is %+v", head)
	}
}
