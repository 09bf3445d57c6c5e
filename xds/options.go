package xds

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// Overlay is what meshtui adds for one node when it serves a resource: another
// port, a telemetry cluster. It returns m itself when it adds nothing, else a
// changed clone; m must not be touched. It must give the same answer each time.
type Overlay func(t mesh.Type, m proto.Message) proto.Message

// Peer is who opened a stream, as it says itself and as TLS proves.
type Peer struct {
	NodeID, NodeCluster string
	Remote              net.Addr // nil when the connection does not tell
	// Certificates are the verified chain, the peer's own first; nil without TLS.
	Certificates []*x509.Certificate
}

// Options say how a Server behaves. The zero Options are usable.
type Options struct {
	// Overlay is asked once for each node; nil, or a nil answer, adds nothing.
	Overlay func(nodeID string) Overlay
	// StepDeadline is how long a step may wait for a node's answers before the
	// rollout is shown as timed out; 0 means 20 s, which is above the 15 s
	// after which Envoy gives up waiting for a resource by itself.
	StepDeadline time.Duration
	// Draining is asked how many listeners and filter chains of a node still
	// drain, and when that was so; ok is false when it is not known. After a
	// listener changed or went, connections that are drained use the old routes
	// and clusters, which are kept until none is left. nil knows nothing. It is
	// asked often while a rollout waits for that, must not block, and must not
	// call the Server.
	Draining func(nodeID string) (draining int, at time.Time, ok bool)
	// Warming is asked which clusters of a node are warming, and when that was so;
	// ok is false when it is not known. nil knows nothing: then it is worked out
	// from what the node was sent and has answered. It is asked often while an
	// answer is withheld, must not block, and must not call the Server.
	Warming func(nodeID string) (clusters []string, at time.Time, ok bool)
	// DrainWait is for how long what such connections use is kept where Draining
	// does not know; 0 means 15 s, less than 0 no time at all. It should be
	// longer than the --drain-time-s of the Envoys.
	DrainWait time.Duration
	// Unsequenced sends a revision at once, removals included, and waits for
	// nothing in between. It exists to show what sequencing is good for.
	Unsequenced bool
	// ForgetAfter is how long a node that left stays in State; 0 means 10 min.
	ForgetAfter time.Duration
	// MaxNodes is how many nodes are remembered, connected or not; 0 means
	// 4,096. A node beyond it takes the place of one that left, or is refused.
	MaxNodes int
	// MaxNames is how many names one subscription may hold; 0 means 65,536. One
	// name more ends the stream with ResourceExhausted. Virtual hosts that are asked
	// for on demand do not count: they are answered and not remembered, since their
	// names are what somebody wrote into the Host header of a request.
	MaxNames int
	// Versions gives the version_info (SotW) or system_version_info (delta) of
	// what a node gets of a type in a revision. nil, or "" for an answer, is
	// "<boot>-<n>", where boot is another for each Server. It is asked once for
	// each type that a step changes, must not block, and must not call the Server.
	//
	// A node that comes back is known by the version that it holds. One of the
	// caller's own is taken for this server's when the node was given it here, as
	// one of the newest of its type, and else for a forerunner's. So versions that
	// repeat over a restart are safe; a text that stands for two contents of one
	// type is not, since a node tells with it what it accepted.
	Versions func(nodeID string, t mesh.Type, revision int) string
	// Allow is asked on the first request of each stream. An error refuses the
	// stream with PermissionDenied, and the node is told its text. nil allows all.
	Allow func(Peer) error
	// TLS is what Serve speaks on its listener; nil is none. Serve refuses a
	// listener beyond this machine unless TLS demands and verifies a client's
	// certificate.
	TLS *tls.Config
	// Register adds further services to those at the same address.
	Register func(grpc.ServiceRegistrar)
	// Fill says what is served in place of a resource: a secret with its files
	// read in. nil, or nil or the same message for an answer, is the resource as
	// it is. It must answer the same until Refill, and must not block for long or
	// call the Server. What it fills in lies below the overlay, and is nowhere shown:
	// State and facts are those of the resource as it was published.
	Fill func(*mesh.Resource) proto.Message
	// OnOutcome is told how a revision stands, each time that changes. It is
	// called from one goroutine, in order, and may take its time.
	OnOutcome func(revision int, o engine.Outcome)
	// OnError is told of a stream that ended in a panic. It must not block.
	OnError func(error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	// firstRequest is how long a stream may say nothing, and a connection may take
	// to be one: who comes has something to ask.
	firstRequest = 10 * time.Second

	defaultStepDeadline = 20 * time.Second
	defaultDrainWait    = 15 * time.Second
	defaultForgetAfter  = 10 * time.Minute
	defaultMaxNodes     = 4096
	defaultMaxNames     = 65_536

	// holdBack is how long a newer response waits for the answer to the one
	// before, so that a burst of revisions becomes few responses. It ends, since
	// a node may withhold an answer for long, and what comes next may be its cure.
	holdBack = 200 * time.Millisecond

	maxNodeID      = 1024    // bytes; an id is a name, not a payload
	maxName        = 4096    // bytes of the name of a resource
	maxStreamTypes = 32      // distinct type URLs on one stream
	maxNode        = 1 << 20 // bytes of what a node says of itself; an Envoy's is 61 KB
	maxStreams     = 8192    // of one node, and on one connection: without ADS an Envoy has one for each EDS cluster
	maxUnanswered  = 1000    // responses of one type on one stream that are remembered without an answer
)

func (o Options) withDefaults() Options {
	if o.StepDeadline <= 0 {
		o.StepDeadline = defaultStepDeadline
	}
	if o.DrainWait == 0 {
		o.DrainWait = defaultDrainWait
	}
	if o.ForgetAfter <= 0 {
		o.ForgetAfter = defaultForgetAfter
	}
	if o.MaxNodes <= 0 {
		o.MaxNodes = defaultMaxNodes
	}
	if o.MaxNames <= 0 {
		o.MaxNames = defaultMaxNames
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
