package xdstest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Envoy is a client with an Envoy's habits, on one aggregated stream: it warms
// clusters, holds the cluster ACK back meanwhile, and asks for more as it
// learns of it.
type Envoy struct {
	t      testing.TB
	stream *Stream
	opts   EnvoyOptions
	tasks  *task.Group

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	holds   map[mesh.Key]*anypb.Any
	took    []Response
	waiting []Response // cluster responses whose answer is held back
	warming map[string]bool
	ready   bool // the first clusters are warm, listeners were asked for
	asked   map[mesh.Type][]string
}

// EnvoyOptions change how an Envoy answers.
type EnvoyOptions struct {
	// Reject returns the words of a NACK, or "" to accept. Nothing of a
	// rejected response is applied.
	Reject func(Response) string
	// Hold is called with each response before it is dealt with, and may block.
	Hold func(Response)
}

// StartEnvoy connects to the server and lives until the test ends.
func StartEnvoy(t testing.TB, addr string, c Config, o EnvoyOptions) *Envoy {
	t.Helper()
	c.Agent = "envoy"
	g, _ := task.New(context.Background())
	e := &Envoy{
		t: t, stream: Dial(t, addr, c).Open(), opts: o, tasks: g, changed: make(chan struct{}),
		holds: map[mesh.Key]*anypb.Any{}, warming: map[string]bool{}, asked: map[mesh.Type][]string{},
	}
	e.stream.lenient = true
	e.stream.Subscribe(mesh.Cluster)
	g.Go("scripted Envoy", func() error { e.live(); return nil })
	t.Cleanup(e.Stop)
	return e
}

// Stop ends the Envoy and its connection.
func (e *Envoy) Stop() {
	e.stream.Close()
	e.stream.c.Close()
	_ = e.tasks.Wait() // live returns nil
}

func (e *Envoy) live() {
	for {
		r, ok, err := e.stream.pop()
		switch {
		case err != nil:
			return
		case ok:
			if e.opts.Hold != nil {
				e.opts.Hold(r)
			}
			e.take(r)
		default:
			<-e.stream.more
		}
	}
}

// take deals with one response as Envoy does.
func (e *Envoy) take(r Response) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.tell()
	e.took = append(e.took, r)
	if e.opts.Reject != nil {
		if words := e.opts.Reject(r); words != "" {
			e.stream.Nack(r, words)
			return
		}
	}
	switch r.Type {
	case mesh.Cluster:
		e.takeClusters(r)
		return
	case mesh.Listener:
		e.apply(r, e.stream.delta == nil)
		e.stream.Ack(r)
		e.ask(mesh.Route)
		return
	case mesh.Endpoints:
		for _, name := range r.Names {
			delete(e.warming, name)
		}
	}
	e.apply(r, false)
	e.stream.Ack(r)
	e.warm()
}

func (e *Envoy) takeClusters(r Response) {
	before := maps.Clone(e.holds)
	e.apply(r, e.stream.delta == nil)
	for _, name := range r.Names {
		k := mesh.Key{Type: mesh.Cluster, Name: name}
		same := before[k] != nil && slices.Equal(before[k].GetValue(), r.Resources[name].GetValue())
		if eds := edsName(r.Resources[name]); eds != "" && !same {
			e.warming[eds] = true
		}
	}
	wanted := e.names(mesh.Endpoints)
	for name := range e.warming {
		if !slices.Contains(wanted, name) {
			delete(e.warming, name)
		}
	}
	if !e.ready { // before it is initialised the answer comes at once
		e.stream.Ack(r)
	} else {
		e.waiting = append(e.waiting, r)
	}
	e.ask(mesh.Endpoints)
	e.warm()
}

// warm answers what was held back once nothing is warming.
func (e *Envoy) warm() {
	if len(e.warming) > 0 {
		return
	}
	if e.stream.delta == nil && len(e.waiting) > 1 {
		e.waiting = e.waiting[len(e.waiting)-1:]
	}
	for _, r := range e.waiting {
		e.stream.Ack(r)
	}
	e.waiting = nil
	if !e.ready {
		e.ready = true
		e.stream.Subscribe(mesh.Listener)
	}
}

// apply takes a response over; whole says that what is missing in it is gone.
func (e *Envoy) apply(r Response, whole bool) {
	if whole {
		maps.DeleteFunc(e.holds, func(k mesh.Key, _ *anypb.Any) bool { return k.Type == r.Type })
	}
	for name, a := range r.Resources {
		e.holds[mesh.Key{Type: r.Type, Name: name}] = a
	}
	for _, name := range r.Removed {
		delete(e.holds, mesh.Key{Type: r.Type, Name: name})
	}
}

// names lists what the clusters and listeners that it holds refer to.
func (e *Envoy) names(t mesh.Type) []string {
	var names []string
	for k, a := range e.holds {
		msg, err := a.UnmarshalNew()
		if err != nil || (k.Type != mesh.Cluster && k.Type != mesh.Listener) {
			continue
		}
		r, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			continue
		}
		for _, ref := range mesh.References(r) {
			if ref.To.Type == t {
				names = append(names, ref.To.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ask brings the subscription to a type in line with what is referred to.
func (e *Envoy) ask(t mesh.Type) {
	names, before := e.names(t), e.asked[t]
	if slices.Equal(names, before) {
		return
	}
	e.asked[t] = names
	if e.stream.delta == nil {
		e.stream.Subscribe(t, names...)
		return
	}
	added := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(before, n) })
	gone := slices.DeleteFunc(slices.Clone(before), func(n string) bool { return slices.Contains(names, n) })
	for _, name := range gone {
		delete(e.holds, mesh.Key{Type: t, Name: name})
	}
	if len(added) > 0 {
		e.stream.Subscribe(t, added...)
	}
	if len(gone) > 0 {
		e.stream.Unsubscribe(t, gone...)
	}
}

func (e *Envoy) tell() {
	close(e.changed)
	e.changed = make(chan struct{})
}

func edsName(a *anypb.Any) string {
	var c clusterv3.Cluster
	if a.UnmarshalTo(&c) != nil || c.GetType() != clusterv3.Cluster_EDS {
		return ""
	}
	if name := c.GetEdsClusterConfig().GetServiceName(); name != "" {
		return name
	}
	return c.GetName()
}

// Holds is what the Envoy has now.
func (e *Envoy) Holds() map[mesh.Key]*anypb.Any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.holds)
}

// Took lists every response that came, in order.
func (e *Envoy) Took() []Response {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.took)
}

// Await waits until what the Envoy holds is as wanted; it fails the test when
// that does not come to be.
func (e *Envoy) Await(what string, cond func(holds map[mesh.Key]*anypb.Any) bool) {
	e.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		e.mu.Lock()
		ok, changed := cond(e.holds), e.changed
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			e.t.Fatalf("%s never came to %s", e.stream.c.config.ID, what)
		}
	}
}
