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

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
)

// nodeOptions say what one node is.
type nodeOptions struct {
	id    string
	xds   string
	admin string // where its admin interface listens, as xds/envoy writes it
	delta bool
	emit  func(envoy.Event)
	log   *slog.Logger
	now   func() time.Time
}

// node is one proxy. What it is told comes on one goroutine; what happens by
// itself (a cluster is warm, a listener has drained) on others. The mutex guards
// all of it; requests read nothing but matcher and inUse.
type node struct {
	id      string
	o       nodeOptions
	tasks   *task.Group
	ctx     context.Context
	client  *client.Client
	quit    context.CancelFunc // ends the client alone
	panel   *http.Server       // the admin interface
	started time.Time
	live    chan struct{} // closed when it is ready for traffic

	matcher atomic.Pointer[match.Matcher]
	inUse   atomic.Pointer[map[string]*upstream.Cluster]
	broken  atomic.Uint64 // requests that a panic ended

	mu        sync.Mutex
	closed    bool
	connected bool
	clusters  map[string]*cluster
	gone      map[string]*upstream.Cluster // that went a moment ago
	endpoints map[string]received          // by the name that EDS uses
	routes    map[string]received
	listeners map[string]*listener
	removed   []*generation // that serve until another has their address
	draining  []*generation
	sockets   map[string]*socket
	versions  map[string]string // accepted last, by type URL
	stats     map[string]uint64
	stale     bool                // the world is out of date
	leaving   []*upstream.Cluster // to be closed once the world is up to date
	asked     bool                // for listeners, because clusters came
	firstWarm chan struct{}       // closed when the first clusters are warm
	began     bool                // listeners came
	drained   chan struct{}       // closed when nothing drains any more; nil until the node is stopped
}

// startNode opens the admin interface and begins to ask the control plane. The
// node lives until stop, or until something in it panics; wait tells.
func startNode(parent context.Context, o nodeOptions) (*node, error) {
	n := &node{
		id: o.id, o: o, started: o.now(), live: make(chan struct{}), clusters: map[string]*cluster{}, endpoints: map[string]received{},
		gone:   map[string]*upstream.Cluster{},
		routes: map[string]received{}, listeners: map[string]*listener{}, sockets: map[string]*socket{},
		versions: map[string]string{}, stats: map[string]uint64{},
	}
	n.matcher.Store(match.New(nil))
	n.inUse.Store(&map[string]*upstream.Cluster{})
	var err error
	if n.client, err = client.New(client.Options{XDS: o.xds, Node: o.identity(), Delta: o.delta}, n); err != nil {
		return nil, fmt.Errorf("%s: the control plane's address: %w", o.id, err)
	}
	l, err := net.Listen("unix", o.admin[len("unix:"):])
	if err != nil {
		return nil, fmt.Errorf("%s's admin interface: %w", o.id, err)
	}
	n.tasks, n.ctx = task.New(parent)
	n.panel = &http.Server{Handler: admin.Handler(n.state), ReadHeaderTimeout: time.Second}
	n.client.Subscribe(mesh.Cluster)
	asking, quit := context.WithCancel(n.ctx)
	n.quit = quit
	n.tasks.Go(n.id+"'s admin interface", func() error {
		if err := n.panel.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	n.tasks.Go(n.id+"'s xDS client", func() error { return n.client.Run(asking) })
	n.tasks.Go(n.id+"'s end", func() error {
		<-n.ctx.Done()
		n.close()
		return nil
	})
	return n, nil
}

// identity is how the node introduces itself: as Envoys of meshtui's bootstrap
// do, but by its own name.
func (o nodeOptions) identity() *corev3.Node {
	return &corev3.Node{
		Id: o.id, Cluster: nodeCluster,
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			envoy.AdminMetadata: structpb.NewStringValue(o.admin),
		}},
		UserAgentName:        "meshtui-builtin",
		UserAgentVersionType: &corev3.Node_UserAgentVersion{UserAgentVersion: version},
	}
}

func (n *node) now() time.Time { return n.o.now() }

// locked changes the state, and does what follows from the change.
func (n *node) locked(change func()) {
	for _, up := range n.change(change) {
		up.Close()
	}
}

// change is locked, and returns the clusters that are out of use now.
func (n *node) change(change func()) []*upstream.Cluster {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	change()
	n.settle()
	leaving := n.leaving
	n.leaving = nil
	return leaving
}

// settle brings into use what waited for nothing but what has just come.
func (n *node) settle() {
	for _, l := range n.listeners {
		n.useListener(l)
	}
	n.sweep()
	n.rebuild()
	n.askRoutes()
	if n.ready() {
		closeOnce(n.live)
	}
	if n.drained != nil && len(n.draining) == 0 {
		closeOnce(n.drained)
	}
}

