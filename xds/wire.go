package xds

import (
	"time"

	"example.com/meshtui/engine/mesh"
)

// MessageKind is what a message of the wire is.
type MessageKind uint8

// The kinds of messages.
const (
	Connected    MessageKind = iota + 1 // a stream opened
	Disconnected                        // a stream closed
	Request                             // node → us: a first request or a change of subscription
	Response                            // us → node: a DiscoveryResponse, SotW or delta
	ACK                                 // node → us: accepted
	NACK                                // node → us: rejected, Detail has the words
	StaleACK                            // node → us: an answer to a nonce that was superseded
	Refused                             // a stream was ended by us, Detail says why; the same is told twice a minute at most
)

// String is the kind in one word.
func (k MessageKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Request:
		return "request"
	case Response:
		return "response"
	case ACK:
		return "ACK"
	case NACK:
		return "NACK"
	case StaleACK:
		return "stale ACK"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Message is one entry of the wire.
type Message struct {
	Seq      uint64 // 1-based and without gaps
	At       time.Time
	Node     string
	Stream   int64
	Variant  Variant
	Kind     MessageKind
	Type     mesh.Type // 0 for a type that meshtui does not serve; see TypeURL
	TypeURL  string
	Version  string // of the response, or of the response that is answered; of a request, what the node holds
	Nonce    string
	Names    []string      // resources in a response, names asked for in a request; of an answer, what was new in the response, or all of it
	Removed  []string      // delta: removed_resources, virtual hosts said not to exist, or unsubscribed names; of an answer, those of the response
	Changed  int           // response: how many of Names are new to this node in this version
	Revision int           // response and its answer: the revision that it belongs to
	Detail   string        // NACK: the node's words, cleaned; otherwise a remark or ""
	RTT      time.Duration // ACK and NACK: since the response was sent
	Bytes    int           // marshalled size
}
