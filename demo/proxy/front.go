package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/demo/proxy/forward"
	"example.com/meshtui/engine/task"
)

const (
	// drainTime is for how long connections of a listener that changed or went
	// may go on idle: as long as in the Envoys that meshtui starts.
	drainTime = 2 * time.Second
	// lastRequest bounds what is under way after that. It is the time that a
	// route gives a request unless it says otherwise.
	lastRequest = 15 * time.Second
)

// front serves HTTP on the connections of one version of a listener.
type front struct {
	server  *http.Server
	handler *forward.Handler
	world   *world
	conns   chan net.Conn
	ended   chan struct{}
	end     sync.Once
	leaving atomic.Bool // answers end their connections
	changed chan struct{}
	fail    func(error) // ends the node

	mu       sync.Mutex
	open     map[net.Conn]http.ConnState
	handed   int  // connections on their way to the server
	upgraded bool // a connection was taken over by a request, and may be open
}

// newFront makes the server of a listener; start has it take connections.
func (n *node) newFront(g *generation) *front {
	f := &front{
		world: &world{node: n}, conns: make(chan net.Conn), ended: make(chan struct{}),
		fail: n.fail, changed: make(chan struct{}, 1), open: map[net.Conn]http.ConnState{},
	}
	f.handler = forward.New(g.name, f.world)
	f.server = &http.Server{
		Handler:   f.guard(),
		ConnState: f.note,
		ErrorLog:  slog.NewLogLogger(n.o.log.Handler(), slog.LevelDebug),
		// "OPTIONS *" is a request like any other.
		DisableGeneralOptionsHandler: true,
		Protocols:                    new(http.Protocols),
	}
	manager := &hcmv3.HttpConnectionManager{}
	if len(g.managers) > 0 {
		manager = g.managers[0]
	}
	f.settings(manager)
	return f
}

// settings are what a server takes from the first HTTP connection manager of its
// listener.
func (f *front) settings(m *hcmv3.HttpConnectionManager) {
	codec := m.GetCodecType()
	f.server.Protocols.SetHTTP1(codec != hcmv3.HttpConnectionManager_HTTP2)
	f.server.Protocols.SetUnencryptedHTTP2(codec != hcmv3.HttpConnectionManager_HTTP1)
	f.server.ReadHeaderTimeout = m.GetRequestHeadersTimeout().AsDuration()
	f.server.IdleTimeout = time.Hour // Envoy's default
	if d := m.GetCommonHttpProtocolOptions().GetIdleTimeout(); d != nil {
		f.server.IdleTimeout = d.AsDuration()
		if f.server.IdleTimeout == 0 { // no limit; to Go 0 is another timeout's value
			f.server.IdleTimeout = -1
		}
	}
	kib := uint32(60) // Envoy's default
	if k := m.GetMaxRequestHeadersKb(); k != nil {
		kib = k.GetValue()
	}
	f.server.MaxHeaderBytes = int(kib) << 10
	if streams := m.GetHttp2ProtocolOptions().GetMaxConcurrentStreams(); streams != nil {
		f.server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: int(streams.GetValue())}
	}
}

// guard is the handler with two additions: while the listener drains, answers
// end their connections; and a panic is the node's.
func (f *front) guard() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		showEmptyHost(r)
		err := task.Run("a request", func() error {
			f.handler.ServeHTTP(&answer{ResponseWriter: w, front: f}, r)
			return nil
		})
		var panicked *task.PanicError
		if !errors.As(err, &panicked) {
			return
		}
		if cut, ok := panicked.Value.(error); !ok || !errors.Is(cut, http.ErrAbortHandler) {
			f.fail(fmt.Errorf("%s %s: %w", r.Method, r.URL, err))
		}
		panic(http.ErrAbortHandler) // ends the connection, and nothing else
	})
}

// showEmptyHost puts an empty Host back among the headers. net/http takes it out,
// and with it the difference between an empty one and none, which it refuses in
// HTTP/1.1 itself.
func showEmptyHost(r *http.Request) {
	if r.Host == "" && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) {
		r.Header["Host"] = []string{""}
	}
}

// answer is an answer that ends its connection if the listener drains by the
// time that it begins.
type answer struct {
	http.ResponseWriter
	front *front
	begun bool
}

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	if !a.begun && status >= http.StatusOK {
		a.begun = true
		if a.front.leaving.Load() {
			a.Header().Set("Connection", "close") // HTTP/2 makes a GOAWAY of it
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write begins the answer if nobody has.
func (a *answer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush it and take its connection over.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// start has the server take what it is given.
func (f *front) start(n *node) {
	n.tasks.Go("serving", func() error {
		if err := f.server.Serve(f); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// take hands a connection over; false when no more are taken.
func (f *front) take(c net.Conn) bool {
	f.hand(1)
	select {
	case <-f.ended:
	default:
		select {
		case f.conns <- c:
			return true // from here on note counts it
		case <-f.ended:
		}
	}
	f.hand(-1)
	return false
}

func (f *front) hand(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handed += n
	task.Poke(f.changed)
}

// Accept, Close and Addr make it the net.Listener of its server.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

// Close has no more connections taken.
func (f *front) Close() error {
	f.end.Do(func() { close(f.ended) })
	return nil
}

// Addr is of no use to the server, which asks its connections.
func (f *front) Addr() net.Addr { return &net.TCPAddr{} }

// note keeps which connections are open.
func (f *front) note(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler.ConnState(c, s)
	if s == http.StateNew {
		f.handed--
	}
	if s != http.StateClosed && s != http.StateHijacked {
		f.open[c] = s
		return
	}
	f.upgraded = f.upgraded || s == http.StateHijacked
	delete(f.open, c)
	task.Poke(f.changed)
}

// unused reports whether no connection is open or about to be.
func (f *front) unused() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open) == 0 && f.handed == 0 && !f.upgraded
}

// drain ends the connections: each with its next answer, idle ones after
// drainTime, and what is under way then may end within lastRequest. It is over
// sooner when none is left, and at once when ctx ends.
func (f *front) drain(ctx context.Context) {
	f.leaving.Store(true)
	_ = f.Close()
	f.await(ctx)
	f.closeUnused()
	bounded, cancel := context.WithTimeout(ctx, lastRequest)
	defer cancel()
	if f.server.Shutdown(bounded) != nil {
		_ = f.server.Close() // its connections are cut, and have nothing to say
	}
	f.close()
}

func (f *front) await(ctx context.Context) {
	over := time.NewTimer(drainTime)
	defer over.Stop()
	for !f.unused() {
		select {
		case <-f.changed:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// closeUnused closes the connections on which nothing was ever asked, which a
// server that shuts down would wait for.
func (f *front) closeUnused() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, s := range f.open {
		if s == http.StateNew {
			_ = c.Close()
		}
	}
}

// close ends everything at once.
func (f *front) close() {
	_ = f.Close()
	_ = f.server.Close() // what it says of its connections is of no use
	if err := f.handler.Close(); err != nil {
		f.fail(err)
	}
}
