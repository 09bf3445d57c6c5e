package envoy

import (
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Facts is what one Envoy's admin interface and event pipe told, joined with
// what it was served. It is immutable.
type Facts struct {
	Node      string
	Admin     string     // the address that was asked
	At        time.Time  // of the newest good poll; zero when there was none
	Err       string     // why the newest poll failed; "" when it did not
	Ready     string     // "LIVE", "PRE_INITIALIZING", …; "" unknown
	Version   string     // "1.40.0"
	Endpoints []Endpoint // by cluster, priority, address
	Active    map[mesh.Key]Active
	Rejected  map[mesh.Type]uint64 // update_rejected counters
	Warming   []string             // clusters that are warming
	Draining  int                  // listeners and filter chains whose connections are draining
	// DrainingAt is when Draining was asked for; zero when it never was.
	DrainingAt time.Time
	Clusters   map[string]ClusterStats
	// Traffic is what went through the resources that Envoy counts requests of,
	// between the two newest looks at the counters.
	Traffic map[mesh.Key]Traffic
	// Foreign are the resources that Envoy runs and was not served.
	Foreign map[mesh.Key]Origin
	// Unready is what listeners that warm still wait for, in Envoy's words, by
	// the listener's name.
	Unready map[string][]string
}

// Traffic is the number of requests (of connections, where there are none)
// between two times.
type Traffic struct {
	Requests uint64
	From, To time.Time
}

// Origin is where a resource came from that we did not serve.
type Origin uint8

// The origins that an admin interface can tell apart.
const (
	FromElsewhere Origin = iota + 1 // by xDS or from a file, and not from us
	FromBootstrap                   // static: no xDS replaces it
	LeftOver                        // it was served before and is no more, and Envoy goes on with it
)

// String is the origin in a few words.
func (o Origin) String() string {
	switch o {
	case FromBootstrap:
		return "its bootstrap"
	case LeftOver:
		return "an earlier revision: still running"
	}
	return "another source than meshtui"
}

// Stale reports whether the newest good poll is older than three intervals of
// one second at the time now, so that what it says may no longer be so.
func (f *Facts) Stale(now time.Time) bool { return f.At.IsZero() || now.Sub(f.At) > 3*time.Second }

// ClusterStats is what /clusters counts for a cluster, summed over its hosts.
type ClusterStats struct {
	Requests, Errors, ConnectFailures, ActiveRequests uint64
}

// Health is how an endpoint stands, the worst reason first.
type Health uint8

// The states of an endpoint that /clusters, the event pipe, the health check's
// statistics and the EDS that we served can tell apart together.
const (
	HealthUnknown Health = iota // nothing is known (no poll yet, or not in /clusters)
	Healthy
	Degraded       // EDS says DEGRADED
	NotChecked     // active checks configured, no result yet
	Draining       // EDS says DRAINING
	RemovalPending // gone from EDS, kept by Envoy while its check passes
	Ejected        // outlier detection
	CheckTimeout   // active check times out
	CheckFailed    // active check answered wrongly or could not connect
	EDSTimeout     // EDS says TIMEOUT
	EDSUnhealthy   // EDS says UNHEALTHY
)

// String is the state in one or two words.
func (h Health) String() string {
	names := [...]string{"unknown", "healthy", "degraded", "not checked yet", "draining", "removal pending",
		"ejected", "check times out", "check fails", "EDS timeout", "EDS unhealthy"}
	if int(h) < len(names) {
		return names[h]
	}
	return "unknown"
}

// Takes reports whether an endpoint in this state is picked for new requests
// while others are healthy (panic routing aside).
func (h Health) Takes() bool { return h == Healthy || h == Degraded }

// Endpoint is one host of one cluster as Envoy has it.
type Endpoint struct {
	Cluster                                           string
	Address                                           string // as mesh.Address writes it: "127.0.0.1:9001", "[::1]:80", "/run/app.sock"
	Health                                            Health
	Why                                               string    // in words, with Envoy's own detail: "connection refused", "HTTP 503", "5 consecutive 5xx"
	Since                                             time.Time // of the event that led to Health; zero when no event told it
	Weight                                            uint32
	Priority                                          uint32
	Requests, Errors, ConnectFailures, ActiveRequests uint64
}

// ActiveState is whether what was served is what Envoy runs.
type ActiveState uint8

// The states of a served resource in Envoy, compared by content.
const (
	NotObservable ActiveState = iota // admin is out of reach, or does not show this type
	ActiveSame                       // active, with the content that was served
	ActiveOther                      // active, with other content (drift, an older version, a static resource)
	Warming                          // accepted, not yet taken into use
	Absent                           // Envoy does not have it
	Overridden                       // accepted, and something of that name has precedence: the bootstrap's, or a higher layer of the runtime
	PassedOver                       // Envoy takes no notice of it: an api_listener
)

// String is the state in a few words.
func (a ActiveState) String() string {
	switch a {
	case ActiveSame:
		return "active"
	case ActiveOther:
		return "active with other content"
	case Warming:
		return "warming"
	case Absent:
		return "not in Envoy"
	case Overridden:
		return "overridden"
	case PassedOver:
		return "passed over"
	}
	return "not observable"
}

// Active is the state of one served resource in Envoy.
type Active struct {
	State  ActiveState
	Since  time.Time // when Envoy last updated it, as it says; when it was seen first to be ActiveSame where it does not
	Detail string    // error_state of a listener, or in what the content differs; may be empty
	// Instead is what Envoy runs under that name where it is something else;
	// Envoy has taken private keys out of it. nil where that is not known.
	Instead proto.Message
}
