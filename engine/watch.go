package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	for _, dir := range o.Folders() {
		if _, err := os.Stat(dir); err == nil { // an include may look into a folder that is not there
			add(dir)
		}
	}
	for _, p := range o.Paths() {
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
			_ = notify.Close() // the failed Add is what is told
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
	w.lookKept()
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
	if w.dismissed != "" && digestOf(changed) == w.dismissed {
		return // the operator has seen it
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
