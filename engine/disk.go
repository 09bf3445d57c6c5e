package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// offer is what another program wrote, and what the state says of it.
type offer struct {
	read   *files.Opened // what was read; nil when nothing could be
	opened *files.Opened // read, when it is whole and can be taken
	change *DiskChange
}

// newOffer is the offer of what was read, seen from the draft.
func newOffer(o *files.Opened, draft content, at time.Time, changed []string) *offer {
	c := &DiskChange{At: at, Files: changed}
	if wrong := unusable(o); len(wrong) > 0 {
		c.Problem = wrong
		return &offer{read: o, change: c}
	}
	c.Changes = changes(draft, contentOf(o))
	return &offer{read: o, opened: o, change: c}
}

// Save writes the draft to a folder: dir, or where it came from when dir is "".
// An opened single file is never overwritten, so that its first save needs a
// folder. Files that another program changed since they were read are not
// overwritten either: take or dismiss that change first. After it, Save writes
// to that folder, also in later runs that open the same single file. Kept
// requests go with it, and are kept there from then on.
func (w *Workspace) Save(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	if dir == "" {
		dir = w.saveTo
	}
	if dir == "" {
		return errors.New("say where to save: a folder; the file that was opened is not overwritten")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := w.unchangedOnDisk(dir); err != nil {
		return err
	}
	undo, err := w.moveKept(dir)
	if err != nil {
		return err
	}
	saved, err := files.Save(dir, w.opened, w.draft.now.rules, w.draft.now.meshes, w.options.Writer)
	if err != nil {
		return errors.Join(err, undo())
	}
	w.opened, w.saveTo, w.base, w.disk, w.dismissed = saved, dir, contentOf(saved), nil, ""
	if changes(w.base, w.draft.now) == 0 {
		w.draft.now = w.base // the same texts, with the lines of the files
	}
	if w.watch != nil {
		w.watch.follow(saved)
	}
	w.readKept()
	w.keepDraft()
	w.show()
	return nil
}

// unchangedOnDisk refuses to write over what another program wrote.
func (w *Workspace) unchangedOnDisk(dir string) error {
	if w.opened == nil || w.opened.Kind != files.Folder || dir != w.saveTo {
		return nil
	}
	if w.disk == nil {
		changed, err := w.opened.Changed()
		if err != nil {
			return err
		}
		if len(changed) == 0 || digestOf(changed) == w.dismissed {
			return nil
		}
		w.install(readAgain(w.opened.Path), changed)
		w.show()
		if w.disk == nil {
			return nil
		}
	}
	return fmt.Errorf("another program changed %s; take that change or dismiss it, then save", strings.Join(w.disk.change.Files, ", "))
}

// TakeDisk puts what another program wrote into the draft, as one step that can
// be undone. It returns ErrNoDiskChange where nothing is offered, and says why
// where the files cannot be read.
func (w *Workspace) TakeDisk() error {
	return w.change(func() error {
		if w.disk == nil {
			return ErrNoDiskChange
		}
		if w.disk.opened == nil {
			return fmt.Errorf("the files cannot be taken: %s", firstError(w.disk.change.Problem))
		}
		w.adopt(w.disk.opened)
		w.draft.become("take the files as they changed on disk", w.base)
		return nil
	})
}

// DismissDisk leaves the draft as it is; the next Save writes over what the
// other program wrote.
func (w *Workspace) DismissDisk() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.disk == nil {
		return
	}
	if w.disk.opened != nil {
		w.adopt(w.disk.opened)
	} else {
		w.dismissed = digestOf(w.disk.change.Files)
	}
	w.disk = nil
	if w.writable() == nil {
		w.keepDraft()
	}
	w.show()
}

// digestOf identifies what the files hold now; one that is gone counts too.
func digestOf(paths []string) string {
	h := sha256.New()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%q %t %d ", path, err == nil, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// adopt makes what was read what is on disk.
func (w *Workspace) adopt(o *files.Opened) {
	w.opened, w.base, w.disk = o, contentOf(o), nil
	if o.Kind != files.Folder {
		w.origin = digest(w.base)
	}
	if w.watch != nil {
		w.watch.follow(o)
	}
}

// reading is what came of reading the files again.
type reading struct {
	opened *files.Opened
	err    error
}

func readAgain(path string) reading {
	o, err := files.Open(path)
	return reading{opened: o, err: err}
}

// install compares what was read with what is known and offers it, or takes an
// offer back. w.mu is held.
func (w *Workspace) install(r reading, changed []string) {
	now := w.options.Now()
	if r.err != nil {
		if w.disk != nil && w.disk.read == nil && len(w.disk.change.Problem) == 1 && w.disk.change.Problem[0].Message == r.err.Error() {
			return // that is told
		}
		w.disk = &offer{change: &DiskChange{At: now, Files: changed, Problem: []mesh.Finding{{
			Severity: mesh.Error, Rule: "unreadable", File: w.opened.Path,
			Message: r.err.Error(), Hint: "what was read before is kept; mend the file, or dismiss it, and the next save writes it again"}}}}
		return
	}
	fresh := newOffer(r.opened, w.draft.now, now, changed)
	if fresh.opened == nil {
		if w.disk != nil && slices.Equal(w.disk.change.Problem, fresh.change.Problem) {
			fresh.change = w.disk.change // that is told
		}
		w.disk = fresh
		return
	}
	if fresh.change.Changes == 0 || changes(w.base, contentOf(r.opened)) == 0 {
		w.adopt(r.opened) // nothing that the draft does not say, or back to what was known
		if changes(w.base, w.draft.now) == 0 {
			w.draft.now = w.base
		}
		return
	}
	w.disk = fresh
}
