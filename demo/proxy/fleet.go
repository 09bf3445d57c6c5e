package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
)

// Name is what the proxy is called on screen and wherever people read.
const Name = "built-in proxy"

// prefix begins the node ids, and nodeCluster is the nodes' cluster.
const (
	prefix      = "builtin"
	nodeCluster = "meshtui"
)

// Options say which nodes to start. Nodes, XDS and Dir must be set.
type Options struct {
	Nodes int    // how many, at least 1
	XDS   string // where the control plane listens: "unix:/path" or "host:port"
	Dir   string // holds each node's admin socket and log; made with mode 0700
	Delta bool   // the incremental variant of xDS instead of the state of the world
	Now   func() time.Time
}

// asEnvoys are the options of a fleet of Envoys that is like this one.
func (o Options) asEnvoys() envoy.FleetOptions {
	return envoy.FleetOptions{Nodes: o.Nodes, Prefix: prefix, Cluster: nodeCluster, XDS: o.XDS, Dir: o.Dir, Delta: o.Delta, Now: o.Now}
}

// NodeID is the id of the i-th node, counted from 0: "builtin-1".
func (o Options) NodeID(i int) string { return o.asEnvoys().NodeID(i) }

// Overlay is what is added to the resources served to the node with that id, as
// for local Envoys: listener ports moved by envoy.PortStep for each node after
// the first, and health checks that tell their results. The function returns its
// argument itself when there is nothing to add, and never changes it. It can be
// used before the fleet is started.
func (o Options) Overlay(nodeID string) func(mesh.Type, proto.Message) proto.Message {
	return o.asEnvoys().Overlay(nodeID)
}

// Fleet is a number of built-in proxies that are kept running in this process.
// All methods may be called from any goroutine.
type Fleet struct {
	o       Options
	group   *task.Group
	runners []*runner
	events  chan envoy.Event
	changed task.Wakes
	sockets string // folder of the admin sockets
	private bool   // which is not Dir, and ends with the fleet
	launch  func(context.Context, nodeOptions) (*node, error)

	stopOnce sync.Once
	stopping chan struct{}
	stopCtx  context.Context // set before stopping is closed
}

// Start starts the nodes and returns once each answers on its admin interface.
// They are kept running until Stop, or, without a drain, until ctx ends; Stop
// must be called in both cases.
func Start(ctx context.Context, o Options) (*Fleet, error) { return start(ctx, o, startNode) }

func start(ctx context.Context, o Options, launch func(context.Context, nodeOptions) (*node, error)) (*Fleet, error) {
	if o.Nodes < 1 {
		return nil, fmt.Errorf("cannot start %d nodes of the %s", o.Nodes, Name)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for the %s: %w", Name, err)
	}
	f := &Fleet{
		o: o, launch: launch, events: make(chan envoy.Event, 1024),
		stopping: make(chan struct{}), stopCtx: context.Background(),
	}
	if err := f.findSockets(); err != nil {
		return nil, err
	}
	group, runCtx := task.New(ctx)
	f.group = group
	for i := range o.Nodes {
		f.runners = append(f.runners, newRunner(f, i))
	}
	for _, r := range f.runners {
		group.Go(r.id, func() error { return r.supervise(runCtx) })
	}
	for _, r := range f.runners {
		if err := r.awaitUp(ctx); err != nil {
			gone, cancel := context.WithCancel(context.Background())
			cancel() // nothing to drain yet
			return nil, errors.Join(err, f.Stop(gone))
		}
	}
	return f, nil
}

// findSockets chooses the folder of the admin sockets: Dir, or one of its own
// where a path in Dir would be too long for a socket.
func (f *Fleet) findSockets() error {
	f.sockets = f.o.Dir
	if len(f.socket(f.o.Nodes-1)) <= envoy.MaxSocketPath {
		return nil
	}
	dir, err := os.MkdirTemp("", "meshtui-") // its mode is 0700
	if err != nil {
		return fmt.Errorf("the folder for the %s's sockets: %w", Name, err)
	}
	f.sockets, f.private = dir, true
	if path := f.socket(f.o.Nodes - 1); len(path) > envoy.MaxSocketPath {
		_ = os.Remove(dir)
		return fmt.Errorf("%s: a unix socket's path has at most %d bytes; set TMPDIR to a shorter folder", path, envoy.MaxSocketPath)
	}
	return nil
}

func (f *Fleet) socket(i int) string { return filepath.Join(f.sockets, f.o.NodeID(i)+".sock") }

// Processes are the nodes as they stand, in the order of their numbers.
func (f *Fleet) Processes() []envoy.Process {
	out := make([]envoy.Process, len(f.runners))
	for i, r := range f.runners {
		out[i] = r.process()
	}
	return out
}

// Targets are the admin interfaces of the nodes that run.
func (f *Fleet) Targets() []envoy.Target {
	var out []envoy.Target
	for _, p := range f.Processes() {
		if p.PID != 0 {
			out = append(out, envoy.Target{Node: p.Node, Admin: p.Admin})
		}
	}
	return out
}

// Overlay is Options.Overlay.
func (f *Fleet) Overlay(nodeID string) func(mesh.Type, proto.Message) proto.Message {
	return f.o.Overlay(nodeID)
}

// Events are what the nodes tell as it happens. There is one channel; when
// nobody reads it the oldest events are lost.
func (f *Fleet) Events() <-chan envoy.Event { return f.events }

// Changed returns a channel that fills when Processes has changed, and what
// ends the subscription.
func (f *Fleet) Changed() (<-chan struct{}, func()) { return f.changed.Changed() }

// Stop drains every node, so that no request is cut, and ends it. When ctx ends
// first, the rest of the drain is skipped. It returns when all are gone; what it
// returns is what went wrong while they ran.
func (f *Fleet) Stop(ctx context.Context) error {
	f.stopOnce.Do(func() {
		f.stopCtx = ctx
		close(f.stopping)
	})
	err := f.group.Wait()
	if f.private {
		err = errors.Join(err, os.RemoveAll(f.sockets))
	}
	return err
}

// emit hands an event on, at the price of the oldest when nobody listens.
func (f *Fleet) emit(e envoy.Event) {
	for {
		select {
		case f.events <- e:
			return
		default:
		}
		select {
		case <-f.events:
		default:
		}
	}
}
