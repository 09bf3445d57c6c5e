package envoy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// FleetOptions says which Envoys to start. Binary, Nodes, XDS and Dir must be
// set.
type FleetOptions struct {
	Binary      Binary
	Nodes       int    // how many, at least 1
	Prefix      string // of the node ids: "envoy" (the default) makes envoy-1, envoy-2, …
	Cluster     string // node.cluster; "meshtui" when empty
	XDS         string // where the control plane listens: "unix:/path" or "host:port"
	Dir         string // holds each Envoy's bootstrap and log; made with mode 0700
	Delta       bool
	Concurrency int      // worker threads of each Envoy; 1 when 0
	Watchdog    []string // this program and what makes it call child.RunWatchdog; see child.Options
	Now         func() time.Time
}

// NodeID is the id of the i-th Envoy, counted from 0.
func (o FleetOptions) NodeID(i int) string {
	prefix := o.Prefix
	if prefix == "" {
		prefix = "envoy"
	}
	return fmt.Sprintf("%s-%d", prefix, i+1)
}

// Overlay is what is added to the resources served to the node with that id:
// listener ports moved by PortStep for each Envoy after the first,
// enable_reuse_port false where it is not set, and health check events written
// to the pipe. The function returns its argument itself when there is nothing
// to add, and never changes it. For a node that is not of this fleet nothing is
// added. It can be used before the fleet is started.
func (o FleetOptions) Overlay(nodeID string) func(mesh.Type, proto.Message) proto.Message {
	for i := range o.Nodes {
		if o.NodeID(i) == nodeID {
			return overlay{shift: uint32(PortStep * i), events: true}.apply
		}
	}
	return func(_ mesh.Type, m proto.Message) proto.Message { return m }
}

// Fleet is a number of local Envoys that are kept running. All methods may be
// called from any goroutine.
type Fleet struct {
	o       FleetOptions
	group   *task.Group
	runners []*runner
	events  chan Event
	changed task.Wakes

	portsMu sync.Mutex
	ports   map[string]string // admin addresses that were chosen, and for which node

	stopOnce sync.Once
	stopping chan struct{}
	stopCtx  context.Context // set before stopping is closed
}

// StartFleet starts the Envoys and returns once each answers on its admin
// interface. When one of them dies before that, the others are ended and the
// error says what it said. The Envoys are kept running until Stop, or, without
// a drain, until ctx ends; Stop must be called in both cases.
func StartFleet(ctx context.Context, o FleetOptions) (*Fleet, error) {
	if o.Nodes < 1 {
		return nil, fmt.Errorf("cannot start %d Envoys", o.Nodes)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for the Envoys' logs: %w", err)
	}
	group, runCtx := task.New(ctx)
	f := &Fleet{
		o: o, group: group, events: make(chan Event, 1024), ports: map[string]string{},
		stopping: make(chan struct{}), stopCtx: context.Background(),
	}
	for i := range o.Nodes {
		f.runners = append(f.runners, newRunner(f, i))
	}
	for _, r := range f.runners {
		group.Go(r.node, func() error { return r.supervise(runCtx) })
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

// Processes are the Envoys as they stand, in the order of their numbers.
func (f *Fleet) Processes() []Process {
	out := make([]Process, len(f.runners))
	for i, r := range f.runners {
		out[i] = r.process()
	}
	return out
}

// Targets are the admin interfaces of the Envoys that run.
func (f *Fleet) Targets() []Target {
	var out []Target
	for _, p := range f.Processes() {
		if p.Admin != "" {
			out = append(out, Target{Node: p.Node, Admin: p.Admin})
		}
	}
	return out
}

// Overlay is FleetOptions.Overlay.
func (f *Fleet) Overlay(nodeID string) func(mesh.Type, proto.Message) proto.Message {
	return f.o.Overlay(nodeID)
}

// Events are what the Envoys tell as it happens. There is one channel; when
// nobody reads it the oldest events are lost.
func (f *Fleet) Events() <-chan Event { return f.events }

// Changed returns a channel that fills when Processes has changed, and what
// ends the subscription.
func (f *Fleet) Changed() (<-chan struct{}, func()) { return f.changed.Changed() }

// Stop drains every Envoy, so that no request is cut, and ends it. When ctx
// ends first, the rest of the drain is skipped: give it a deadline, for a
// request may last for ever. It returns when all processes
// are gone; what it returns is what went wrong while they ran.
func (f *Fleet) Stop(ctx context.Context) error {
	f.stopOnce.Do(func() {
		f.stopCtx = ctx
		close(f.stopping)
	})
	return f.group.Wait()
}

// adminAddress is where a node's admin interface shall listen: where it did
// before when that is still free, else on a free port on loopback, which people
// can open in a browser.
func (f *Fleet) adminAddress(node, before string) (string, error) {
	f.portsMu.Lock()
	defer f.portsMu.Unlock()
	wanted := before
	for range 20 {
		if wanted == "" {
			wanted = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", wanted)
		if err != nil {
			wanted = ""
			continue
		}
		addr := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("a port for %s's admin interface: %w", node, err)
		}
		if owner, ok := f.ports[addr]; ok && owner != node {
			wanted = "" // the other Envoy has not taken it yet
			continue
		}
		f.ports[addr] = node
		return addr, nil
	}
	return "", fmt.Errorf("%s: no free port on 127.0.0.1 for its admin interface", node)
}

// emit hands an event on, at the price of the oldest when nobody listens.
func (f *Fleet) emit(e Event) {
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
