package xds

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// A client that is gone, or hangs, leaves streams behind that stay open for a
// while. They get what is offered like any other, but what they answer is not
// what the node answers, and nothing waits for them.

// counting lists the streams whose answers count, the newest first. Of two ADS
// streams the newest wins, since the older one belongs to a connection that
// hangs. Separate streams are one for each type, and for endpoints one for each
// cluster. Those from before Clear, on which nothing was asked for since, count for
// as long as there is no newer one.
func (n *node) counting() []*stream {
	var out []*stream
	for _, st := range slices.Backward(n.streams) {
		if n.counts(st) {
			out = append(out, st)
		}
	}
	return out
}

// counts reports whether a stream is one of those.
func (n *node) counts(st *stream) bool {
	if st.cleared && slices.ContainsFunc(n.streams, func(newer *stream) bool { return !newer.cleared }) {
		return false
	}
	if !st.ads() {
		return true
	}
	for _, newer := range slices.Backward(n.streams) {
		if newer.ads() {
			return newer == st
		}
	}
	return false
}

// heeds reports whether the answers on a subscription count: its stream does, and
// no newer stream asks for the same.
func (n *node) heeds(s *sub) bool {
	if !n.counts(s.stream) {
		return false
	}
	for _, newer := range slices.Backward(n.streams) {
		if newer == s.stream {
			break
		}
		if o := newer.subs[s.url]; o != nil && o.overtakes(s) {
			return false
		}
	}
	return true
}

// overtakes reports whether a subscription asks for what an older one on another
// stream asks for, too. Of scoped routes and virtual hosts an Envoy asks for all
// on several streams, one for each listener or route that takes them.
func (s *sub) overtakes(older *sub) bool {
	switch {
	case s.typ == mesh.ScopedRoute, s.typ == mesh.VirtualHost:
		return false
	case s.wildcard || older.wildcard:
		return true
	}
	few, many := s.names.all(), older.names.all()
	if len(few) > len(many) {
		few, many = many, few
	}
	for name := range few {
		if _, both := many[name]; both {
			return true
		}
	}
	return false
}

// succeeds reports whether a stream is for a type of which an Envoy has only one
// stream, and the node has one already: that of a process that is gone or hangs.
func (n *node) succeeds(st *stream) bool {
	if st.url != mesh.Cluster.URL() && st.url != mesh.Listener.URL() {
		return false
	}
	return slices.ContainsFunc(n.streams, func(older *stream) bool { return older != st && older.url == st.url })
}
