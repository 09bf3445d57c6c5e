package sds

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Options say where the files are and who is told of changes.
type Options struct {
	// Dir is the folder that relative paths are in; "" leaves a secret with a
	// relative path as it is.
	Dir string
	// Changed is told of secrets for which Fill answers something else now. It is
	// called from Run's goroutine; nil tells nobody.
	Changed func(keys ...mesh.Key)
	// Noticed is told that Findings has changed, from Run's goroutine or from
	// within Fill. It must not block; nil tells nobody.
	Noticed func()
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Source reads and watches the files of secrets. It is safe for concurrent use.
type Source struct {
	o        Options
	wake     chan struct{}              // a file was added; holds one
	readFile func(file) ([]byte, error) // may take for ever

	mu      sync.Mutex            // never held while a file is read
	entries map[mesh.Key][]*entry // the newest last; groups may call different secrets the same
	late    int                   // how many readings did not answer in time and still go on
	deaf    error                 // why changes are not heard of; nil when they are
}

// entriesOfOneName is how many secrets of one name are kept: one for each group
// that has it, and those of the revisions under way.
const entriesOfOneName = 8

// New makes a source that knows of no secret yet. What Fill is asked about is
// watched while Run runs.
func New(o Options) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o, wake: make(chan struct{}, 1), readFile: readFile, entries: map[mesh.Key][]*entry{}}
}

// Fill is what to serve in place of a resource: a secret with the files that it
// names read in. It is the resource's own message for what is no secret, names no
// file, or has a file that cannot be read. The first question about a secret
// reads its files, and waits a second for them at most; its answer stays the same
// until Changed tells otherwise.
func (s *Source) Fill(r *mesh.Resource) proto.Message {
	secret, ok := r.Message.(*tlsv3.Secret)
	if !ok {
		return r.Message
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known(r)
	if e == nil {
		if e = newEntry(r, secret, s.o.Dir); len(e.files) == 0 {
			return r.Message
		}
		s.begin(e)
		s.keep(e)
	}
	e.plain = r // its text may stand elsewhere now
	if !e.answered && e.begun != nil {
		s.await(context.Background(), e)
		s.nudge() // there is more to watch
		if len(e.findings) > 0 {
			s.noticed()
		}
	}
	e.answered = true
	return e.answer()
}

// known is the entry of a secret; nil for none. s.mu is held.
func (s *Source) known(r *mesh.Resource) *entry {
	for _, e := range s.entries[r.Key] {
		if mesh.SameContent(e.plain, r) {
			return e
		}
	}
	return nil
}

func (s *Source) keep(e *entry) {
	key := e.plain.Key
	known := s.entries[key]
	if len(known) == entriesOfOneName {
		known = slices.Delete(known, 0, 1)
	}
	s.entries[key] = append(known, e)
}

// Retain forgets every secret that is in none of the meshes: its files are no
// longer watched, and nothing is found wrong with them.
func (s *Source) Retain(meshes ...*mesh.Mesh) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, known := range s.entries {
		known = slices.DeleteFunc(known, func(e *entry) bool {
			return !slices.ContainsFunc(meshes, func(m *mesh.Mesh) bool { return mesh.SameContent(m.Get(key), e.plain) })
		})
		if s.entries[key] = known; len(known) == 0 {
			delete(s.entries, key)
		}
	}
	s.nudge()
}

func (s *Source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Source) noticed() {
	if s.o.Noticed != nil {
		s.o.Noticed()
	}
}

// Findings say what is wrong with the files of the secrets that are served, by
// name. The text of a secret is in none of them.
func (s *Source) Findings() []mesh.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []mesh.Finding
	if s.deaf != nil {
		out = append(out, mesh.Finding{
			Severity: mesh.Warning, Rule: "secret-not-watched", Message: "the files of secrets cannot be watched: " + s.deaf.Error(),
			Hint: "they are looked at every " + quickLook.String() + " all the same",
		})
	}
	for _, known := range s.entries {
		for _, e := range known {
			out = append(out, e.findings...)
		}
	}
	slices.SortFunc(out, func(a, b mesh.Finding) int {
		return strings.Compare(a.Key.Name+"\x00"+a.Path+"\x00"+a.Message, b.Key.Name+"\x00"+b.Path+"\x00"+b.Message)
	})
	return slices.CompactFunc(out, func(a, b mesh.Finding) bool { return a == b })
}

// look reads the files of every secret again and tells of those that changed.
func (s *Source) look(ctx context.Context) {
	changed, noticed := s.readAgain(ctx)
	if noticed {
		s.noticed()
	}
	if len(changed) > 0 && s.o.Changed != nil {
		slices.SortFunc(changed, func(a, b mesh.Key) int { return strings.Compare(a.Name, b.Name) })
		s.o.Changed(changed...)
	}
}

// readAgain takes what became of the files: noticed says that something else is
// wrong with them now.
func (s *Source) readAgain(ctx context.Context) (changed []mesh.Key, noticed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*entry
	for _, known := range s.entries {
		all = append(all, known...)
	}
	for _, e := range all {
		if ctx.Err() != nil {
			break
		}
		if e.begun == nil {
			s.begin(e)
		}
		before := e.findings
		// One that nobody has an answer of yet is no news to anybody.
		if key := e.plain.Key; s.await(ctx, e) && e.answered && !slices.Contains(changed, key) {
			changed = append(changed, key)
		}
		noticed = noticed || !slices.Equal(before, e.findings)
	}
	return changed, noticed
}

// troubled reports whether the files of some secret are not as they should be.
func (s *Source) troubled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.entries {
		for _, e := range known {
			if e.waits {
				return true
			}
		}
	}
	return s.deaf != nil
}

// folders are those in which something may happen to a file of a secret.
func (s *Source) folders() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, known := range s.entries {
		for _, e := range known {
			out = append(out, e.folders...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Run watches the files until ctx ends; then it returns nil.
func (s *Source) Run(ctx context.Context) error { return s.watch(ctx) }
