package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
)

// revisionTeller tells of each revision once that it was pushed, to whom, and
// what became of it.
type revisionTeller struct {
	newest  int
	limited bool // the newest goes to chosen nodes alone
	outcome engine.Result
}

// tell is what is new about the newest revision.
func (t *revisionTeller) tell(s *engine.State) []event {
	r := s.Head()
	if r == nil {
		return nil
	}
	var out []event
	say := func(what, detail string) {
		out = append(out, event{Time: s.At, Event: what, Revision: r.Number, Detail: detail})
	}
	switch {
	case r.Number != t.newest:
		detail := r.Note
		if len(r.Only) > 0 {
			detail = "to " + strings.Join(r.Only, ", ") + " first: " + detail
		}
		say("pushed", detail)
		t.outcome = 0
	case t.limited && len(r.Only) == 0:
		say("widened", "to all nodes")
		t.outcome = 0
	}
	t.newest, t.limited = r.Number, len(r.Only) > 0
	if o := r.Outcome; o.Result != t.outcome {
		t.outcome = o.Result
		if o.Result != engine.Pending {
			say("outcome", outcomeWords(o))
		}
	}
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

// widen sends a revision that went to chosen nodes first to the rest, as soon as
// all of the chosen have accepted it.
func (s *serving) widen() []event {
	w := s.session.workspace
	r := w.State().Limited
	if len(s.first) == 0 || r == nil || r.Outcome.Result != engine.Accepted {
		return nil
	}
	if _, err := w.Widen(); err != nil && !errors.Is(err, engine.ErrNothingToWiden) {
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
