package match

import (
	"net/netip"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// Request is one HTTP request as a client sends it.
type Request struct {
	// Where it is sent to. Listener names one; else Port and Address find it as
	// a connection would. With neither, the only listener is taken, else the one
	// on the port that the Host names, else the one on the scheme's port.
	Listener string
	Address  netip.Addr // destination; invalid means any
	Port     uint32     // destination; 0 means not said

	Source netip.AddrPort // the client; invalid means 127.0.0.1
	TLS    bool
	SNI    string
	ALPN   []string

	Method               string // "" is GET
	Host                 string // as sent; "" is a request without one
	Path                 string // the request target as sent, query included; "" is "/"
	Headers              []routes.Header
	HTTP10               bool
	HTTP2                bool
	Presented, Validated bool // the client's certificate

	Random      *uint64
	Runtime     map[string]float64 // beside what the mesh's own runtime sets, and before it
	Metadata    map[string]map[string]string
	FilterState map[string]string
}

// Action is what becomes of a request.
type Action string

// The actions. The first five are what a route table can say; the others end a
// request before one is asked.
const (
	Forward        Action = "route"
	Redirect       Action = "redirect"
	DirectResponse Action = "direct_response"
	NotFound       Action = "not_found"
	NoListener     Action = "no_listener"
	NoFilterChain  Action = "no_filter_chain" // the connection is closed
	TCPProxy       Action = "tcp_proxy"       // bytes are passed on, no request is looked at
	Refused        Action = "refused"         // answered by the connection manager or the router itself (400, 403, 426 …)
	Undecided      Action = "undecided"       // an extension decides that is not known here
)

// Step is one link of the way, for whoever shows it.
type Step struct {
	Kind string   // "listener", "filter chain", "route configuration", "virtual host", "route", "cluster", "endpoints"
	Name string   // "web", "1 of 2", "foo"
	Why  string   // one sentence: "port 10000", "SNI a.example.com", "domain *.example.com", "path /foo starts with /foo"
	Key  mesh.Key // the resource that it stands in
	Path string   // the field path in it
}

// RouteID names a route in its virtual host.
type RouteID struct {
	Index int
	Name  string // may be empty
}

// Way is the way that a request takes.
type Way struct {
	Action      Action
	Steps       []Step
	Listener    string
	FilterChain string // its name, else its index as "0", or "default"
	VirtualHost string // "" when none
	Domain      string
	Matched     bool // Route is one
	Route       RouteID
	Cluster     string            // "" while Weighted is open, and without one
	Weighted    []routes.Weighted // of a weighted route
	// Fates are those of the clusters that the request may go to, mirrors not
	// among them, and that certainly cannot answer: of Cluster where it is known,
	// else of each weighted one with a share. It is empty when all can. Where all
	// cannot, Status is theirs.
	Fates      []Fate
	Host, Path string // as sent upstream
	Status     int    // where there is no upstream; 0 otherwise
	Location   string
	Body       string // that Envoy answers itself; "" when there is none or it is not known
	Detail     string // Envoy's response_code_details where it answers itself: "route_not_found", "cluster_not_found"
	Reason     string // for a Refused, NoListener, …: one sentence
	Settings   []routes.Setting
	Mirrors    []routes.Mirror // where copies of the request may go
	Caveats    []string

	// The protos behind it, nil where the way ended before. They are read-only.
	Manager *hcmv3.HttpConnectionManager
	Config  *routev3.RouteConfiguration
	VHost   *routev3.VirtualHost
	Entry   *routev3.Route
	Weight  *routev3.WeightedCluster_ClusterWeight
	// Seen is the request as the router saw it, after normalisation.
	Seen routes.Request
}

// Loser is a virtual host or a route of the listener that did not take the
// request.
type Loser struct {
	VirtualHost string
	HasRoute    bool
	Route       RouteID
	Reason      string
	Next        bool // the first that would take the request if the winner were not there
	Key         mesh.Key
	Path        string // field path of the virtual host or route
}

// Explanation is a way and everything that it is not.
type Explanation struct {
	Way
	Losers []Loser
}

// Seen is what was observed of a request that was really sent.
type Seen struct {
	Status   int // 0 when there was no answer
	Location string
	Err      string   // why there was no answer
	Clusters []string // that were asked meanwhile, by the counters; nil when they are not known
}
