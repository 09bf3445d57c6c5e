package routes

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Header is one request header. Names compare without case.
type Header struct{ Name, Value string }

// Request is one request as the router sees it: after the connection manager
// has normalised path and Host.
type Request struct {
	Method    string
	Scheme    string // "http" or "https"
	Authority string
	Path      string   // with the query; "" for a CONNECT without one
	Headers   []Header // in order, without pseudo-headers
	Protocol  string   // of an extended CONNECT or an upgrade: "websocket", "connect-udp"; else ""

	TLS       bool // the connection is encrypted
	Presented bool // the client showed a certificate
	Validated bool // and it was found valid

	// Random is the request's random value, which decides runtime fractions and
	// weighted clusters; nil when it is not known. Then a fraction of at least a
	// half is assumed to be met, and the weights stay open.
	Random *uint64
	// Runtime holds the runtime keys that are set; others have the default that
	// the configuration gives.
	Runtime map[string]float64
	// Metadata is dynamic metadata by filter, as dotted paths: "filter" → "a.b" →
	// value. What is not in it is assumed to be absent.
	Metadata map[string]map[string]string
	// FilterState holds string values by key.
	FilterState map[string]string
}

// Hit is what a request finds.
type Hit struct {
	VirtualHost *routev3.VirtualHost // nil when no domain takes the Host
	HostIndex   int                  // of VirtualHost in the configuration
	Domain      string               // the domain that took the Host
	Route       *routev3.Route       // nil when no route matches
	RouteIndex  int                  // of Route in the virtual host; 0 without one
	// TLSRequired says that the virtual host demands TLS (require_tls) and the
	// request came without: Envoy sends it to https and asks no route.
	TLSRequired bool
	// Assumed says, a sentence each, what the decision rests on that the request
	// did not tell.
	Assumed []string
}

// Kind is what a route does with a request.
type Kind uint8

// The kinds.
const (
	NotFound Kind = iota // no virtual host or no route: 404
	Forward
	Redirect
	DirectResponse
	Unsupported // a route of a kind that only an extension knows (filter_action, a cluster specifier plugin)
)

// Weighted is one cluster of several, with its share.
type Weighted struct {
	Name   string // "" when the header that names the cluster is absent or empty
	Header string // cluster_header, when it names the cluster
	Weight uint32
	Index  int // in the configuration's list
}

// Level says where a setting comes from.
type Level string

// The levels, the innermost first.
const (
	OfRoute       Level = "route"
	OfVirtualHost Level = "virtual host"
	OfConfig      Level = "route configuration"
	OfCluster     Level = "cluster" // the cluster's own HttpProtocolOptions, which a Table does not see
	OfRequest     Level = "request header"
	Default       Level = "default"
)

// Setting is one policy in force, as a sentence fragment for people, and where
// it comes from.
type Setting struct {
	Name  string // "timeout", "retry", "idle timeout", "hash policy", "mirror" …
	Value string // "15s", "2 retries on connect-failure,reset"
	Level Level
	Path  string // field path in the RouteConfiguration; "" for a default
}

// Outcome is what becomes of the request.
type Outcome struct {
	Kind     Kind
	Cluster  string                                 // that the request goes to; "" while Weighted is open
	Why      string                                 // how Cluster was chosen when there was a choice: "weight 90 of 100, random value 17", "header x-cluster"
	Weighted []Weighted                             // of a weighted route, all of them
	Weight   *routev3.WeightedCluster_ClusterWeight // the chosen one
	Host     string                                 // as sent upstream; with host rewriting that depends on the endpoint, see HostOpen
	HostOpen bool                                   // the endpoint's host name (auto_host_rewrite), or what a format yields; Host is then what it replaces
	Path     string                                 // as sent upstream, with the query
	PathOpen bool                                   // a format yields the path (path_rewrite); Path is then what it replaces
	Status   int                                    // of a redirect or a direct response, 404 for NotFound, 503 where a named cluster header is absent; 0 when an upstream answers
	Detail   string                                 // Envoy's response_code_details where it answers itself: "route_not_found", "direct_response", "cluster_not_found"
	Location string                                 // of a redirect, and of a direct response with a status of 201 or 3xx
	Body     string                                 // of a direct response; "" when there is none or it is not known, see BodyOpen
	BodyOpen bool                                   // the body is read from a file or a variable, or a format yields it
	Settings []Setting                              // policies in force
	Mirrors  []Mirror                               // where copies of the request may go
	Absent   int                                    // of Forward: the status when the cluster is not there (cluster_not_found_response_code), 503 unless told
	Assumed  []string
}

// Mirror is a cluster that gets a copy of the request, or a share of such
// copies.
type Mirror struct {
	Cluster string // "" where the header that names it is changed before, so that it is not known
	Header  string // cluster_header, when it names the cluster
	Level   Level
	Path    string // field path of the policy in the RouteConfiguration
}

// Loser is a virtual host or a route that did not take the request.
type Loser struct {
	HostIndex  int
	RouteIndex int    // -1: the whole virtual host
	Reason     string // one sentence: "path /foo does not start with /bar"
	Next       bool   // the first that would take the request if the winner were not there
}

// Problem is what could not be compiled, or a finding about the table itself.
type Problem struct {
	Kind    ProblemKind
	Path    string // field path in the RouteConfiguration
	Message string
	Hint    string
}

// ProblemKind says what a Problem is about.
type ProblemKind uint8

// The kinds of problems.
const (
	BadMatch        ProblemKind = iota // a condition that never holds: a wrong expression, an extension
	BadTemplate                        // a path template, of a match or a rewrite, that Envoy refuses
	BadRewrite                         // a rewrite whose expression is none, or that does nothing
	RewriteConflict                    // rewrites that exclude each other; Envoy refuses the configuration
	DuplicateDomain                    // Envoy refuses the configuration
	MatcherTree                        // a virtual host whose routes are not known here
	Unmatchable                        // an expression that no path matches in full
)

// Shadow is a route that no request reaches.
type Shadow struct {
	HostIndex, RouteIndex, By int // By is the earlier route
	Reason                    string
}
