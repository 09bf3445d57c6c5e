package xds

import (
	"slices"
	"strconv"
	"strings"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"example.com/meshtui/engine/mesh"
)

// subscribeSotW takes over what a SotW request asks for. The server has already
// sorted out stale requests.
func (n *node) subscribeSotW(s *sub, req *discovery.DiscoveryRequest, want cache.Subscription, first bool) {
	all := s.wildcard
	s.wildcard = want.IsWildcard()
	asked := s.stream.asks
	if first {
		s.stream.cleared = false
		s.asked = asked
		s.names.share(n.srv.names.of(asked))
		n.claims(s.stream, claim{typ: s.typ, version: req.GetVersionInfo()})
		ours := n.gave(s.typ, req.GetVersionInfo())
		if ours {
			s.accepted = req.GetVersionInfo()
		}
		n.begin(s, ours)
		return
	}
	if sameNames(s.asked, asked) {
		return // an answer, and nothing new
	}
	s.stream.cleared = false
	before := s.names.all()
	s.asked = asked
	s.names.share(n.srv.names.of(asked))
	for name := range s.names.all() {
		if _, had := before[name]; !had {
			n.added(s, name)
		}
	}
	for name := range before {
		if !s.names.has(name) {
			n.dropped(s, name)
		}
	}
	switch {
	case all:
		n.droppedWildcard(s)
	case s.wildcard: // whatever it covers may be new to the client
		s.whole, s.urgent = true, true
	}
}

// subscribeDelta takes over what a delta request adds and drops.
func (n *node) subscribeDelta(s *sub, req *discovery.DeltaDiscoveryRequest, want cache.Subscription, first bool) error {
	s.wildcard = s.everything(want)
	if first || len(s.stream.asks)+len(s.stream.drops) > 0 {
		s.stream.cleared = false
	}
	if s.typ == mesh.VirtualHost {
		s.inquiry()
	}
	if len(s.stream.asks) > 0 {
		s.names.add(n.srv.names.of(s.stream.asks))
	}
	if known := len(s.names.all()); known > n.srv.o.MaxNames {
		return tooManyNames(s.url, known, n.srv.o.MaxNames)
	}
	if first {
		s.held = make(map[string]string, len(req.GetInitialResourceVersions()))
		for name, version := range req.GetInitialResourceVersions() {
			s.held[name] = version
		}
		n.claims(s.stream, claim{typ: s.typ, resources: len(s.held) > 0})
		n.begin(s, len(s.held) > 0)
	} else {
		for _, name := range s.stream.asks {
			// Asking for a known name again means that the client lost it.
			if name != "*" {
				n.added(s, name)
			} else {
				s.whole = true
			}
		}
	}
	for _, name := range s.stream.drops {
		if name == "*" {
			n.droppedWildcard(s)
			continue
		}
		s.names.remove(name)
		if s.wildcard {
			s.markName(name) // the client must hear whether it still gets it
			s.urgent = true
			continue
		}
		n.dropped(s, name)
	}
	return nil
}

// everything reports whether a delta subscription is a wildcard. Whoever began with
// one by naming nothing gives it up like any other, by unsubscribing from "*"; the
// server behind which this stands does not see that.
func (s *sub) everything(want cache.Subscription) bool {
	switch {
	case slices.Contains(s.stream.asks, "*"):
		s.gaveUp = false
	case slices.Contains(s.stream.drops, "*"):
		s.gaveUp = true
	}
	return want.IsWildcard() && !s.gaveUp
}

// begin is the first request of a type on a stream. It is answered at once and
// in full, also with nothing: Envoy waits up to 15 s for each type. The one
// exception is a running node that comes back: it does not get again what it
// rejected.
func (n *node) begin(s *sub, alive bool) {
	s.must, s.whole = true, true
	f := n.types[s.typ]
	if !alive || f == nil || f.rejected == nil {
		return
	}
	if !s.full() { // else what it accepted before stands in its place
		s.leaveOut(n)
	}
}

// leaveOut leaves out what the node rejected before, as if the stream had sent it.
func (s *sub) leaveOut(n *node) {
	if s.stream.delta() {
		for k := range n.bad {
			if r := n.offered.mesh.Get(k); r != nil && k.Type == s.typ && s.wants(k.Name) {
				s.held[k.Name] = n.served(r).Hash()
				s.suspectName(k.Name)
			}
		}
		return
	}
	s.whole = false
	for name := range s.names.all() {
		if n.bad[mesh.Key{Type: s.typ, Name: name}] {
			s.suspectName(name)
			continue
		}
		s.markName(name)
	}
}

// added is a name that a subscription has come to cover. A SotW client is told
// nothing of a name that does not exist, unless something stands in for it; a
// delta client is told so.
func (n *node) added(s *sub, name string) {
	if s.typ == 0 || s.stream.delta() || s.full() || n.offered.mesh.Get(mesh.Key{Type: s.typ, Name: name}) != nil || n.standIn(s, name) != nil {
		s.markName(name)
		s.urgent = true
		s.must = s.must || s.typ == 0
	}
}

// droppedWildcard forgets what only the wildcard covered.
func (n *node) droppedWildcard(s *sub) {
	if s.wildcard { // it was asked for anew in the same request
		return
	}
	for _, name := range sortedNames(s.held) {
		if !s.wants(name) {
			n.dropped(s, name)
		}
	}
	for k := range n.status { // what was refused is not held, and known all the same
		if k.Type == s.typ && !n.asks(k) {
			n.forget(k)
		}
	}
}

// dropped is a name that a subscription no longer covers. When no stream of the
// node covers it any more, the node does not hold it.
func (n *node) dropped(s *sub, name string) {
	delete(s.dirty, name)
	delete(s.suspect, name)
	delete(s.held, name)
	if k := (mesh.Key{Type: s.typ, Name: name}); s.typ != 0 && !n.asks(k) {
		n.forget(k)
	}
	if s.full() {
		s.whole = true
	}
}

func versionText(major, minor, patch uint32) string {
	parts := []uint64{uint64(major), uint64(minor), uint64(patch)}
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = strconv.FormatUint(p, 10)
	}
	return strings.Join(out, ".")
}
