package probe

import (
	"context"
	"fmt"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/xds/envoy"
)

// Moved is by how much an endpoint's request counter grew.
type Moved struct {
	Cluster, Endpoint string
	Requests          uint64
}

// Observed is an answer, and what the proxy's counters say of it.
type Observed struct {
	Answer *Answer // nil when there was none
	// Counted says that the counters could be read before and after, so that no
	// Moved means that no endpoint was asked.
	Counted bool
	Moved   []Moved
}

// Busy says that more was asked than one request makes without retries: other
// traffic ran meanwhile, or the request was tried again.
func (o *Observed) Busy() bool {
	var sum uint64
	for _, m := range o.Moved {
		sum += m.Requests
	}
	return sum > 1
}

// Clusters are those that were asked meanwhile; nil when that is not known.
func (o *Observed) Clusters() []string {
	if !o.Counted {
		return nil
	}
	out := []string{}
	for _, m := range o.Moved {
		if len(out) == 0 || out[len(out)-1] != m.Cluster {
			out = append(out, m.Cluster)
		}
	}
	return out
}

// Observe is Send between two looks at the request counters on the admin
// interface. Without an admin interface, or when it does not answer, it is
// Send alone.
func Observe(ctx context.Context, address, admin string, r match.Request) (*Observed, error) {
	before, cannot := envoy.Hosts(ctx, admin)
	answer, err := Send(ctx, address, r)
	o := &Observed{Answer: answer}
	if cannot != nil {
		return o, err
	}
	after, cannot := envoy.Hosts(ctx, admin)
	if cannot != nil {
		return o, err
	}
	o.Counted, o.Moved = true, moved(before, after)
	return o, err
}

// moved compares two looks. An endpoint that is new counts from zero; one whose
// counter fell (the proxy was started anew) too.
func moved(before, after []envoy.Endpoint) []Moved {
	type id struct {
		cluster, address string
		priority         uint32
	}
	was := make(map[id]uint64, len(before))
	for _, e := range before {
		was[id{e.Cluster, e.Address, e.Priority}] = e.Requests
	}
	var out []Moved
	for _, e := range after {
		n := was[id{e.Cluster, e.Address, e.Priority}]
		if e.Requests < n {
			n = 0
		}
		if e.Requests > n {
			out = append(out, Moved{Cluster: e.Cluster, Endpoint: e.Address, Requests: e.Requests - n})
		}
	}
	return out
}

// String is the movement in words: "app 127.0.0.1:9001 +1".
func (m Moved) String() string { return fmt.Sprintf("%s %s +%d", m.Cluster, m.Endpoint, m.Requests) }
