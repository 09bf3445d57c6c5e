package engine

import (
	"fmt"
	"slices"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Push makes the draft a revision and publishes it. It refuses with a
// *PushError where the draft has error findings, unless forced, and with
// ErrNothingToPush where the draft says what is served. The revision is in the
// history before it is published; when that cannot be written, nothing is
// pushed.
func (w *Workspace) Push(o PushOptions) (*Revision, error) {
	return w.revise(func() (*Revision, error) {
		if err := goodGlobs(o.Only); err != nil {
			return nil, err
		}
		if err := w.somethingToPush(o.Only); err != nil {
			return nil, err
		}
		if errs := w.errorsOf(w.draft.now); len(errs) > 0 && !o.Force {
			return nil, &PushError{Findings: errs}
		}
		note := o.Note
		if note == "" {
			note = w.whatWasDone()
		}
		return w.append(w.draft.now, addition{note: note, cause: Pushed, only: o.Only, rest: w.toAll()})
	})
}

// whatWasDone is the note of a push without one: the newest step since what is
// served, and how many more there were. Where no step began with that (after a
// rollback the draft stays as it was), it is the changes themselves.
func (w *Workspace) whatWasDone() string {
	var done []string
	for _, s := range slices.Backward(w.draft.undo) {
		done = append(done, s.does)
		if len(w.revisions) > 0 && changes(w.live(), s.content) == 0 {
			return andMore(done)
		}
	}
	switch {
	case len(w.revisions) > 0 && changes(w.live(), w.draft.now) == 0:
		return "to other nodes"
	case len(w.revisions) > 0:
		return andMore(changed(w.live(), w.draft.now))
	case len(done) == 0:
		return "opened"
	}
	return andMore(done)
}

// changed says for each resource that differs by text what became of it.
func changed(from, to content) []string {
	var out []string
	for _, g := range to.groups() {
		for _, c := range mesh.DiffText(from.meshes[g], to.meshes[g]) {
			verb := "edit"
			switch {
			case c.Old == nil:
				verb = "add"
			case c.New == nil:
				verb = "remove"
			}
			out = append(out, verb+" "+c.Key.String())
		}
	}
	if len(out) == 0 { // whole groups went, or nodes change groups
		out = append(out, "other groups")
	}
	return out
}

// andMore is the first of several things, and how many more there are.
func andMore(all []string) string {
	if n := len(all) - 1; n > 0 {
		return fmt.Sprintf("%s; and %d more", all[0], n)
	}
	return all[0]
}

// Rollback makes what an old revision said a new revision and publishes it. A
// draft with edits is left as it is; one without follows, as a step that can be
// undone, so that no changes appear that nobody made. It goes to all nodes: for
// one that is limited, a rollback to its Rest is the way to undo it.
func (w *Workspace) Rollback(number int) (*Revision, error) {
	return w.revise(func() (*Revision, error) {
		i := slices.IndexFunc(w.revisions, func(r *Revision) bool { return r.Number == number })
		if i < 0 {
			return nil, fmt.Errorf("there is no revision %d to roll back to; the history holds %s", number, w.span())
		}
		old := content{rules: w.revisions[i].Rules, meshes: w.revisions[i].Meshes}
		if changes(w.live(), old) == 0 {
			return nil, w.servedAlready(number)
		}
		follows := changes(w.live(), w.draft.now) == 0
		note := fmt.Sprintf("rollback to %d", number)
		r, err := w.append(old, addition{note: note, cause: RolledBack})
		if err == nil && follows {
			w.draft.become(note, old)
		}
		return r, err
	})
}

// span is which revisions the history holds, in words.
func (w *Workspace) span() string {
	switch n := len(w.revisions); n {
	case 0:
		return "none"
	case 1:
		return fmt.Sprintf("only %d", w.revisions[0].Number)
	default:
		return fmt.Sprintf("%d to %d", w.revisions[0].Number, w.revisions[n-1].Number)
	}
}

// revise makes a revision under the lock and publishes it outside of it, in
// order.
func (w *Workspace) revise(do func() (*Revision, error)) (*Revision, error) {
	w.pushing.Lock()
	defer w.pushing.Unlock()
	r, err := w.reviseLocked(do)
	if err != nil {
		return nil, err
	}
	w.publish(r)
	return r, nil
}

func (w *Workspace) reviseLocked(do func() (*Revision, error)) (*Revision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.writable(); err != nil {
		return nil, err
	}
	r, err := do()
	if err != nil || r == nil {
		return nil, err
	}
	delete(w.notices, "not-served"+w.path)
	delete(w.notices, notTakenBack+w.path)
	delete(w.notices, "pushed-not-saved")
	w.keepDraft()
	w.show()
	return r, nil
}

// addition is what a new revision says beside its content.
type addition struct {
	note  string
	cause Cause
	only  []string
	rest  *Revision // for the others; without only it is dropped
}

// append adds a revision to the history, in memory and on disk. Where it cannot
// be written it is taken back, except for the very first of this run, which
// Open serves in any case.
func (w *Workspace) append(c content, a addition) (*Revision, error) {
	opening := w.state.Load() == nil
	r := &Revision{
		Number: w.number + 1, At: w.options.Now(), Note: a.note, Author: w.options.Author, Cause: a.cause,
		Rules: c.rules, Meshes: c.meshes, Outcome: Outcome{Result: Pending},
		Base: lastAccepted(w.revisions),
	}
	if len(a.only) > 0 {
		r.Only, r.Rest = slices.Clone(a.only), a.rest
	}
	kept := trimmed(append(slices.Clone(w.revisions), r))
	var err error
	if w.store != nil {
		err = w.store.writeHistory(kept)
	}
	if err != nil && !opening {
		return nil, fmt.Errorf("revision %d could not be recorded, and nothing was pushed: %w", r.Number, err)
	}
	w.revisions, w.number = kept, r.Number
	return r, err
}

// trimmed is as much of a history as is kept: the newest, and what the nodes have
// that the newest does not go to yet.
func trimmed(revisions []*Revision) []*Revision {
	over := len(revisions) - historyKept
	if over <= 0 {
		return revisions
	}
	rest := revisions[len(revisions)-1].Rest
	if rest == nil || rest.Number >= revisions[over].Number {
		return revisions[over:]
	}
	i := slices.IndexFunc(revisions, func(r *Revision) bool { return r.Number == rest.Number })
	if i < 0 {
		return revisions[over:]
	}
	return append([]*Revision{revisions[i]}, revisions[over+1:]...)
}

func (w *Workspace) publish(r *Revision) {
	if r != nil && w.options.Publisher != nil {
		w.options.Publisher.Publish(r)
	}
}

// errorsOf lists the error findings of a content, and what is wrong on disk while
// that is what the draft was made from. Names of what comes from another control
// plane count too: an Envoy that takes the push asks here, in vain.
func (w *Workspace) errorsOf(c content) []mesh.Finding {
	var out []mesh.Finding
	if w.opened != nil {
		out = slices.DeleteFunc(errorsIn(unusable(w.opened)), func(f mesh.Finding) bool { return w.mended(f, c) })
	}
	live := w.live()
	for _, g := range c.groups() {
		for _, f := range w.groupState(g, live.meshes[g], c.meshes[g]).Findings {
			if f.Rule == check.ForeignReference {
				f.Severity = mesh.Error
			}
			if f.Severity == mesh.Error {
				out = append(out, f)
			}
		}
	}
	return out
}

// unusable is what is wrong on disk: what could not be read, and the files that
// config sources name in vain, which an Envoy would wait for.
func unusable(o *files.Opened) []mesh.Finding {
	out := slices.Clone(o.Problems)
	for _, f := range o.Notices {
		if f.Rule == files.UnusablePath {
			f.Severity = mesh.Error
			out = append(out, f)
		}
	}
	return out
}

// mended reports whether a problem on disk is none of c any more: a path that
// leads nowhere can be corrected in the draft, since its resource was read.
func (w *Workspace) mended(f mesh.Finding, c content) bool {
	if f.Rule != files.MissingPath && f.Rule != files.UnusablePath {
		return false
	}
	for group, m := range w.opened.Meshes {
		r := m.Get(f.Key)
		if r == nil || r.Source.File != f.File {
			continue
		}
		now := c.meshes[group].Get(f.Key)
		if now == nil {
			return true
		}
		was, _ := text.Scalar(r.Source.Text, f.Path)
		is, there := text.Scalar(now.Source.Text, f.Path)
		return !there || is != was
	}
	return false
}
