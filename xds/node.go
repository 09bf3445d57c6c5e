package xds

import (
	"slices"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/plan"
)

// node is one Envoy, its streams, what it is offered, and what it did with it.
// The mutex guards everything below it, the node's streams included. It is held
// for as long as it takes to put one response together, never while sending.
type node struct {
	srv     *Server
	id      string
	overlay Overlay
	wake    chan struct{} // rouses the rollout; holds one

	mu      sync.Mutex
	cluster string
	agent   string
	remote  string
	admin   string
	csds    string
	info    *corev3.Node
	variant Variant
	streams []*stream // in the order in which they came
	since   time.Time // of the present connection, or of its end
	left    bool      // it made way for another node

	group   string
	moved   bool                 // it is in another group than the run took it for
	target  *engine.Revision     // what it is to have of what was published; nil: nothing yet
	aimed   uint64               // the publication that said so
	alone   bool                 // target was published to this node alone
	muted   bool                 // target was taken back: nothing is answered until there is another
	given   map[mesh.Type]string // the versions that came with target
	offered offer
	run     run
	born    time.Time         // when it began with nothing; zero once it serves
	hosts   hosts             // of what is offered; found anew when that changes
	letGo   time.Time         // when a listener last changed or went, while its connections may still drain
	resumes bool              // it runs with what another server gave it
	guess   guess             // what it was taken for by a claim that says little
	items   map[mesh.Key]item // resources with the overlay on; empty without one

	status map[mesh.Key]ResourceStatus
	types  map[mesh.Type]*typeFacts
	doubt  map[mesh.Key]bool             // offered and not accepted, rejected ones included
	bad    map[mesh.Key]bool             // rejected and not yet corrected
	parked map[mesh.Key]bool             // of bad, what the node's words are about: not sent again until it changes
	good   map[mesh.Key]*mesh.Resource   // accepted before a change that is not accepted yet
	ways   map[mesh.Key][]*mesh.Resource // what leads traffic and may be in use: accepted last, and sent since
	view   *Node                         // what State shows; nil when it is out of date
}

// offer is what a node gets when it asks.
type offer struct {
	mesh     *mesh.Mesh
	revision int // 0: nothing was published yet, and nothing is answered
	versions map[mesh.Type]string
	given    map[mesh.Type]string // versions of the caller's own for this node alone
	again    map[mesh.Type]string // what is added to a version of the caller's own, whose content is no longer the same
}

// item is a resource as it goes to this node.
type item struct{ plain, served *mesh.Resource }

// typeFacts are the newest facts about one type on the node's newest stream.
type typeFacts struct {
	sent, acked Fact
	rejected    *Rejection
	gave        []string // the newest versions of the caller's own that were sent
}

func newNode(s *Server, id, cluster string) *node {
	n := &node{srv: s, id: id, cluster: cluster, wake: make(chan struct{}, 1)}
	if s.o.Overlay != nil {
		n.overlay = s.o.Overlay(id)
	}
	n.reset()
	return n
}

// reset forgets what the node was told: it is a new process.
func (n *node) reset() {
	n.offered = offer{versions: map[mesh.Type]string{}, given: map[mesh.Type]string{}, again: map[mesh.Type]string{}}
	n.run = run{seq: n.run.seq}
	n.items = map[mesh.Key]item{}
	n.status = map[mesh.Key]ResourceStatus{}
	n.types = map[mesh.Type]*typeFacts{}
	n.doubt = map[mesh.Key]bool{}
	n.bad = map[mesh.Key]bool{}
	n.parked = map[mesh.Key]bool{}
	n.letGo = time.Time{}
	n.resumes = false
	n.good = map[mesh.Key]*mesh.Resource{}
	n.ways = map[mesh.Key][]*mesh.Resource{}
}

func (n *node) ready() bool { return n.offered.revision > 0 && !n.muted }

// served is a resource filled in and with the overlay on. That is done once;
// where it changes nothing, all nodes share what was marshalled.
func (n *node) served(r *mesh.Resource) *mesh.Resource {
	if n.overlay == nil {
		return n.srv.fills.of(r)
	}
	if it, ok := n.items[r.Key]; ok && (it.plain == r || it.plain.Hash() == r.Hash()) {
		return it.served
	}
	filled := n.srv.fills.of(r)
	it := item{plain: r, served: filled}
	if m := n.overlay(r.Key.Type, filled.Message); m != nil && m != filled.Message {
		if changed, err := mesh.NewResource(m, r.Source); err == nil {
			it.served = changed
		}
	}
	n.items[r.Key] = it
	return it.served
}

