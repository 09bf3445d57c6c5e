package sds

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long files must have been quiet before they are read: those
	// who renew a certificate write several files, one after the other. patience
	// is the longest that they are waited for.
	settle   = 100 * time.Millisecond
	patience = time.Second
	// slowLook is the time between two looks that nothing asks for. A network's
	// file system tells of no change. quickLook is that while something is wrong.
	slowLook  = 10 * time.Second
	quickLook = time.Second
)

func (s *Source) watch(ctx context.Context) error {
	notify, err := fsnotify.NewWatcher()
	s.mu.Lock()
	s.deaf = err
	s.mu.Unlock()
	var events chan fsnotify.Event
	var lost chan error
	if err == nil {
		events, lost = notify.Events, notify.Errors
		defer func() { _ = notify.Close() }() // there is nothing more to hear
	} else {
		s.noticed()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var first time.Time // of the events that wait; zero when none does
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			s.follow(notify)
			timer.Reset(0) // what changed before it was watched
		case <-events:
			if first.IsZero() {
				first = time.Now()
			}
			timer.Reset(max(0, min(settle, patience-time.Since(first))))
		case <-lost: // events were, too
			timer.Reset(settle)
		case <-timer.C:
			first = time.Time{}
			s.look()
			s.follow(notify) // a link may lead elsewhere now
			timer.Reset(s.pause())
		}
	}
}

func (s *Source) pause() time.Duration {
	if s.troubled() {
		return quickLook
	}
	return slowLook
}

// follow watches the folders of all files. Folders are watched, not files: those
// who renew a certificate rename a new file or a new folder into place.
func (s *Source) follow(notify *fsnotify.Watcher) {
	if notify == nil {
		return
	}
	wanted := map[string]bool{}
	for _, dir := range s.folders() {
		wanted[dir] = true
		_ = notify.Add(dir) // one that is missing is looked for again, with its file
	}
	for _, dir := range notify.WatchList() {
		if !wanted[dir] {
			_ = notify.Remove(dir) // it may have gone by itself
		}
	}
}

// foldersOf are the folders in which a change may give a file another content:
// its own, and those of all links on the way to it.
func foldersOf(path string) []string {
	const most = 16 // links may lead in a circle
	var out []string
	for range most {
		if path == "" {
			break
		}
		out = append(out, filepath.Dir(path))
		next, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		out = append(out, filepath.Dir(real))
	}
	return out
}
