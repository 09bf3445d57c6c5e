package demo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"example.com/meshtui/engine/task"
)

// backendHeader is the response header in which a backend says its name.
const backendHeader = "X-Backend"

// healthPath is what the demo's health checks ask for.
const healthPath = "/health"

// slowness is how long a slow backend thinks: longer than the health checks of
// the demo's mesh wait, shorter than its routes do.
const slowness = 800 * time.Millisecond

// BackendState is how a backend behaves.
type BackendState uint8

// The states of a backend.
const (
	Up      BackendState = iota + 1 // answers
	Down                            // nobody listens: connection refused
	Slow                            // answers after 800 ms, its health check too
	Failing                         // answers 503, while its health check goes on to pass
)

// String is the state in one word.
func (s BackendState) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Slow:
		return "slow"
	case Failing:
		return "failing"
	}
	return "unknown"
}

// Backend is one server behind the demo's mesh, at one moment.
type Backend struct {
	Name    string // "app-v1-a"
	Cluster string // the cluster that it was started for
	Version string // "v1"
	Address string // "127.0.0.1:9001"
	Port    int
	State   BackendState
}

// backend serves HTTP on one address for as long as it is not down.
type backend struct {
	group *task.Group

	mu       sync.Mutex
	now      Backend
	server   *http.Server // nil while down
	listener net.Listener // the server's
	upgraded map[net.Conn]bool
}

// startBackend listens on the wished port, or on a free one when that is taken.
func startBackend(g *task.Group, b Backend, wished int) (*backend, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wished)))
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("starting backend %s: %w", b.Name, err)
		}
	}
	b.Address = l.Addr().String()
	b.Port = l.Addr().(*net.TCPAddr).Port
	out := &backend{group: g, now: b}
	out.serve(l)
	return out, nil
}

func (b *backend) serve(l net.Listener) {
	server := &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	b.mu.Lock()
	b.server, b.listener, b.now.State = server, l, Up
	b.mu.Unlock()
	b.group.Go("backend "+b.now.Name, func() error {
		err := server.Serve(l)
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	})
}

// ServeHTTP answers who it is, as its state has it.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := b.backend()
	switch now.State {
	case Slow:
		pause := time.NewTimer(slowness)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
	case Failing:
		if r.URL.Path == healthPath {
			break
		}
		w.Header().Set(backendHeader, now.Name)
		http.Error(w, now.Name+" fails", http.StatusServiceUnavailable)
		return
	}
	if !pause(r) {
		return
	}
	w.Header().Set(backendHeader, now.Name)
	if r.Header.Get("Upgrade") == "websocket" {
		b.echo(w)
		return
	}
	fmt.Fprintf(w, "%s %s at %s: %s %s\n", now.Cluster, now.Version, now.Address, r.Method, r.URL.Path)
}

func (b *backend) backend() Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// become changes the state. Going down closes the listener and cuts every
// connection; coming up again takes the same port.
func (b *backend) become(s BackendState) error {
	b.mu.Lock()
	server, listener, now := b.server, b.listener, b.now
	if now.State != Down && s != Down {
		b.now.State = s
		b.mu.Unlock()
		return nil
	}
	if s == Down {
		b.now.State, b.server = Down, nil
		for conn := range b.upgraded { // the server knows them no more
			_ = conn.Close()
		}
		b.mu.Unlock()
		if server == nil {
			return nil
		}
		// The server closes only a listener that it has begun to serve.
		_ = listener.Close()
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // it may find the listener closed
			return fmt.Errorf("stopping backend %s: %w", now.Name, err)
		}
		return nil
	}
	b.mu.Unlock()
	l, err := net.Listen("tcp", now.Address)
	if err != nil {
		return fmt.Errorf("reviving backend %s: %w", now.Name, err)
	}
	b.serve(l)
	return b.become(s)
}
