package xds

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/mesh"
)

// stream is one xDS stream. Until its first request nobody knows whose it is;
// from then on everything in it is guarded by its node's mutex, except building,
// asks and drops, which belong to the goroutine that serves the stream.
type stream struct {
	id      int64
	variant Variant
	url     string // the type that the stream is for; "" on ADS
	// inquiring are the virtual hosts that the request under way asks for on demand.
	inquiring []string
	peer      Peer // as the connection tells; what the node says of itself is put in when it does
	// client is the node as the first request described it. It is put into
	// every later request, and so tells the cache which stream is asking.
	client   *corev3.Node
	node     *node
	subs     map[string]*sub // by type URL
	building *record         // a response that has no nonce yet
	asks     []string        // the names of the request that is being looked at
	drops    []string        // delta: those that it unsubscribes
	cleared  bool            // what the node has was taken back, and nothing was asked for since
}

func (st *stream) delta() bool { return st.variant == DeltaADS || st.variant == Delta }
func (st *stream) ads() bool   { return st.variant == SotWADS || st.variant == DeltaADS }

// record is one response on its way: what it said, until it is answered.
type record struct {
	nonce, version string
	typ            mesh.Type
	at             time.Time
	revision       int
	run            int        // the rollout during which it was sent
	names, removed []string   // what it held
	changed        []mesh.Key // what in it was new to the node
	hashes         []string   // of these, without the overlay
	fresh          int        // how many of changed differ from what the node was served before
	stands         []string   // of names, what does not exist and is sent empty
	times          int        // how often the same was sent in a row
}

func (r *record) fact(at time.Time) Fact { return Fact{Version: r.version, Nonce: r.nonce, At: at} }

// stand notes an empty resource in the place of one that does not exist.
func (r *record) stand(empty *mesh.Resource) {
	r.names = append(r.names, empty.Key.Name)
	r.stands = append(r.stands, empty.Key.Name)
}

// news are the names of what was new in the response, or of all that it held.
func (r *record) news() []string {
	if len(r.changed) == 0 {
		return r.names
	}
	out := make([]string, len(r.changed))
	for i, k := range r.changed {
		out[i] = k.Name
	}
	return out
}

// sub is what one stream asked for of one type, and what it was told.
type sub struct {
	stream *stream
	url    string
	typ    mesh.Type // 0 for a type that meshtui has nothing of
	silent bool      // a type that xDS does not know: never answered

	names    nameSet
	asked    []string // the names of the newest SotW request, as they came
	wildcard bool
	gaveUp   bool              // delta: the wildcard was given up
	held     map[string]string // what this stream was sent, by name: delta resource versions

	// What is to be said. A response is put together only when the stream is
	// about to send it, so that it is never out of date.
	must   bool                // an answer is owed even if there is nothing in it
	urgent bool                // the client asked for it, or needs it to go on: not to be held back
	whole  bool                // everything subscribed is to be looked at
	dirty  map[string]struct{} // these names are to be sent, or reported as gone
	// inquiries are the virtual hosts that were asked for on demand, and are
	// answered once.
	inquiries map[string]struct{}
	// suspect are the names of rejected responses: one of them is the culprit,
	// the others may not have been applied. They go again with a correction.
	suspect map[string]struct{}

	// sending is the time between the putting together of a response and its
	// nonce: nothing is due any more, and nothing is open yet.
	sending bool
	// open are the responses without an answer, oldest first; last is the
	// newest of all, answered or not.
	open     []*record
	last     *record
	accepted string // the version that was accepted last on this stream

	watch watch
}

// wants reports whether the subscription covers a name.
func (s *sub) wants(name string) bool {
	if s.wildcard {
		return true
	}
	return s.names.has(name) || s.typ == mesh.VirtualHost && s.aliased(name)
}

// unsaid reports whether there is something that is not on the wire yet.
func (s *sub) unsaid() bool { return s.due() || s.sending }

// due reports whether there is something to say.
func (s *sub) due() bool { return s.must || s.whole || len(s.dirty) > 0 || len(s.inquiries) > 0 }

// heldBack is for how much longer something that is due waits for the answer to
// the response before; 0 when it may go.
func (s *sub) heldBack(now time.Time) time.Duration {
	if s.urgent || len(s.open) == 0 || !s.due() {
		return 0
	}
	waited := now.Sub(s.last.at)
	if waited < 0 { // the clock was set back
		return 0
	}
	return max(0, holdBack-waited)
}

// full reports whether a response must hold everything: only SotW listeners,
// clusters and scoped routes, where what is missing counts as removed.
func (s *sub) full() bool {
	return !s.stream.delta() && (s.typ == mesh.Listener || s.typ == mesh.Cluster || s.typ == mesh.ScopedRoute)
}

// mark notes what a step changes for this subscription.
func (s *sub) mark(changes []mesh.Change) {
	for _, c := range changes {
		if _, ok := s.suspect[c.Key.Name]; ok {
			s.markSuspects()
		}
		switch {
		case !s.wants(c.Key.Name):
		case s.full():
			s.whole = true
		case c.New != nil, s.stream.delta(), s.stream.node.standIn(s, c.Key.Name) != nil:
			s.markName(c.Key.Name)
		}
	}
}

func (s *sub) markName(name string) {
	if s.full() {
		s.whole = true
		return
	}
	if s.dirty == nil {
		s.dirty = map[string]struct{}{}
	}
	s.dirty[name] = struct{}{}
}

// markSuspects sends everything again that was rejected together with what is
// now corrected: Envoy may have dropped the good along with the bad. What is
// parked, and is offered as it was refused, stays away.
func (s *sub) markSuspects() {
	for name := range s.suspect {
		if !s.stream.node.staysAway(mesh.Key{Type: s.typ, Name: name}) {
			delete(s.suspect, name)
			s.markName(name)
		}
	}
}

// suspectAll remembers a rejected response: the client may have dropped all of
// it. A full response comes again with everything in any case, and what the
// rejected one brought then counts as new once more.
func (s *sub) suspectAll(rec *record) {
	if s.full() {
		for _, k := range rec.changed {
			delete(s.held, k.Name)
		}
		return
	}
	for _, name := range rec.names {
		s.suspectName(name)
	}
	for _, name := range rec.removed {
		s.suspectName(name)
	}
}

func (s *sub) suspectName(name string) {
	if s.suspect == nil {
		s.suspect = map[string]struct{}{}
	}
	s.suspect[name] = struct{}{}
}

// find is the unanswered response with that nonce and its place, or nil.
func (s *sub) find(nonce string) (*record, int) {
	for i, r := range s.open {
		if r.nonce == nonce {
			return r, i
		}
	}
	return nil, -1
}

// sent notes a response that is now on the wire.
func (s *sub) sent(rec *record) {
	rec.times = 1
	if s.last != nil && s.last.version == rec.version && sameNames(s.last.names, rec.names) {
		rec.times = s.last.times + 1
	}
	s.last = rec
	s.open = append(s.open, rec)
	if len(s.open) > maxUnanswered {
		s.open = append(s.open[:0], s.open[1:]...)
	}
}