// closeOnce closes a channel that is not closed yet; its closing is guarded by
// the node.
func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// clustersWarm reports whether the first clusters are warm, which listeners
// wait for.
func (n *node) clustersWarm() bool {
	if !n.asked {
		return false
	}
	select {
	case <-n.firstWarm:
		return true
	default:
		return false
	}
}

// ready reports whether the first listeners are in use, or refused.
func (n *node) ready() bool {
	if !n.began || !n.clustersWarm() {
		return false
	}
	for _, l := range n.listeners {
		if l.warming != nil && l.active == nil {
			return false
		}
	}
	return true
}

// isLive reports whether the node has been ready; a listener that warms later
// does not change that.
func (n *node) isLive() bool {
	select {
	case <-n.live:
		return true
	default:
		return false
	}
}

// Take applies a response.
func (n *node) Take(r *client.Response) client.Answer {
	var a client.Answer
	n.locked(func() {
		if a.Err = breach(r); a.Err != nil {
			n.refuse(r.Type)
		} else {
			a = n.apply(r)
		}
		n.count(r.Type, a.Err)
		if a.Err == nil {
			n.versions[r.Type.URL()] = r.Version
		}
	})
	if a.Err != nil {
		n.o.log.Warn("rejected", "type", r.Type.Service(), "version", r.Version, "why", a.Err)
	}
	return a
}

// breach is why a response is refused as a whole: a resource in it breaks a rule
// of its own type, which counts as not readable.
func breach(r *client.Response) error {
	for _, res := range r.Resources {
		if v, ok := res.Message.(interface{ Validate() error }); ok && v.Validate() != nil {
			return accept.Accept(r.Type, res.Message) // in Envoy's words
		}
	}
	return nil
}

func (n *node) apply(r *client.Response) client.Answer {
	switch r.Type {
	case mesh.Cluster:
		return n.takeClusters(r)
	case mesh.Listener:
		return n.takeListeners(r)
	case mesh.Endpoints:
		return n.takeEndpoints(r)
	case mesh.Route:
		return n.takeRoutes(r)
	}
	return client.Answer{} // nothing else is asked for
}

// Refused counts a response that could not be read.
func (n *node) Refused(t mesh.Type, why error) {
	n.locked(func() {
		n.refuse(t)
		n.count(t, why)
	})
	n.o.log.Warn("rejected", "type", t.Service(), "why", why)
}

// refuse ends what waits for a response that was refused as a whole: whoever was
// to get something from it goes on with nothing.
func (n *node) refuse(t mesh.Type) {
	switch t {
	case mesh.Endpoints:
		for service, using := range n.byService() {
			n.endpointsRefused(service, using)
		}
	case mesh.Route:
		for name := range n.routeNames() {
			n.routesRefused(name, n.using(name))
		}
	}
}

// count counts an answer to listeners or clusters, which have one counter each;
// the others are counted where they are used.
func (n *node) count(t mesh.Type, why error) {
	prefix := map[mesh.Type]string{mesh.Cluster: "cluster_manager.cds.", mesh.Listener: "listener_manager.lds."}[t]
	if prefix == "" {
		return
	}
	n.stats[prefix+"update_attempt"]++
	if why != nil {
		n.stats[prefix+"update_rejected"]++
		return
	}
	n.stats[prefix+"update_success"]++
}

// Connected notes that the control plane is there, or is not.
func (n *node) Connected(yes bool) {
	n.locked(func() { n.connected = yes })
}

// fail ends the node.
func (n *node) fail(err error) {
	n.tasks.Go("failing", func() error { return err })
}

// stop drains the listeners and ends the node; at once when ctx ends.
func (n *node) stop(ctx context.Context) {
	n.quit()
	done := make(chan struct{})
	n.locked(func() {
		for _, l := range n.listeners {
			n.giveUp(l)
			if l.active != nil {
				n.freeze(l.active)
				n.retire(l.active)
			}
		}
		n.listeners = map[string]*listener{}
		n.drained = done
	})
	select {
	case <-done:
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	n.tasks.Stop()
}

// wait returns when the node is gone, with what went wrong.
func (n *node) wait() error { return n.tasks.Wait() }

// close gives everything back at once.
func (n *node) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	_ = n.panel.Close()
	for _, s := range n.sockets {
		s.close()
	}
	for _, g := range n.generations() {
		if g.front != nil {
			g.front.close()
		}
	}
	for _, k := range n.clusters {
		for _, b := range k.versions() {
			b.up.Close()
		}
	}
}
