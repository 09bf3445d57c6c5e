package sds

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
			s.look(ctx)
			if s.follow(notify) { // a link leads elsewhere now
				timer.Reset(0)
			} else {
				timer.Reset(s.pause())
			}
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
// who renew a certificate rename a new file or a new folder into place. more says
// that something is watched that was not: what happened there before is unknown.
func (s *Source) follow(notify *fsnotify.Watcher) (more bool) {
	if notify == nil {
		return false
	}
	watched := notify.WatchList()
	wanted := map[string]bool{}
	for _, dir := range s.folders() {
		wanted[dir] = true
		err := notify.Add(dir) // one that is missing is looked for again, with its file
		more = more || err == nil && !slices.Contains(watched, dir)
	}
	for _, dir := range watched {
		if !wanted[dir] {
			_ = notify.Remove(dir) // it may have gone by itself
		}
	}
	return more
}

// foldersOf are the folders in which a change may give a file another content:
// the one that it really lies in, and those of all links on the way to it, be
// they to files or to folders.
func foldersOf(path string) []string {
	if path == "" {
		return nil
	}
	const most = 40 // links may lead in a circle
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, rest := root, parts(path)
	var out []string
	for len(rest) > 0 && len(out) < most {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(next)
		if err != nil {
			at = next
			continue
		}
		out = append(out, at)
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(parts(target), rest...)
	}
	return append(out, filepath.Dir(at))
}

// parts are the elements of a path.
func parts(path string) []string {
	return strings.FieldsFunc(path[len(filepath.VolumeName(path)):], func(r rune) bool { return r == filepath.Separator })
}
