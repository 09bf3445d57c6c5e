package xds

import (
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// Overlay is what meshtui adds for one node when it serves a resource: another
// port, a telemetry cluster. It returns m itself when it adds nothing, else a
// changed clone; m must not be touched. It must give the same answer each time.
type Overlay func(t mesh.Type, m proto.Message) proto.Message

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
	// OnOutcome is told how a revision stands, each time that changes. It is
	// called from one goroutine, in order, and may take its time.
	OnOutcome func(revision int, o engine.Outcome)
	// OnError is told of a stream that ended in a panic. It must not block.
	OnError func(error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	defaultStepDeadline = 20 * time.Second
	defaultDrainWait    = 15 * time.Second
	defaultForgetAfter  = 10 * time.Minute
	defaultMaxNodes     = 4096

	// holdBack is how long a newer response waits for the answer to the one
	// before, so that a burst of revisions becomes few responses. It ends, since
	// a node may withhold an answer for long, and what comes next may be its cure.
	holdBack = 200 * time.Millisecond

	maxNodeID      = 1024 // bytes; an id is a name, not a payload
	maxStreamTypes = 32   // distinct type URLs on one stream
	maxUnanswered  = 1000 // responses of one type on one stream that are remembered without an answer
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
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
