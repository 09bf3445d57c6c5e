package plan

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
)

// What a changed assignment does; the names of the clusters follow.
const (
	bringsEndpoints = "brings"
	takesEndpoints  = "takes away"
	swapsEndpoints  = "brings and takes away"
	altersEndpoints = "changes"
)

// endpointsVerb says what a changed assignment does with the list of endpoints,
// and behind the cluster's name what it does with those that stay: " (1 drains)".
func endpointsVerb(c mesh.Change) (verb, note string) {
	before, after, ok := assignments(c)
	if !ok {
		return altersEndpoints, ""
	}
	had, has := byAddress(before), byAddress(after)
	adds, takes := false, false
	var a alterations
	for address, e := range has {
		if was := had[address]; was != nil {
			a.note(was, e)
		} else {
			adds = true
		}
	}
	for address := range had {
		takes = takes || has[address] == nil
	}
	verb = altersEndpoints
	switch {
	case adds && takes:
		verb = swapsEndpoints
	case adds:
		verb = bringsEndpoints
	case takes:
		verb = takesEndpoints
	}
	return verb, a.String()
}

// alterations count the endpoints that stay and are changed.
type alterations struct{ drain, out, back, weight int }

func (a *alterations) note(was, is *endpointv3.LbEndpoint) {
	switch {
	case is.GetHealthStatus() == corev3.HealthStatus_DRAINING && was.GetHealthStatus() != corev3.HealthStatus_DRAINING:
		a.drain++
	case usable(was) && !usable(is):
		a.out++
	case !usable(was) && usable(is):
		a.back++
	case was.GetLoadBalancingWeight().GetValue() != is.GetLoadBalancingWeight().GetValue():
		a.weight++
	}
}

// String is such as " (1 drains, 2 get another weight)", "" for none.
func (a alterations) String() string {
	var out []string
	say := func(n int, one, more string) {
		switch {
		case n == 1:
			out = append(out, "1 "+one)
		case n > 1:
			out = append(out, fmt.Sprintf("%d %s", n, more))
		}
	}
	say(a.drain, "drains", "drain")
	say(a.out, "gets no more requests", "get no more requests")
	say(a.back, "is used again", "are used again")
	say(a.weight, "gets another weight", "get another weight")
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}
