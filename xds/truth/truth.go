package truth

import (
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// Source is who told a fact.
type Source uint8

// The sources of facts, by how directly they see what the node does.
const (
	Stream Source = iota + 1 // the xDS stream: what was sent, and what the node answered
	Admin                    // the node's own admin interface, or its CSDS
)

// Mark is one fact: that something is so, since when, and who says so. The zero
// Mark is that it is not, or that it is not known.
type Mark struct {
	At     time.Time // when it came about; when it was seen first where the source does not say
	Source Source
}

// Yes reports whether the fact holds.
func (m Mark) Yes() bool { return m.Source != 0 }

// Verdict is what the facts about one resource on one node come to.
type Verdict uint8

// The verdicts, from bad to good.
const (
	Rejected      Verdict = iota + 1 // the node refused the version that is served, and has an older one or none
	Overridden                       // accepted or not asked for, and the node runs something else of that name: its bootstrap's, or another controller's
	Drifted                          // accepted, and active with other content than was served
	Missing                          // accepted, and not in the node
	Stuck                            // warming for longer than is usual: Says names what it waits for
	Unsent                           // part of the revision, and not sent yet
	Sent                             // sent and not answered
	WaitingToWarm                    // sent, and the answer is withheld until clusters are warm; or accepted and warming
	Unasked                          // nothing in the node asks for it
	PassedOver                       // this kind of client takes no notice of it (an api_listener in Envoy)
	Unobservable                     // accepted; whether it is active cannot be seen
	Active                           // active with the content that was served
	Carrying                         // active, and requests go through it
)

// String is the verdict in one to three words, "unknown" for none of them.
func (v Verdict) String() string {
	words := [...]string{"unknown", "rejected", "overridden", "drifted", "missing", "stuck in warming", "not sent yet", "sent",
		"waiting for warm", "not asked for", "passed over", "not observable", "active", "carrying traffic"}
	if int(v) < len(words) {
		return words[v]
	}
	return words[0]
}

// Resource is everything known of one resource on one node: a set of facts, not
// one state. On ADS a cluster warms before its ACK comes, and a rejected
// response may be half applied.
type Resource struct {
	Key      mesh.Key
	Revision int // in which it was served last; 0 when it was not

	Served   Mark // sent to the node in the version that is offered
	Acked    Mark // that version was accepted
	Warming  Mark
	Active   Mark // the node runs it with the content that was served
	Carrying Mark // requests went through it between the two newest looks
	Rejected Mark

	Verdict Verdict
	Says    string // the verdict in one short sentence, with what it waits for or in what it differs
	Words   string // the node's own words, for Rejected; "" otherwise
	// Instead is what the node runs under that name where that is something
	// else, as the node shows it: without private keys. nil when it is not known.
	Instead proto.Message
	// Partly says of a resource that came in a rejected response that the node
	// took it all the same.
	Partly bool
	// Requests is how many went through it between the two newest looks at its
	// counters; Counted says that it has such counters.
	Requests uint64
	Counted  bool
}

// Type is the conversation about one type with one node, summed up.
type Type struct {
	Type           mesh.Type
	Subscribed     int // names asked for; -1 for all
	Version, Nonce string
	Sent, Acked    Mark
	Rejected       Mark
	Words          string
	Resources      int
	Worst          Verdict // among its resources; 0 for none
	// Refusals is how many updates of the type the node says to have refused
	// since it was started, whoever sent them.
	Refusals uint64
}

// Foreign is something that a node runs and that meshtui did not serve to it.
type Foreign struct {
	Key    mesh.Key
	Origin envoy.Origin
}

// Node is the truth about one node at one time.
type Node struct {
	ID        string
	Connected bool
	At        time.Time // when it was put together
	Seen      time.Time // of the newest good look into the node itself; zero for none
	Stale     bool      // Seen is too old to say how things are now
	Why       string    // why it cannot be looked into; "" when it can
	Types     []Type    // those that the node asked for or that it has something of, in the order of mesh.Types
	Resources []Resource
	Foreign   []Foreign // by type and name
	Worst     Verdict   // among the resources; 0 for none
}

// Of joins what the stream says about a node with what its admin interface says;
// f may be nil. offered is what the revision has for the node, in which resources
// that are not sent yet stand; nil leaves them out.
func Of(n *xds.Node, f *envoy.Facts, offered *mesh.Mesh, now time.Time) *Node {
	return join(n, f, offered, now)
}
