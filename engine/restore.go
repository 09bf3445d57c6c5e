package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// restore takes the lock, then the history and the draft from the state folder.
// Nothing that is wrong there keeps a workspace from opening.
func (w *Workspace) restore() {
	w.draft.now = w.base
	if w.options.StateDir == "" {
		return
	}
	real := w.path
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		real = target
	}
	store, err := openStore(w.options.StateDir, real, w.options.Writer, w.options.Now)
	var held *heldError
	switch {
	case errors.As(err, &held):
		w.holder = held.Error()
	case err != nil:
		w.note(notKept(w.options.StateDir, err))
		return
	}
	w.store = store
	w.goOnAsFolder()
	dec := newDecoder(w.base.meshes)
	var damaged []mesh.Finding
	w.revisions, damaged = store.readHistory(dec)
	for _, f := range damaged {
		w.note(f)
	}
	w.number = store.disk.last
	for _, r := range w.revisions {
		w.number = max(w.number, r.Number)
	}
	d, kept, err := store.readDraft(dec)
	switch {
	case err != nil:
		w.note(store.setAside("draft.json", err))
	case d != nil:
		w.number = max(w.number, kept.Head)
		w.resume(d, kept)
	}
}

// goOnAsFolder opens the folder that the opened single file was saved to in an
// earlier run, so that what was saved there is neither served as it was before
// nor shown as a change.
func (w *Workspace) goOnAsFolder() {
	if w.origin == "" {
		return
	}
	var kept struct {
		Format         int
		Origin, SaveTo string
	}
	if _, err := w.store.read("draft.json", &kept); err != nil || kept.Format != storeFormat || kept.SaveTo == "" {
		return // what is damaged is set aside later
	}
	if kept.Origin != w.origin {
		w.note(mesh.Finding{Severity: mesh.Warning, Rule: "saved-elsewhere", File: w.path,
			Message: fmt.Sprintf("this file was changed since it was saved to %s, so the file is what is opened", kept.SaveTo),
			Hint:    fmt.Sprintf("open %s to go on with what was saved there", kept.SaveTo)})
		return
	}
	if _, err := os.Stat(kept.SaveTo); errors.Is(err, fs.ErrNotExist) {
		w.saveTo = kept.SaveTo // gone: a save makes it again
		return
	}
	folder, err := files.Open(kept.SaveTo)
	switch {
	case err == nil && folder.Kind == files.Folder:
		w.note(mesh.Finding{Severity: mesh.Note, Rule: "saved-elsewhere", File: w.path,
			Message: fmt.Sprintf("this file was saved to %s, and that folder is served and saved to", kept.SaveTo),
			Hint:    "the file itself stays as it is; change it, or remove the folder, to begin with it again"})
		w.adopt(folder)
		w.saveTo, w.draft.now = kept.SaveTo, w.base
	default:
		w.note(mesh.Finding{Severity: mesh.Warning, Rule: "saved-elsewhere", File: w.path,
			Message: fmt.Sprintf("this file was saved to %s, which cannot be opened, so the file is what is opened", kept.SaveTo),
			Hint:    "see what became of that folder, or save to another one"})
	}
}

// resume goes on with the draft of the last run. Edits are kept, also where the
// files changed meanwhile; then both are kept, and the files are offered. A
// draft without edits follows the files.
func (w *Workspace) resume(d *draft, kept *draftFile) {
	disk := kept.Disk
	if kept.SaveTo != "" && w.opened.Kind != files.Folder {
		disk = kept.Origin // kept.Disk is of the folder, which is not what was opened
	}
	diskChanged := disk != digest(w.base)
	unsaved := changes(w.base, d.now)
	w.draft = *d
	switch {
	case unsaved == 0:
		w.draft.now = w.base // the same texts, with the lines of the files
	case !diskChanged:
		if !kept.Edited {
			w.note(mesh.Finding{Severity: mesh.Note, Rule: "pushed-not-saved",
				Message: fmt.Sprintf("revision %d was pushed but never saved; what the files say is served, and the draft holds the rest", kept.Head),
				Hint:    "push the draft to serve it again, save it, or discard it"})
		}
	case !kept.Edited && w.revisionSays(d.now):
		w.draft.become("take the files as they changed on disk", w.base)
	default:
		w.disk = newOffer(w.opened, w.draft.now, w.options.Now(), w.opened.Paths())
	}
}

