package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/meshtui/engine/task"
)

// delayedClose is for how long a connection stays open after an answer that came
// before the end of its request, so that a client that is still sending gets to
// read it: Envoy's delayed_close_timeout.
const delayedClose = time.Second

// guard is what every request of a listener has around it.
type guard struct {
	next    http.Handler
	leaving *atomic.Bool // the listener drains: answers end their connections
	broke   func(*http.Request, *task.PanicError)
}

// ServeHTTP has the request answered. A panic costs that request and nothing
// else: broke is told, and the client gets 500 where no answer has begun.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	showEmptyHost(r)
	a := &answer{ResponseWriter: w, guard: g, request: r, control: http.NewResponseController(w)}
	a.open()
	err := task.Run("a request", func() error {
		g.next.ServeHTTP(a, r)
		return nil
	})
	var panicked *task.PanicError
	cut := errors.As(err, &panicked)
	if cut {
		if why, ok := panicked.Value.(error); !ok || !errors.Is(why, http.ErrAbortHandler) {
			g.broke(r, panicked)
			cut = a.apologize() != nil
		}
	}
	a.close(cut)
	if cut {
		panic(http.ErrAbortHandler) // ends the connection or the stream, and nothing else
	}
}

// showEmptyHost puts an empty Host back among the headers. net/http takes it out,
// and with it the difference between an empty one and none, which it refuses in
// HTTP/1.1 itself.
func showEmptyHost(r *http.Request) {
	if r.Host == "" && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) {
		r.Header["Host"] = []string{""}
	}
}

// answer is an answer that ends its connection where it has to: if the listener
// drains by the time that it begins, or the request has not come in full.
type answer struct {
	http.ResponseWriter
	guard    *guard
	request  *http.Request
	control  *http.ResponseController
	body     *incoming // nil for none, and in HTTP/2, where it holds nobody up
	begun    bool
	hijacked bool
}

// incoming is a request's body that knows when it has come in full.
type incoming struct {
	io.ReadCloser
	complete atomic.Bool
}

// Read reads on.
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.complete.Store(true)
	}
	return n, err
}

// open has the answer wait for no more of the request: net/http would not let it
// begin while somebody waits for the client to send on.
func (a *answer) open() {
	r := a.request
	if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	_ = a.control.EnableFullDuplex() // every HTTP/1 answer of net/http can
	a.body = &incoming{ReadCloser: r.Body}
	r.Body = a.body
}

// ends reports whether a connection of HTTP/1 ends with this answer.
func (a *answer) ends() bool {
	return a.guard.leaving.Load() || (a.body != nil && !a.body.complete.Load())
}

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	final := !a.begun && status >= http.StatusOK
	if final {
		switch {
		case a.request.ProtoMajor == 1 && a.ends():
			a.Header().Set("Connection", "close")
		case a.request.ProtoMajor == 2 && a.guard.leaving.Load():
			connOf(a.request).part()
		}
	}
	a.ResponseWriter.WriteHeader(status)
	a.begun = a.begun || final
}

// Write begins the answer if nobody has.
func (a *answer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush it.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Hijack takes the connection over.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := a.control.Hijack()
	a.hijacked = a.hijacked || err == nil
	return c, rw, err
}

var errBegun = errors.New("the answer has begun")

// apologize answers a request whose handling broke. It fails when an answer has
// begun already.
func (a *answer) apologize() error {
	if a.begun || a.hijacked {
		return errBegun
	}
	clear(a.Header())
	http.Error(a, "the built-in proxy broke on this request; its log says how", http.StatusInternalServerError)
	return nil
}

// close lets go of a request that did not come in full: the answer goes out, what
// comes within a moment is read and thrown away, and net/http finds nothing that
// it would wait for.
func (a *answer) close(cut bool) {
	if a.body == nil {
		return
	}
	a.request.Body = a.body.ReadCloser // net/http looks at it, to close gently
	if a.hijacked || a.body.complete.Load() {
		return
	}
	if !cut {
		if !a.begun {
			a.WriteHeader(http.StatusOK)
		}
		_ = a.control.Flush() // a client that has gone misses nothing
	}
	_ = a.control.SetReadDeadline(time.Unix(1, 0)) // who still waits for the client holds the body
	if !cut {
		_ = a.control.SetReadDeadline(time.Now().Add(delayedClose))
	}
	_ = a.body.Close()
}

// requestBroke notes that a panic ended a request.
func (n *node) requestBroke(r *http.Request, why *task.PanicError) {
	n.o.log.Error("a request broke", "request", fmt.Sprintf("%s %s", r.Method, r.URL), "why", why, "stack", string(why.Stack))
	n.countBroken()
}

// backgroundBroke notes that a mirrored request or an upgraded connection broke.
func (n *node) backgroundBroke(why error) {
	n.o.log.Error("a request broke in the background", "why", why)
	n.countBroken()
}

// countBroken counts a panic that cost no more than the request that it was
// about.
func (n *node) countBroken() { n.broken.Add(1) }
