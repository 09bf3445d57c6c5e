package tui

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// Waker is whoever wakes the screen when it has something new: a channel of
// one slot for each subscriber, and the function that ends the subscription.
type Waker interface {
	Changed() (<-chan struct{}, func())
}

// Workspace is what the screen shows and edits; *engine.Workspace is one.
type Workspace interface {
	Waker
	State() *engine.State
	Edit(group string, edits ...engine.Edit) error
	Undo() error
	Redo() error
	Discard() error
	Push(engine.PushOptions) (*engine.Revision, error)
	Rollback(number int) (*engine.Revision, error)
	Widen() (*engine.Revision, error)
	Cancel() (*engine.Revision, error)
	Save(dir string) error
	TakeDisk() error
	DismissDisk()
	Keep(kept.Request) error
	Forget(name string) error
	EditNginx(group string, shown *nginx.Config, edited string) (*merge.Change, error)
}

// WireReader reads the recorded conversation; *xds.Wire is one.
type WireReader interface {
	Since(seq uint64, max int) (msgs []xds.Message, dropped uint64)
	Body(seq uint64) (proto.Message, bool)
}

// Nodes are the Envoys and what was said to them.
type Nodes interface {
	Waker
	State() *xds.State
	Wire() WireReader
}

// Evidence is what the Envoys' admin interfaces tell. Facts is nil for a node
// that nothing is known of.
type Evidence interface {
	Waker
	Facts(node string) *envoy.Facts
}

// DataPlane are the proxies that meshtui started itself.
type DataPlane interface {
	Waker
	Describe() string  // "Envoy 1.40.0 (.tools/envoy), 1 node"; "" when none was started
	Notices() []Notice // what is amiss: starting, restarting, dead and why
	Nodes() []string   // the ids that they have as nodes
}

// Notice is one sentence that stays on screen for as long as it is so.
type Notice struct {
	Bad  bool
	Text string
}

// Traffic is the load that meshtui itself sends, and its answers.
type Traffic interface {
	Waker
	Snapshot() TrafficSnapshot
}

// TrafficSnapshot is the load at one moment.
type TrafficSnapshot struct {
	RPS      float64 // requests a second
	Errors   float64 // share of them that failed or were answered 5xx, 0 to 1
	Codes    map[int]uint64
	Backends []Backend
	Last     []Answer // newest last
}

// Backend is one server behind the mesh that meshtui runs itself.
type Backend struct {
	Name    string  // "app-v1-a"
	Address string  // as in the endpoints: "127.0.0.1:9001"
	Version string  // "v1"
	Share   float64 // of the answered requests, 0 to 1
	RPS     float64
	State   string // "up", "down", "slow"
}

// Answer is one answered request of the load.
type Answer struct {
	At      time.Time
	Code    int
	Backend string // who answered; "" for Envoy itself
	Flags   string // Envoy's response flags; "" for none
}

// Lab is what can be done to the demo's backends, named as in TrafficSnapshot.
type Lab interface {
	Backends() []Backend
	Kill(name string) error
	Revive(name string) error
	Slow(name string) error
	Add(cluster string) (address string, err error) // starts one more; its address is then added to the draft
}

// Trier really sends a request to a node, the way a client would, and tells
// what came back. Try is called from a goroutine of its own; ctx ends when the
// operator no longer waits for the answer.
type Trier interface {
	Try(ctx context.Context, node string, r match.Request) Tried
}

// Tried is what became of a request that was really sent.
type Tried struct {
	Node, Address string // who was asked, and where it listens
	Sent          match.Request
	Status        int // 0 when there was no answer
	Proto         string
	Location      string
	Headers       []routes.Header
	Body          string // its first 4 KiB
	Answered      string // "127.0.0.1:9001 (app-v1-a)"; "Envoy" when the proxy answered itself; "" unknown
	Took          time.Duration
	Moved         []Moved // the admin interface's counters that the request moved
	Busy          bool    // other traffic ran meanwhile, so Moved may hold others' requests
	Err           string  // why there was no answer
}

// Moved is how many requests an endpoint was asked between two looks at the
// admin interface.
type Moved struct {
	Cluster, Endpoint string
	Requests          uint64
}

// Deps are the parts that the screen shows. Workspace and Nodes must be there;
// each of the others may be nil, and then what it tells is not shown.
type Deps struct {
	Workspace Workspace
	Nodes     Nodes
	Evidence  Evidence
	DataPlane DataPlane
	Traffic   Traffic
	Lab       Lab
	Trier     Trier
	NoTrier   string                         // why Trier is nil; "" says it in general
	Product   string                         // what the processes that DataPlane tells of call themselves; "" is "Envoy"
	Project   func(*mesh.Mesh) *nginx.Config // nil is nginx.Project
	// Truth is what the stream and the node itself say of everything on a node,
	// joined; it returns nil for a node that is not known. It is asked again when
	// the node's state or facts have changed, and once a second.
	Truth func(node string) *truth.Node
	// Findings are what is amiss besides the draft: with the files that secrets
	// are read from. They are asked for with every picture.
	Findings func() []mesh.Finding
	// Plan says in one sentence a step how a group's nodes get from one mesh to
	// another; the first may be empty. It may take its time.
	Plan func(from, to *mesh.Mesh) []string
	// Friends finds where nginx and Envoy part although they look alike; nil is
	// friends.Of.
	Friends func(*mesh.Mesh, *nginx.Config) []friends.Friend
	// Foretell reads an nginx.conf and says what nginx would do by it; nil is
	// predict.New.
	Foretell func(*conf.Config) Foreteller
	// Own is the nginx.conf that the workspace was opened from; nil, or returning nil,
	// where it was opened from anything else. It may take its time.
	Own func() *OwnNginx
	// Nginx is a real nginx beside the Envoys; NoNginx says why it is nil.
	Nginx   Nginx
	NoNginx string
	// Contest makes one change in both worlds; nil where meshtui runs no clients of
	// its own.
	Contest Contest
}

// Options say how the screen looks and where it puts things.
type Options struct {
	ASCII      bool             // borders and glyphs from ASCII alone
	ScratchDir string           // where texts lie while they are edited; "" is the system's temp folder
	Editor     string           // "" asks VISUAL, EDITOR, then takes vi
	Now        func() time.Time // nil is time.Now
	Still      bool             // no clock of its own: for tests and for reduced motion
}
