package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"example.com/meshtui/engine/task"
)

// errAbandoned is what a request's body says to an attempt that is over.
var errAbandoned = errors.New("the attempt is over")

// replay is a request's body that can be sent again, as long as what was read of
// it is not more than limit. A goroutine of its own reads from the client, so
// that an attempt can end while the client is silent.
type replay struct {
	source io.Reader
	limit  int
	atEnd  func() // told once, when all of it has been read
	moved  func() // told of each read

	mu     sync.Mutex
	news   *sync.Cond // something below has changed
	kept   []byte     // from the offset base on
	base   int        // above 0 once the beginning is lost
	wanted bool       // an attempt waits for more
	ended  error      // what the source said in the end
	closed bool       // no attempt will come any more
}

// replayed is the body of one attempt.
type replayed struct {
	*replay
	at   int
	over bool // guarded by mu
}

// newReplay begins to read nothing yet. It must be closed.
func newReplay(source io.Reader, limit int, atEnd, moved func()) *replay {
	b := &replay{source: source, limit: limit, atEnd: atEnd, moved: moved}
	b.news = sync.NewCond(&b.mu)
	group, _ := task.New(context.Background())
	group.Go("reading a request's body", func() error {
		b.pump()
		return nil
	})
	return b
}

// pump reads whenever an attempt wants more.
func (b *replay) pump() {
	chunk := make([]byte, 32<<10)
	for {
		b.mu.Lock()
		for !b.wanted && !b.closed {
			b.news.Wait()
		}
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return
		}
		n, err := b.source.Read(chunk)
		b.take(chunk[:n], err)
		b.moved()
		if err != nil {
			if errors.Is(err, io.EOF) {
				b.atEnd()
			}
			return
		}
	}
}

func (b *replay) take(p []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.base > 0 || len(b.kept)+len(p) > b.limit {
		// The attempt that wanted more has read all that was kept.
		b.base += len(b.kept)
		b.kept = b.kept[:0]
	}
	b.kept = append(b.kept, p...)
	b.wanted, b.ended = false, err
	b.news.Broadcast()
}

// attempt is the body from its beginning.
func (b *replay) attempt() *replayed { return &replayed{replay: b} }

// sendable reports whether the body can be sent once more.
func (b *replay) sendable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.base == 0
}

// close ends the reading, as soon as the client lets it.
func (b *replay) close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.news.Broadcast()
}

// Read gives what is kept, then what the client sends.
func (r *replayed) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case r.over, r.closed, r.at < r.base:
			return 0, errAbandoned
		case r.at < r.base+len(r.kept):
			n := copy(p, r.kept[r.at-r.base:])
			r.at += n
			return n, nil
		case r.ended != nil:
			return 0, r.ended
		}
		r.wanted = true
		r.news.Broadcast()
		r.news.Wait()
	}
}

// Close ends this attempt's part; the client's body stays open for the next.
func (r *replayed) Close() error {
	r.abandon()
	return nil
}

// abandon lets who reads go.
func (r *replayed) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.news.Broadcast()
}

// nobody is the body of a request without one. The transport would send again
// by itself a request that it knows to be without a body, when a connection
// that it has used before turns out to be closed; Envoy leaves that to the retry
// policy.
type nobody struct{}

func (nobody) Read([]byte) (int, error) { return 0, io.EOF }
func (nobody) Close() error             { return nil }

// WriteTo spares the transport a buffer.
func (nobody) WriteTo(io.Writer) (int64, error) { return 0, nil }

// identity says that a body is sent as it is.
var identity = []string{"identity"}

// idempotencyKeys are headers by which the transport would send a request of any
// method again by itself, if it knew them: written in lower case, as Envoy does,
// they are to it like any other.
var idempotencyKeys = []string{"Idempotency-Key", "X-Idempotency-Key"}

func hasAny(h http.Header, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return h[name] != nil })
}

// sentAgain reports whether the transport would send a request of this method,
// and without a body, again by itself, whatever its headers.
func sentAgain(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
