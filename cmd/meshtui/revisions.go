package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
)

// revisionTeller tells of each revision once that it was pushed, to whom, and
// what became of it.
type revisionTeller struct {
	began   time.Time // of this run
	earlier int       // the one that was accepted before this run; nothing is told of its outcome
	newest  int
	limited bool      // the newest goes to chosen nodes alone
	widened time.Time // when it was widened; zero where that is not known
	outcome engine.Result
}

// tell is what is new about the newest revision, and about the one before it.
func (t *revisionTeller) tell(s *engine.State) []event {
	r := s.Head()
	if r == nil {
		return nil
	}
	var out []event
	say := func(at time.Time, number int, what, detail string) {
		out = append(out, event{Time: at, Event: what, Revision: number, Detail: detail})
	}
	became := func(r *engine.Revision, at time.Time) {
		o := r.Outcome
		if o.Result != t.outcome && o.Result != engine.Pending && r.Number != t.earlier {
			say(at, r.Number, "outcome", outcomeWords(o))
		}
		t.outcome = o.Result
	}
	switch {
	case r.Number != t.newest:
		at := r.At
		if at.Before(t.began) {
			at = t.began
		}
		if i := slices.IndexFunc(s.Revisions, func(r *engine.Revision) bool { return r.Number == t.newest }); i >= 0 {
			became(s.Revisions[i], at)
		}
		detail := r.Note
		if len(r.Only) > 0 {
			detail = "to " + strings.Join(r.Only, ", ") + " first: " + detail
		}
		say(at, r.Number, "pushed", detail)
		t.outcome = 0
	case t.limited && len(r.Only) == 0:
		at := t.widened
		if at.IsZero() {
			at = s.At
		}
		say(at, r.Number, "widened", "to all nodes")
		t.outcome, t.earlier = 0, 0
	}
	t.newest, t.limited, t.widened = r.Number, len(r.Only) > 0, time.Time{}
	became(r, s.At)
	return out
}

func outcomeWords(o engine.Outcome) string {
	text := o.Result.String()
	switch {
	case o.Result == engine.Accepted && o.Nodes > 0:
		text = fmt.Sprintf("accepted by %s in %s", count(o.Nodes, "node"), o.Took.Round(100*time.Microsecond))
	case o.Nodes > 0:
		text += "; it went to " + count(o.Nodes, "node")
	}
	if o.Detail != "" {
		text += ": " + o.Detail
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// widen sends a revision that was pushed to chosen nodes first to the rest, as
// soon as all of the chosen have accepted it. A rollback is never widened: where
// one to chosen nodes took back what was pushed here, all go back to what the
// others have.
func (s *serving) widen() []event {
	w := s.session.workspace
	r := w.State().Limited
	if len(s.first) == 0 || r == nil {
		return nil
	}
	var err error
	switch {
	case r.Cause == engine.RolledBack && s.pushed > 0 && r.Number > s.pushed && r.Rest != nil:
		_, err = w.Rollback(r.Rest.Number)
	case r.Cause != engine.RolledBack && r.Outcome.Result == engine.Accepted:
		at := time.Now()
		if _, err = w.Widen(); err == nil {
			s.teller.widened = at
		}
	}
	if err != nil && !errors.Is(err, engine.ErrNothingToWiden) {
		return []event{{Time: time.Now(), Event: "finding", Revision: r.Number, Severity: mesh.Error.String(), Detail: err.Error()}}
	}
	return nil
}

// diagnoses are findings in place of a node's words.
func diagnoses(e event, ds []nack.Diagnosis) []event {
	var out []event
	for _, d := range ds {
		f := mesh.Finding{Severity: mesh.Error, Rule: "rejected", Key: d.Key, Path: d.Path, File: d.File, Line: d.Line, Column: d.Column,
			Message: d.Plain, Hint: d.Hint}
		if d.Fix != nil && f.Hint == "" {
			f.Hint = d.Fix.Says
		}
		for _, told := range findings(e.Time, []mesh.Finding{f}) {
			told.Node, told.Revision = e.Node, e.Revision
			out = append(out, told)
		}
	}
	return out
}
