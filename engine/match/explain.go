package match

import (
	"fmt"
	"strings"
)

// Explain is Match with everything that the request did not take: each other
// virtual host and route of the route configuration, and in the steps the other
// listeners and filter chains.
func (m *Matcher) Explain(r *Request) Explanation {
	t := m.trip(r)
	t.travel()
	e := Explanation{Way: t.way}
	for i := range e.Steps {
		switch e.Steps[i].Kind {
		case "listener":
			e.Steps[i].Why += m.otherListeners(t.arrived.listener)
		case "filter chain":
			e.Steps[i].Why += t.arrived.listener.compiled().others(t.chain, &t.client)
		}
	}
	if e.Action == NoFilterChain && t.chain == nil {
		e.Reason += t.arrived.listener.compiled().others(nil, &t.client)
	}
	if t.table == nil {
		return e
	}
	for _, l := range t.table.compiled().Explain(&t.way.Seen, t.hit) {
		host := t.table.config.GetVirtualHosts()[l.HostIndex]
		loser := Loser{VirtualHost: host.GetName(), Reason: l.Reason, Next: l.Next, Key: t.table.key}
		if l.RouteIndex < 0 {
			loser.Path = t.table.virtualHost(l.HostIndex)
		} else {
			loser.HasRoute = true
			loser.Route = RouteID{Index: l.RouteIndex, Name: host.GetRoutes()[l.RouteIndex].GetName()}
			loser.Path = t.table.route(l.HostIndex, l.RouteIndex)
		}
		e.Losers = append(e.Losers, loser)
	}
	return e
}

// otherListeners names the listeners that did not take the connection.
func (m *Matcher) otherListeners(taken *listener) string {
	var others []*listener
	for _, l := range m.listeners {
		if l != taken {
			others = append(others, l)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "; beside it there " + areNamed(others)
}

// why says what made Envoy take a chain.
func (cs *chains) why(c *chain, asked *criterion, has *client) string {
	if c == cs.fallback {
		return "the default one, for " + cs.noneBy(asked, has)
	}
	var said []string
	for i := range criteria {
		by := &criteria[i]
		if asks := by.says(c.proto.GetFilterChainMatch()); asks != "" {
			said = append(said, by.name+" "+asks)
		}
	}
	if len(said) == 0 {
		if len(cs.all) == 1 {
			return "it takes every connection"
		}
		return "it takes what no other one asks for more closely"
	}
	return strings.Join(said, ", ")
}

// noneBy says which question left no chain.
func (cs *chains) noneBy(asked *criterion, has *client) string {
	switch {
	case len(cs.all) == 0:
		return "there is no other"
	case asked == nil:
		return "no filter chain matches"
	}
	none := "no filter chain"
	if asked != &criteria[0] {
		none = "none of the filter chains that fit so far"
	}
	if got := asked.got(has); got != "" {
		return fmt.Sprintf("%s takes %s %s", none, asked.name, got)
	}
	return fmt.Sprintf("%s takes a connection without %s", none, asked.name)
}

// others says of the chains that were not taken what they ask for; taken is nil
// where none was.
func (cs *chains) others(taken *chain, has *client) string {
	var said []string
	for _, c := range cs.all {
		if c == taken {
			continue
		}
		said = append(said, c.name+" "+lost(c, taken, has))
	}
	if cs.fallback != nil && cs.fallback != taken {
		said = append(said, "the default one takes the rest")
	}
	if len(said) == 0 {
		return ""
	}
	return "; " + list(said)
}

// lost says at which question a chain fell out.
func lost(c, taken *chain, has *client) string {
	m := c.proto.GetFilterChainMatch()
	for i := range criteria {
		by := &criteria[i]
		rank := by.rank(m, has)
		if rank == 0 {
			return "wants the " + by.name + " " + by.says(m)
		}
		if taken != nil && rank < by.rank(taken.proto.GetFilterChainMatch(), has) {
			return "fits the " + by.name + " less closely"
		}
	}
	return "comes after it"
}
