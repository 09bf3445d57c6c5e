package xds

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// Variant is how a node speaks xDS on one stream.
type Variant uint8

// The variants: state of the world or delta, aggregated or one stream a type.
const (
	SotWADS Variant = iota + 1
	SotW
	DeltaADS
	Delta
)

// String names the variant: "SotW ADS", "SotW", "delta ADS", "delta".
func (v Variant) String() string {
	switch v {
	case SotWADS:
		return "SotW ADS"
	case SotW:
		return "SotW"
	case DeltaADS:
		return "delta ADS"
	case Delta:
		return "delta"
	}
	return "unknown"
}

// State is the server at one moment. It is immutable.
type State struct {
	Address  string  // what the server listens on: "unix:/path" or "127.0.0.1:18000"; "" before it listens
	Revision int     // the newest published, 0 before the first
	Nodes    []*Node // by id; those that left stay until ForgetAfter, with Connected false
	At       time.Time
}

// Node is the node with that id, or nil.
func (s *State) Node(id string) *Node {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Node is one Envoy (or other xDS client) and the facts about it.
type Node struct {
	ID, Cluster string
	Group       string
	Agent       string // "envoy 1.40.0", as the node says of itself; "" when it does not
	Admin       string // admin address from the node's metadata ("127.0.0.1:9901" or "unix:/path"); "" unknown
	CSDS        string // where a gRPC client tells its own status, from the node's metadata; "" unknown
	// Info is what the node said of itself on its newest stream, without the
	// extensions that it knows, which are many. It must not be changed.
	Info      *corev3.Node
	Remote    string // where it connects from, when that is beyond this machine; "" else
	Variant   Variant
	Connected bool
	Since     time.Time // of the present connection, or of its end
	Streams   int
	Revision  int // what the node is to have of what was published; 0: nothing yet
	Rollout   Rollout
	Types     map[mesh.Type]TypeStatus
	Resources Resources
}

// Rollout is one revision on its way to one node.
type Rollout struct {
	Revision int
	Result   engine.Result
	Step     int    // 1-based number of the step under way; 0 when done
	Steps    int    // how many there are in all
	Waiting  string // what the step waits for, in words; "" when done
	// Warming are the clusters for which the node withholds its answer, as far as
	// that can be told: those of the step that may not be warm yet.
	Warming []string
	Detail  string // Envoy's words when rejected; what stayed unanswered when timed out
	Started time.Time
	Ended   time.Time // zero while under way
}

// Fact is that something happened to a version, and when. The zero Fact is
// that it has not.
type Fact struct {
	Version string
	Nonce   string
	At      time.Time
}

// TypeStatus is the conversation about one type on one node.
type TypeStatus struct {
	Subscribed []string // names asked for; empty with Wildcard
	Wildcard   bool
	Sent       Fact
	Acked      Fact
	Rejected   *Rejection // the newest, nil once a later version was accepted
}

// ResourceStatus is what is known of one resource on one node from the stream
// alone. It is a set of facts, not one state: whether it is active comes from
// the node's admin interface.
type ResourceStatus struct {
	Hash     string // of the content that was served last, without the overlay
	Revision int    // in which it was served last
	Served   Fact
	Acked    Fact
	Rejected *Rejection // of the served version; nil otherwise
}

// Rejection is a NACK in the node's own words.
type Rejection struct {
	Fact
	Detail    string     // cleaned of Envoy's random debug prefixes
	Raw       string     // as it came
	Resources []mesh.Key // what the rejected response held that was new; the culprit is among them
	Sent      int        // how many times this version went to the node; 1 unless something is wrong
}
