package upstream

import (
	"net/http"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/xds/envoy"
)

// Options are what a cluster needs besides its configuration.
type Options struct {
	Node string            // whose events they are
	Emit func(envoy.Event) // told of every check that changes a state and every ejection; may be nil; must not block
	Now  func() time.Time  // nil is time.Now

	// Failed is told when a part of the cluster stops unexpectedly (a panic in
	// one of its goroutines); may be nil.
	Failed func(error)
}

// Call says how one request is to be sent.
type Call struct {
	Timeout  time.Duration        // for the whole answer, retries included; 0 is none
	Idle     time.Duration        // between two bytes; 0 is none
	Retry    *routev3.RetryPolicy // in force; nil is none
	Hash     *uint64              // for ring hash; nil picks at random
	Priority corev3.RoutingPriority
	AutoHost bool // the endpoint's host name becomes the Host

	// BufferLimit is how many bytes of a request's body are kept so that it can be
	// sent again; 0 is Envoy's 1 MiB. A longer body is sent once.
	BufferLimit   int
	CountAttempts bool // each attempt says in x-envoy-attempt-count the how manieth it is
}

// Answer is what came of a request. Either Response is there, and its body must
// be closed, or Failure.
type Answer struct {
	Response *http.Response
	Failure  *Failure
	Endpoint string // the last one that was asked; "" for none
	Attempts int    // how often a host was looked for, at least 1

	// Flags and Details are Envoy's words for a Response: "URX" or "UO" when it
	// is a failure that could not be retried, else "".
	Flags, Details string
}

// Failure is an answer that the proxy gives itself, with Envoy's own status,
// body and flags (response_flags, response_code_details). Status 0 means that
// the client went away and nobody waits for an answer.
type Failure struct {
	Status     int
	Body       string
	Flags      string // comma-separated: "UF", "URX,UF"
	Details    string
	Overloaded bool // x-envoy-overloaded: true belongs into the answer
}

// Snapshot is a cluster at one moment, as /clusters tells it.
type Snapshot struct {
	Name    string
	Service string // the name under which EDS serves its endpoints; "" when it is Name
	Hosts   []Host
	Stats   map[string]uint64 // below "cluster.NAME.": "upstream_rq_total", "health_check.success", …
}

// Host is one endpoint at one moment.
type Host struct {
	Address, Hostname                                 string
	Weight, Priority                                  uint32
	Region, Zone, SubZone                             string
	EDS                                               corev3.HealthStatus
	FailedCheck, CheckTimeout, PendingCheck, Ejected  bool
	PendingRemoval                                    bool
	DegradedCheck                                     bool // its checks pass, and say that it is degraded
	Requests, Success, Errors, Timeouts               uint64
	Connections, ConnectFailures                      uint64
	ActiveConnections, ActiveRequests, PendingRequest uint64
}