// revisionSays reports whether the newest revision holds this very content, so
// that nothing is lost when the draft goes elsewhere.
func (w *Workspace) revisionSays(c content) bool {
	return len(w.revisions) > 0 && changes(w.live(), c) == 0
}

// serveOpened publishes what was opened, as Open says.
func (w *Workspace) serveOpened() {
	w.mu.Lock()
	var head *Revision
	if w.holder == "" {
		head = w.firstRevision()
		w.endPending(head)
		w.keepDraft()
	}
	w.show()
	w.mu.Unlock()
	w.publish(head)
}

// endPending settles the revisions that were on their way when the last run
// ended. The one that is served again is on its way again, from the beginning,
// unless it was accepted already.
func (w *Workspace) endPending(head *Revision) {
	for i, r := range w.revisions {
		ended := *r
		switch {
		case r == head && r.Outcome.Result != Accepted:
			ended.Outcome = Outcome{Result: Pending}
		case r != head && r.Outcome.Result == Pending:
			ended.Outcome.Result, ended.Outcome.Detail = Superseded, "meshtui ended before every node had answered"
		default:
			continue
		}
		w.revisions[i] = &ended
	}
}

// firstRevision is what is served on opening: a new revision of what is on disk,
// the last one where it says the same or where the disk has errors, or nil.
func (w *Workspace) firstRevision() *Revision {
	if errs := w.errorsOf(w.base); len(errs) > 0 {
		has := whatHolds(errs)
		f := mesh.Finding{Severity: mesh.Error, Rule: "not-served", File: w.path,
			Message: "nothing is served yet: what was opened has " + has,
			Hint:    "mend the draft and push it"}
		defer func() { w.note(f) }()
		if len(w.revisions) == 0 {
			return nil
		}
		head := w.revisions[len(w.revisions)-1]
		f.Message = fmt.Sprintf("what was opened has %s, so that revision %d is served on", has, head.Number)
		return head
	}
	if w.revisionSays(w.base) {
		return w.revisions[len(w.revisions)-1]
	}
	r, err := w.append(w.base, addition{note: "opened", cause: Opened})
	if err != nil { // not kept is not a reason not to serve what is on disk
		w.note(notKept(w.store.dir, err))
	}
	return r
}

// whatHolds is what holds back a push, in words.
func whatHolds(errs []mesh.Finding) string {
	foreign := 0
	for _, f := range errs {
		if f.Rule == check.ForeignReference {
			foreign++
		}
	}
	names := plural(foreign, "name") + " of what comes from another control plane, and an Envoy that asks here would not get it"
	switch foreign {
	case 0:
		return plural(len(errs), "error")
	case len(errs):
		return names
	}
	return plural(len(errs)-foreign, "error") + ", and " + names
}

// keepDraft writes the draft. A failure does not undo the edit: it stays in
// memory, and a notice says so until a later write succeeds.
func (w *Workspace) keepDraft() {
	if w.store == nil || w.holder != "" {
		return
	}
	f := draftFile{Head: w.number, Edited: changes(w.live(), w.draft.now) > 0, Disk: digest(w.base), Origin: w.origin}
	if w.origin != "" {
		f.SaveTo = w.saveTo
	}
	if err := w.store.writeDraft(&w.draft, f); err != nil {
		w.note(notKept(w.store.dir, err))
		return
	}
	delete(w.notices, "not-kept"+w.store.dir)
}

func notKept(dir string, err error) mesh.Finding {
	return mesh.Finding{Severity: mesh.Warning, Rule: "not-kept", File: dir,
		Message: fmt.Sprintf("the draft and the history are held in memory only: %v", err),
		Hint:    "make room there or mend the permissions; saving the workspace keeps the draft too"}
}
