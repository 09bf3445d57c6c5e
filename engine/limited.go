package engine

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Widen publishes the newest revision, which went to chosen nodes first, to all
// nodes: under the same number, its outcome pending again, and the history says
// where it went first. It returns ErrNothingToWiden where the newest revision
// went to all already.
func (w *Workspace) Widen() (*Revision, error) {
	return w.revise(func() (*Revision, error) {
		head := w.head()
		if head == nil || len(head.Only) == 0 {
			return nil, ErrNothingToWiden
		}
		wide := *head
		wide.First, wide.Only, wide.Rest = head.Only, nil, nil
		wide.Outcome = Outcome{Result: Pending}
		wide.Base = lastAccepted(w.revisions) // the chosen nodes may have accepted it already
		now := slices.Clone(w.revisions)
		now[len(now)-1] = &wide
		if w.store != nil {
			if err := w.store.writeHistory(now); err != nil {
				return nil, fmt.Errorf("that revision %d goes to all could not be recorded, and it was not widened: %w", head.Number, err)
			}
		}
		w.revisions, w.widened = now, wide.Number
		return &wide, nil
	})
}

// head is the newest revision, nil before the first.
func (w *Workspace) head() *Revision {
	if len(w.revisions) == 0 {
		return nil
	}
	return w.revisions[len(w.revisions)-1]
}

// toAll is what the nodes have that the newest revision was not limited to: it,
// or its Rest; nil where they have nothing.
func (w *Workspace) toAll() *Revision {
	return w.head().toAll()
}

func (r *Revision) toAll() *Revision {
	if r == nil || len(r.Only) == 0 {
		return r
	}
	return r.Rest
}

// somethingToPush reports, as an error that says what to do, that the draft says
// what the nodes with those ids are served already.
func (w *Workspace) somethingToPush(only []string) error {
	head := w.head()
	switch {
	case head == nil || changes(w.live(), w.draft.now) > 0:
		return nil
	case len(head.Only) == 0:
		return ErrNothingToPush
	case len(only) == 0:
		return fmt.Errorf("%w to %s; widen revision %d to send it to all nodes", ErrNothingToPush, strings.Join(head.Only, ", "), head.Number)
	case slices.Equal(only, head.Only):
		return fmt.Errorf("%w to %s", ErrNothingToPush, strings.Join(only, ", "))
	}
	return nil
}

// servedAlready says why there is nothing to roll back.
func (w *Workspace) servedAlready(number int) error {
	if head := w.head(); len(head.Only) > 0 {
		return fmt.Errorf("revision %d says what is served to %s already; widen revision %d to send it to all nodes",
			number, strings.Join(head.Only, ", "), head.Number)
	}
	return fmt.Errorf("revision %d says what is served already", number)
}

// lastAccepted is what the nodes hold as far as they said so: the newest of the
// revisions that every node took which it went to, without what was before it.
// One that was limited says nothing of the others: its Rest is what they took of
// what they have. It is nil where nothing was accepted.
func lastAccepted(revisions []*Revision) *Revision {
	for _, r := range slices.Backward(revisions) {
		if r.Outcome.Result != Accepted {
			continue
		}
		base := *r
		base.Base = nil
		if r.Rest != nil {
			base.Rest = lastAccepted(upTo(revisions, r.Rest.Number))
		}
		return &base
	}
	return nil
}

// upTo is the history until the revision with that number came.
func upTo(revisions []*Revision, number int) []*Revision {
	n := len(revisions)
	for n > 0 && revisions[n-1].Number > number {
		n--
	}
	return revisions[:n]
}

// goodGlobs refuses node ids that no node can have or that are no glob.
func goodGlobs(only []string) error {
	for _, glob := range only {
		if glob == "" {
			return fmt.Errorf("a node without an id is named; leave it out, or name %q for all", "*")
		}
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("node %q is no glob: %w; close its bracket, or write \\[ for one that is meant", glob, err)
		}
	}
	return nil
}
