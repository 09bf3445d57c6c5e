package outline

import "example.com/meshtui/engine/mesh"

// Pane is one of the four linked panes.
type Pane int

// The panes, in the order in which a request meets them.
const (
	LDS Pane = iota
	RDS
	CDS
	EDS
	Panes // how many there are
)

// Kind is what a row stands for.
type Kind uint8

// The kinds of rows.
const (
	ListenerRow    Kind = iota + 1
	ChainRow            // a filter chain
	OtherRow            // a resource of a type that has no pane: a secret, a virtual host of VHDS …
	RouteConfigRow      // a RouteConfiguration, or one inline in a listener
	VirtualHostRow
	RouteRow
	WeightRow // one cluster among a route's weighted clusters
	ClusterRow
	AssignmentRow // a ClusterLoadAssignment, or one inline in a cluster
	EndpointRow
)

// Draft says how a resource differs between the draft and what is live.
type Draft uint8

// The differences.
const (
	Unchanged Draft = iota
	Added
	Edited
	Removed // the row is of the live mesh; the draft no longer has it
)

// Row is one line of a pane.
type Row struct {
	Key   mesh.Key
	Path  string // field path within the resource; "" is all of it
	Kind  Kind
	Depth int

	Label string // what it is called: a name, a domain, a path, an address
	Value string // what it leads to or how it behaves, in a few words; may be empty

	// Of endpoints and weighted clusters.
	Cluster  string // the cluster that the endpoint belongs to
	Address  string // as in envoy.Endpoint
	Status   string // the EDS health status ("DRAINING"); "" when it says none
	Weight   uint32 // 0 when it says none
	Share    float64
	Uneven   bool // the endpoints of its cluster do not all weigh the same
	Priority uint32

	// HTTP says that a listener or filter chain carries HTTP.
	HTTP bool

	// Plain says that a route leads to clusters and asks for no more than a path, so
	// that what it takes are requests as they come every day.
	Plain bool
}

// related reports whether one path is the other or stands within it.
func related(a, b string) bool { return within(a, b) || within(b, a) }

// within reports whether path is outer or a field below it.
func within(path, outer string) bool {
	if outer == "" {
		return true
	}
	if len(path) < len(outer) || path[:len(outer)] != outer {
		return false
	}
	return len(path) == len(outer) || path[len(outer)] == '.' || path[len(outer)] == '['
}
