package sds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/meshtui/engine/task"
)

// maxFile is the most that a file of a secret may hold, in bytes.
const maxFile = 1 << 20

const (
	// answers is how long the files of a secret are waited for. What does not
	// answer by then, such as a file on a network that is gone, is waited for in
	// the background.
	answers = time.Second
	// answersStill is that while some file does not answer: whoever asks for many
	// secrets is not to wait for each of them.
	answersStill = 5 * time.Millisecond
)

// reading is one reading of the files of a secret. It goes on by itself for as
// long as that takes, for nothing can end it, and holds no lock.
type reading struct {
	at   atomic.Int32 // which of the files is being read
	late bool         // it did not answer in time; under Source.mu
	done chan struct{}

	// What follows holds when done is closed.
	contents map[string][]byte // by the name in the secret
	wrong    []wrong
	folders  []string
}

type wrong struct {
	field string
	err   error
}

// begin has the files of an entry read. s.mu is held. Nobody waits for the
// goroutine at the end: one that hangs in the kernel ends with the process.
func (s *Source) begin(e *entry) {
	r := &reading{done: make(chan struct{}), contents: make(map[string][]byte, len(e.files))}
	e.begun = r
	g, _ := task.New(context.Background())
	g.Go("reading a secret", func() error {
		defer s.finish(r)
		for i, f := range e.files {
			r.at.Store(int32(i))
			b, err := s.readFile(f)
			if err != nil {
				r.wrong = append(r.wrong, wrong{f.field, err})
			}
			r.contents[f.named] = b
			r.folders = append(r.folders, foldersOf(f.path)...)
		}
		return nil
	})
}

func (s *Source) finish(r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(r.done)
	if r.late {
		s.late--
		s.nudge()
	}
}

// await waits for what is being read of an entry, for as long as it may take,
// and takes it. changed is as in entry.take. s.mu is held, but not while it waits.
func (s *Source) await(ctx context.Context, e *entry) (changed bool) {
	r := e.begun
	if !r.late {
		limit := answers
		if s.late > 0 {
			limit = answersStill
		}
		s.mu.Unlock()
		timer := time.NewTimer(limit)
		select {
		case <-r.done:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
	}
	if e.begun != r {
		return false // somebody else waited for it, too
	}
	select {
	case <-r.done:
		return e.take(r, s.o.Now())
	default:
	}
	if !r.late && ctx.Err() == nil {
		r.late = true
		s.late++
	}
	if r.late {
		e.hangs()
	}
	return false
}

// readFile reads a whole regular file, as it stood for as long as that took.
func readFile(f file) ([]byte, error) {
	if f.path == "" {
		return nil, fmt.Errorf("%s is relative, and there is no workspace folder for it to be in", f.named)
	}
	// A pipe that nobody writes to would keep whoever opens it waiting.
	h, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(f, err)
	}
	defer h.Close()
	before, err := h.Stat()
	switch {
	case err != nil:
		return nil, unreadable(f, err)
	case !before.Mode().IsRegular():
		return nil, fmt.Errorf("%s cannot be read: it is no regular file", f.named)
	case before.Size() > maxFile:
		return nil, fmt.Errorf("%s cannot be read: it has %d bytes, and a secret has at most %d", f.named, before.Size(), maxFile)
	case before.Size() == 0:
		return nil, fmt.Errorf("%s is empty", f.named)
	}
	b, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return nil, unreadable(f, err)
	}
	after, err := h.Stat()
	if err != nil || after.Size() != int64(len(b)) || !after.ModTime().Equal(before.ModTime()) {
		return nil, fmt.Errorf("%s is being written", f.named)
	}
	return bytes.Clone(b), nil
}

// unreadable says in plain words why a file could not be read.
func unreadable(f file, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s cannot be read: there is no such file", f.named)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s cannot be read: permission denied", f.named)
	}
	var where *fs.PathError
	if errors.As(err, &where) {
		err = where.Err
	}
	return fmt.Errorf("%s cannot be read: %w", f.named, err)
}
