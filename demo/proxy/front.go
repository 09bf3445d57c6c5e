package proxy

import (
	"context"
	"errors"
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
	// noticeTime is between the notice that an idle connection of HTTP/2 ends and
	// its end.
	noticeTime = 250 * time.Millisecond
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
	leaving atomic.Bool // it drains, or will: answers end their connections
	changed chan struct{}
	broke   func(error) // told what went wrong in the background

	mu       sync.Mutex
	open     map[net.Conn]http.ConnState
	handed   int  // connections on their way to the server
	upgraded bool // a connection was taken over by a request, and may be open
}

// newFront makes the server of a listener; start has it take connections.
func (n *node) newFront(g *generation) *front {
	f := &front{
		world: &world{node: n}, conns: make(chan net.Conn), ended: make(chan struct{}),
		broke: n.backgroundBroke, changed: make(chan struct{}, 1), open: map[net.Conn]http.ConnState{},
	}
	f.handler = forward.New(g.name, f.world)
	f.server = &http.Server{
		Handler:     &guard{next: f.handler, leaving: &f.leaving, broke: n.requestBroke},
		ConnState:   f.note,
		ConnContext: withConn,
		ErrorLog:    slog.NewLogLogger(n.o.log.Handler(), slog.LevelDebug),
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
// listener; package accept refuses those whose managers differ in them.
func (f *front) settings(m *hcmv3.HttpConnectionManager) {
	codec := m.GetCodecType()
	f.server.Protocols.SetHTTP1(codec != hcmv3.HttpConnectionManager_HTTP2)
	f.server.Protocols.SetUnencryptedHTTP2(codec != hcmv3.HttpConnectionManager_HTTP1)
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
		case f.conns <- &conn{Conn: c}:
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
	_ = f.Close()
	f.await(ctx, drainTime, f.unused)
	if !f.part() { // a request that is on its way still gets in
		f.await(ctx, noticeTime, f.part)
	}
	f.closeUnused()
	bounded, cancel := context.WithTimeout(ctx, lastRequest)
	defer cancel()
	if f.server.Shutdown(bounded) != nil {
		_ = f.server.Close() // its connections are cut, and have nothing to say
	}
	f.close()
}

// await waits until it is over, for so long at most.
func (f *front) await(ctx context.Context, most time.Duration, over func() bool) {
	late := time.NewTimer(most)
	defer late.Stop()
	for !over() {
		select {
		case <-f.changed:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// part gives notice on the connections of HTTP/2, and reports whether there are
// none.
func (f *front) part() bool {
	none := true
	for _, c := range f.inHTTP2() {
		c.part()
		none = false
	}
	return none
}

func (f *front) inHTTP2() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*conn
	for open := range f.open {
		if c, ok := open.(*conn); ok && c.http2.Load() {
			out = append(out, c)
		}
	}
	return out
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
		f.broke(err)
	}
}
