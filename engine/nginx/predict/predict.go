package predict

import (
	"net/netip"

	"example.com/meshtui/engine/nginx/conf"
)

// Request is one request as a client sends it.
type Request struct {
	Address netip.Addr // destination; invalid means any
	Port    uint32     // destination; 0 means the only one, else the first
	TLS     bool
	SNI     string
	Method  string // "" is GET
	Host    string // as sent; "" is a request without one
	Target  string // the request target as sent, query included; "" is "/"
	Headers [][2]string
	HTTP10  bool

	// NoFiles says that nothing lies on nginx's disk, no folder either: then it is
	// known what becomes of a request for a file, and where try_files goes on.
	NoFiles bool
}

// Action is what becomes of a request.
type Action string

// The actions.
const (
	Proxy    Action = "proxy"    // sent upstream
	Redirect Action = "redirect" // answered with a Location
	Return   Action = "return"   // answered by `return`
	Refused  Action = "refused"  // answered by nginx before any location: 400, 414 …
	Static   Action = "static"   // a file would be served: nothing is known of what lies on the disk
	Closed   Action = "closed"   // the connection is closed: nobody listens, `return 444`
	Unknown  Action = "unknown"  // a directive decides that is not followed here; Caveats say which
)

// Answer is what nginx does with a request.
type Answer struct {
	Action   Action
	Steps    []Step
	Server   *conf.Directive // nil where none was reached
	Location *conf.Directive // nil where none was reached; the innermost of nested ones
	Status   int             // 0 where the upstream decides
	Redirect string          // the Location header
	Body     string          // that nginx answers itself, where it is known
	Upstream string          // what proxy_pass names: "app", "127.0.0.1:9001"; "" while Split is open
	Split    []Share         // of split_clients, where they decide
	Sent     string          // the request target that the upstream gets
	Host     string          // the Host that the upstream gets
	Losers   []Loser         // every other location of the server, and the servers of that address
	Caveats  []string        // what may decide otherwise, one sentence each
}

// Share is one part of a split.
type Share struct {
	Upstream string
	Percent  float64
}

// Step is one link of the way.
type Step struct {
	Kind string // "listen", "server", "uri", "location", "action"
	Name string // "location = /x"
	Why  string // one sentence without a full stop: "the longest prefix, and no expression matches"
	At   *conf.Directive
}

// Loser is a server or a location that did not take the request.
type Loser struct {
	Name   string
	Reason string // one sentence without a full stop
	At     *conf.Directive
}
