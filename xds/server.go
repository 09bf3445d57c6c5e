package xds

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/plan"
)

const (
	maxMessage   = 32 << 20               // bytes of one request
	stopPatience = 500 * time.Millisecond // how long streams may take to end by themselves
)

// Server is an xDS management server: it rolls published revisions out to the
// nodes that connect and keeps the facts about what each did with them. It
// implements engine.Publisher.
type Server struct {
	o        Options
	boot     string // tells the versions of this process from those of any other
	versions atomic.Uint64
	first    atomic.Pointer[engine.Revision] // the first that was published; tells what nodes were served before
	tracker  *tracker
	wire     *Wire
	plans    plan.Memory
	outcomes *outcomes
	facts    facts
	furthers map[string]bool // services that Options.Register added; set before any call
	fills    fills
	names    *nameLists

	mu        sync.Mutex
	revision  *engine.Revision
	published uint64         // how many times something was published
	own       map[string]own // by node id: what was published to one node alone
	ownNumber int            // of the newest of these
	nodes     map[string]*node
	list      []*node     // nodes by id, shared and not to be changed; nil when it is out of date
	tasks     *task.Group // nil when not serving
	tasksCtx  context.Context
	address   string
}

var _ engine.Publisher = (*Server)(nil)

// New makes a server that has nothing to serve yet: nodes that connect before
// the first Publish wait for it.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), boot: newBoot(), nodes: map[string]*node{}, own: map[string]own{}, names: newNameLists(), wire: newWire(maxWireMessages, maxWireBytes)}
	s.tracker = newTracker(s)
	s.fills.fill = s.o.Fill
	s.outcomes = newOutcomes(s)
	s.facts.init(s.o.Now())
	return s
}

// newBoot is 8 hex digits that no other run of a server has.
func newBoot() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// bind ties a stream to its node, which is made if it is not known.
func (s *Server) bind(st *stream, info *corev3.Node, has claim) error {
	n, err := s.nodeFor(info)
	if err != nil {
		return err
	}
	defer n.mu.Unlock()
	if len(n.streams) >= maxStreams {
		return status.Errorf(codes.ResourceExhausted, "node %q has %d streams open, and no more are taken", n.id, len(n.streams))
	}
	st.node = n
	now := s.o.Now()
	n.meet(st, has, n.attach(st, info, now), now)
	if !n.ready() && n.target != nil {
		n.startRun(now)
	}
	s.wire.add(Message{At: now, Node: n.id, Stream: st.id, Variant: st.variant, Kind: Connected, TypeURL: st.url, Detail: n.agent}, nil)
	n.rouse()
	return nil
}

// nodeFor finds or makes the node, and returns it locked, so that it is not
// forgotten before it has its stream. There is room for so many; one that left
// makes way for one that comes.
func (s *Server) nodeFor(info *corev3.Node) (*node, error) {
	id := strings.Clone(info.GetId())
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[id]; n != nil {
		n.mu.Lock()
		return n, nil
	}
	if len(s.nodes) >= s.o.MaxNodes && !s.makeRoom() {
		return nil, status.Errorf(codes.ResourceExhausted, "%d nodes are connected, and no more are taken", len(s.nodes))
	}
	n := newNode(s, id, strings.Clone(info.GetCluster()))
	s.nodes[id], s.list = n, nil
	n.mu.Lock()
	s.goal(n)
	s.drive(n)
	return n, nil
}

// drive starts the node's rollout; s.mu is held.
func (s *Server) drive(n *node) {
	if s.tasks != nil {
		ctx := s.tasksCtx
		s.tasks.Go("rollout to "+n.id, func() error { return n.rollout(ctx) })
	}
}

// makeRoom forgets the node that left first; s.mu is held.
func (s *Server) makeRoom() bool {
	var oldest *node
	var since time.Time
	for _, n := range s.nodes {
		n.mu.Lock()
		if len(n.streams) == 0 && (oldest == nil || n.since.Before(since)) {
			oldest, since = n, n.since
		}
		n.mu.Unlock()
	}
	if oldest == nil {
		return false
	}
	delete(s.nodes, oldest.id)
	s.list = nil
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	oldest.left = true
	oldest.nudge() // its rollout ends
	return true
}

// drop forgets a node without streams, and reports whether it is forgotten.
func (s *Server) drop(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.nodes[n.id] != n {
		return true
	}
	if len(n.streams) > 0 || s.o.Now().Sub(n.since) < s.o.ForgetAfter {
		return false
	}
	delete(s.nodes, n.id)
	s.list = nil
	s.changed()
	return true
}

// nodeList lists the nodes by id, to be read only; s.mu is held.
func (s *Server) nodeList() []*node {
	if s.list == nil {
		s.list = slices.SortedFunc(maps.Values(s.nodes), func(a, b *node) int { return strings.Compare(a.id, b.id) })
	}
	return s.list
}

func (s *Server) allNodes() []*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodeList()
}

// Served is what a node was sent and still has, as it went over the wire: with
// the overlay on, except that private keys in secrets read "[redacted]". The
// messages are read-only. It is nil for an unknown node.
func (s *Server) Served(nodeID string) map[mesh.Key]proto.Message {
	s.mu.Lock()
	n := s.nodes[nodeID]
	s.mu.Unlock()
	if n == nil {
		return nil
	}
	return n.servedNow()
}

// Wire is the recorded conversation.
func (s *Server) Wire() *Wire { return s.wire }
