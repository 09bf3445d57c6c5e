package truth

import (
	"time"

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

// The verdicts, from bad to good; the first that fits is given.
const (
	Rejected      Verdict = iota + 1 // the node refused the version that is served, and has an older one or none
	Overridden                       // accepted, but the node runs something else of that name: its bootstrap's, or another controller's
	Drifted                          // accepted, and active with other content than was served
	Missing                          // accepted, and not in the node
	Stuck                            // warming for longer than is usual: Says names what it waits for
	Unsent                           // part of the revision, and not sent yet
	Sent                             // sent and not answered
	WaitingToWarm                    // sent, and the answer is withheld until clusters are warm; or accepted and warming
	PassedOver                       // this kind of client takes no notice of it (an api_listener in Envoy)
	Unobservable                     // accepted; whether it is active cannot be seen
	Active                           // accepted, and active with the content that was served
	Carrying                         // active, and requests go through it
)

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
	// Partly says of a resource that came in a rejected response and was named
	// in no word of it whether the node took it all the same.
	Partly bool
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
}

// Node is the truth about one node at one time.
type Node struct {
	ID        string
	Connected bool
	At        time.Time // when it was put together
	Seen      time.Time // of the newest good look into the node itself; zero for none
	Why       string    // why it cannot be looked into; "" when it can
	Types     []Type    // those that the node asked for or that it has something of, in the order of mesh.Types
	Resources []Resource
	Worst     Verdict
}

// Of joins what the stream says about a node with what its admin interface says;
// f may be nil. offered is what the revision has for the node, in which resources
// that are not sent yet stand; nil leaves them out.
func Of(n *xds.Node, f *envoy.Facts, offered *mesh.Mesh, now time.Time) *Node {
	return join(n, f, offered, now)
}