// attach gives the node a stream. It reports whether it is the only one.
func (n *node) attach(st *stream, info *corev3.Node, now time.Time) (only bool) {
	only = len(n.streams) == 0
	if only {
		n.since = now
	}
	n.streams = append(n.streams, st)
	n.variant = st.variant
	n.agent = agentOf(info)
	n.remote = remoteOf(st.peer)
	if cluster := info.GetCluster(); cluster != n.cluster {
		n.cluster = strings.Clone(cluster)
		if n.target != nil {
			group, _ := n.target.MeshFor(n.id, n.cluster)
			n.moved = group != n.group
		}
	}
	n.admin = info.GetMetadata().GetFields()[envoy.AdminMetadata].GetStringValue()
	n.csds = info.GetMetadata().GetFields()[envoy.CSDSMetadata].GetStringValue()
	n.info = &corev3.Node{
		Id: info.GetId(), Cluster: info.GetCluster(), Metadata: info.GetMetadata(), Locality: info.GetLocality(),
		UserAgentName: info.GetUserAgentName(), UserAgentVersionType: info.GetUserAgentVersionType(), ClientFeatures: info.GetClientFeatures(),
	}
	return only
}

func (n *node) detach(st *stream, now time.Time) {
	n.streams = slices.DeleteFunc(n.streams, func(o *stream) bool { return o == st })
	if len(n.streams) == 0 {
		n.since = now
	}
}

// remoteOf is where a peer beyond this machine connects from; "" for one on it.
func remoteOf(p Peer) string {
	if p.Remote == nil || local(p.Remote) {
		return ""
	}
	return p.Remote.String()
}

// agentOf is what a node says of itself: "envoy 1.40.0".
func agentOf(info *corev3.Node) string {
	name := info.GetUserAgentName()
	switch v := info.GetUserAgentVersionType().(type) {
	case *corev3.Node_UserAgentVersion:
		name += " " + v.UserAgentVersion
	case *corev3.Node_UserAgentBuildVersion:
		if n := v.UserAgentBuildVersion.GetVersion(); n != nil {
			name += " " + versionText(n.GetMajorNumber(), n.GetMinorNumber(), n.GetPatch())
		}
	}
	return strings.TrimSpace(name)
}

// asks reports whether the node asked for a resource.
func (n *node) asks(k mesh.Key) bool {
	for _, st := range n.streams {
		if s := st.subs[k.Type.URL()]; s != nil && s.wants(k.Name) && n.counts(st) {
			return true
		}
	}
	return false
}

// offer makes a step's mesh the one that the node gets, and marks what changes.
func (n *node) offer(step plan.Step, revision int) {
	fresh := !n.ready() // an older stream has what a new process is given first
	n.offered.mesh, n.offered.revision = step.Mesh, revision
	n.rename(step)
	for t, changes := range step.ByType {
		n.offered.versions[t] = n.srv.nextVersion()
		delete(n.offered.again, t)
		n.remember(changes)
		for _, c := range changes {
			n.unpark(c.Key)
			if c.New == nil {
				n.forget(c.Key)
			}
		}
		for _, st := range n.streams {
			if s := st.subs[t.URL()]; s != nil && (!fresh || n.counts(st)) {
				s.mark(changes)
			}
		}
	}
	n.kick(plan.Order()...)
}

// forget drops the facts about a resource that the node no longer gets.
func (n *node) forget(k mesh.Key) {
	delete(n.items, k)
	delete(n.status, k)
	delete(n.good, k)
	delete(n.doubt, k)
	if n.bad[k] {
		n.exonerate(k)
		n.settle(k.Type)
	}
}

// settle takes the rejection off a type once nothing rejected is left in it.
func (n *node) settle(t mesh.Type) {
	f := n.types[t]
	if f == nil || f.rejected == nil {
		return
	}
	for k := range n.bad {
		if k.Type == t {
			return
		}
	}
	f.rejected = nil
}

// servedNow lists what the node was sent and still has, as it went to it.
func (n *node) servedNow() map[mesh.Key]proto.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[mesh.Key]proto.Message, len(n.status))
	for k := range n.status {
		if r := n.offered.mesh.Get(k); r != nil {
			out[k] = n.served(r).Message
			if k.Type == mesh.Secret {
				out[k] = mesh.Redacted(out[k])
			}
		}
	}
	return out
}

// rouse wakes the node's rollout and everyone who watches the state.
func (n *node) rouse() {
	n.view = nil
	n.nudge()
	n.srv.changed()
}

func (n *node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
