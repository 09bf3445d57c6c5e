package engine

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Record notes what became of a revision. Revisions that are no longer kept are
// ignored, and so is what comes after it was accepted, rejected or superseded:
// a node that joins or returns later changes nothing about that. Where the newest was pushed and rejected, and Options say so, it is
// taken back before Record returns; so Record must not be called from within
// Publish.
func (w *Workspace) Record(revision int, o Outcome) {
	if w.record(revision, o) && o.Result == Rejected && w.options.AutoRollback {
		w.takeBack(revision)
	}
}

// record reports whether the outcome is news.
func (w *Workspace) record(revision int, o Outcome) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.revisions, func(r *Revision) bool { return r.Number == revision })
	if i < 0 || w.closed || w.revisions[i].Outcome == o {
		return false
	}
	begins := w.widened == revision && (o.Result == Pending || o.Result == NoNodes)
	if begins {
		w.widened = 0
	}
	if w.revisions[i].Outcome.Result.final() && !begins {
		return false
	}
	recorded := *w.revisions[i]
	recorded.Outcome = o
	w.revisions = slices.Clone(w.revisions)
	w.revisions[i] = &recorded
	// What is waited for changes often and is of no use to the next start.
	if w.store != nil && w.holder == "" && o.Result != Pending {
		if err := w.store.writeHistory(w.revisions); err != nil {
			w.note(notKept(w.store.dir, err))
		}
	}
	w.show()
	return true
}

// takeBack rolls a rejected push back by itself. One that a newer came after is
// past, and what came by a rollback or by opening stays, so that it never goes on
// and on.
func (w *Workspace) takeBack(revision int) {
	_, err := w.revise(func() (*Revision, error) {
		head := w.head()
		if head.Cause != Pushed || head.Outcome.Result != Rejected {
			return nil, nil
		}
		to, err := w.acceptedWithout(head)
		if err != nil {
			return nil, err
		}
		return w.restoreTo(to, fmt.Sprintf("automatic rollback to %d: %s", to.Number, rejection(head)))
	})
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(mesh.Finding{Severity: mesh.Warning, Rule: notTakenBack, File: w.path,
		Message: fmt.Sprintf("revision %d was rejected and is not taken back by itself: %v", revision, err),
		Hint:    "mend the draft and push it, or roll back to another revision"})
	w.show()
}

const notTakenBack = "not-taken-back"

// Cancel ends a rollout that hangs: what was accepted last becomes a new
// revision, for the nodes that had it, and the draft stays as it is. It returns
// ErrNothingToCancel where the newest revision is through, and fails where
// nothing was accepted before.
func (w *Workspace) Cancel() (*Revision, error) {
	return w.revise(func() (*Revision, error) {
		head := w.head()
		if head == nil || head.Outcome.Result != Pending && head.Outcome.Result != TimedOut {
			return nil, ErrNothingToCancel
		}
		to, err := w.acceptedBefore(head)
		if err != nil {
			return nil, err
		}
		note := fmt.Sprintf("cancelled %d", head.Number)
		if head.Outcome.Detail != "" {
			note += ": " + inShort(head.Outcome.Detail)
		}
		return w.restoreTo(to, note)
	})
}

// acceptedBefore is what the nodes held before the newest revision. After a
// widening that is the same content, limited.
func (w *Workspace) acceptedBefore(head *Revision) (*Revision, error) {
	to := head.Base
	if to == nil { // it was accepted once, and is on its way again
		to = lastAccepted(w.revisions[:len(w.revisions)-1])
	}
	if to == nil {
		return nil, fmt.Errorf("no revision was accepted before %d", head.Number)
	}
	return to, nil
}

// acceptedWithout is what the nodes held before any of them had the newest
// revision: one that was rejected when it was widened is taken from the nodes that
// had it first, too.
func (w *Workspace) acceptedWithout(head *Revision) (*Revision, error) {
	if len(head.First) == 0 {
		return w.acceptedBefore(head)
	}
	to := lastAccepted(w.revisions[:len(w.revisions)-1])
	if to == nil {
		return nil, fmt.Errorf("no revision was accepted before %d", head.Number)
	}
	return to, nil
}

// restoreTo makes what the nodes held a new revision: one that was limited is so
// again. The draft stays.
func (w *Workspace) restoreTo(to *Revision, note string) (*Revision, error) {
	return w.append(content{rules: to.Rules, meshes: to.Meshes},
		addition{note: note, cause: RolledBack, only: to.Only, rest: to.Rest.toAll()})
}

// rejection says in a line who rejected a revision, and in which words. Details
// begin with the node's id.
func rejection(r *Revision) string {
	node, words, ok := strings.Cut(r.Outcome.Detail, ": ")
	switch {
	case r.Outcome.Detail == "":
		return fmt.Sprintf("%d was rejected", r.Number)
	case !ok || strings.ContainsAny(node, " \n"):
		return fmt.Sprintf("%d was rejected: %s", r.Number, inShort(r.Outcome.Detail))
	}
	return fmt.Sprintf("%s rejected %d: %s", node, r.Number, inShort(words))
}

// inShort is the first line of what may be long, at most 200 characters of it.
func inShort(s string) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if runes := []rune(line); len(runes) > 200 {
		line, more = string(runes[:200]), true
	}
	if more {
		line += " …"
	}
	return line
}
