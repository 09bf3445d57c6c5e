package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Editors and sync tools write in several moves: the files are read when they
// have been quiet for settle, or at the latest after patience.
const (
	settle   = 100 * time.Millisecond
	patience = time.Second
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
	if len(o.Problems) > 0 {
		c.Problem = o.Problems
		return &offer{read: o, change: c}
	}
	c.Changes = changes(draft, contentOf(o))
	return &offer{read: o, opened: o, change: c}
}

// Save writes the draft to a folder: dir, or where it came from when dir is "".
// An opened single file is never overwritten, so that its first save needs a
// folder. Files that another program changed since they were read are not
// overwritten either: take or dismiss that change first. After it, Save writes
// to that folder.
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
	saved, err := files.Save(dir, w.opened, w.draft.now.rules, w.draft.now.meshes, w.options.Writer)
	if err != nil {
		return err
	}
	w.opened, w.saveTo, w.base, w.disk = saved, dir, contentOf(saved), nil
	if changes(w.base, w.draft.now) == 0 {
		w.draft.now = w.base // the same texts, with the lines of the files
	}
	if w.watch != nil {
		w.watch.follow(saved)
	}
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
		if len(changed) == 0 {
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
	}
	w.disk = nil
	if w.writable() == nil {
		w.keepDraft()
	}
	w.show()
}

// adopt makes what was read what is on disk.
func (w *Workspace) adopt(o *files.Opened) {
	w.opened, w.base, w.disk = o, contentOf(o), nil
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
		w.disk = &offer{change: &DiskChange{At: now, Files: changed, Problem: []mesh.Finding{{
			Severity: mesh.Error, Rule: "unreadable", File: w.opened.Path,
			Message: r.err.Error(), Hint: "what was read before is kept; mend the file, or save to write it again"}}}}
		return
	}
	fresh := newOffer(r.opened, w.draft.now, now, changed)
	if fresh.opened == nil {
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

// watcher waits for changes to a workspace's files.
type watcher struct {
	notify *fsnotify.Watcher
}

func (w *watcher) close() error { return w.notify.Close() }

// follow watches the folders of what was read. Folders are watched, not files:
// editors and Kubernetes rename a new file into place.
func (w *watcher) follow(o *files.Opened) {
	for _, dir := range folders(o) {
		// A folder that cannot be watched any more is one that has gone; the
		// event of its going leads to a reading that says so.
		_ = w.notify.Add(dir)
	}
}

func folders(o *files.Opened) []string {
	seen := map[string]bool{}
	var out []string
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	if o.Kind == files.Folder {
		add(o.Path)
	}
	for _, p := range o.Paths() {
		add(filepath.Dir(p))
		if target, err := filepath.EvalSymlinks(p); err == nil {
			add(filepath.Dir(target))
		}
	}
	return out
}

func (w *Workspace) startWatch(ctx context.Context) error {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	for _, dir := range folders(w.opened) {
		if err := notify.Add(dir); err != nil {
			notify.Close()
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	w.watch = &watcher{notify: notify}
	var running context.Context
	w.tasks, running = task.New(ctx)
	w.tasks.Go("watching the files", func() error { return w.watchFiles(running) })
	return nil
}

// watchFiles reads the files again when they have settled after an event.
func (w *Workspace) watchFiles(ctx context.Context) error {
	timer := time.NewTimer(settle)
	timer.Stop()
	defer timer.Stop()
	var first time.Time // of the events that wait; zero when none does
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.watch.notify.Events:
			if !ok {
				return nil
			}
			if e.Op == fsnotify.Chmod {
				continue
			}
			if first.IsZero() {
				first = time.Now()
			}
			timer.Reset(max(0, min(settle, patience-time.Since(first))))
		case err, ok := <-w.watch.notify.Errors:
			if !ok {
				return nil
			}
			w.watchFailed(err)
			timer.Reset(settle) // events may have been lost: look
		case <-timer.C:
			first = time.Time{}
			w.look()
		}
	}
}

// look reads the files if they differ from what is known.
func (w *Workspace) look() {
	w.mu.Lock()
	known, offered, ready := w.opened, w.disk, w.state.Load() != nil
	w.mu.Unlock()
	if !ready {
		return
	}
	newest := known
	if offered != nil && offered.read != nil {
		newest = offered.read
	}
	if same, err := newest.Changed(); err == nil && len(same) == 0 {
		return
	}
	changed, err := known.Changed()
	if err != nil {
		changed = known.Paths()
	}
	r := readAgain(known.Path)
	if _, statErr := os.Stat(known.Path); errors.Is(statErr, fs.ErrNotExist) {
		changed = []string{known.Path}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.opened != known || w.disk != offered {
		return // saved, taken or dismissed meanwhile; a further event will come if need be
	}
	w.install(r, changed)
	w.show()
}

func (w *Workspace) watchFailed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(mesh.Finding{Severity: mesh.Warning, Rule: "not-watched", File: w.path,
		Message: fmt.Sprintf("watching the files: %v", err), Hint: "changes by other programs may show late"})
	w.show()
}
