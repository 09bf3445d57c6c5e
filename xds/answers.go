package xds

import (
	"slices"
	"strings"
	"time"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// heard enters a request: what it asks for is the cache's business, what it
// answers is read here.
func (n *node) heard(st *stream, r request) {
	now := n.srv.o.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	m := Message{
		At: now, Node: n.id, Stream: st.id, Variant: st.variant, Kind: Request, Type: typeOf(r.url), TypeURL: r.url,
		Version: r.version, Nonce: r.nonce, Names: r.names, Removed: r.removed, Bytes: r.bytes,
	}
	if s := st.subs[r.url]; s != nil && r.nonce != "" {
		n.answered(s, r, &m)
	}
	n.srv.wire.add(m, r.body)
	n.run.progress = now
	n.rouse()
}

// answered reads the answer in a request and says on the message what it was.
func (n *node) answered(s *sub, r request, m *Message) {
	rec, i := s.find(r.nonce)
	if rec == nil {
		switch {
		case r.failure != nil:
			m.Kind, m.Detail = NACK, cleanDetail(r.failure.GetMessage())
		case s.last == nil || s.last.nonce != r.nonce:
			m.Kind = StaleACK
		}
		return // a change of subscription repeats the nonce that was answered before
	}
	m.Revision, m.RTT, m.Version = rec.revision, m.At.Sub(rec.at), rec.version
	m.Names, m.Removed = rec.news(), rec.removed
	if !n.heeds(s) { // of a process that is gone, or was taken over from
		s.open = slices.Delete(s.open, 0, i+1)
		if m.Kind = ACK; r.failure != nil {
			m.Kind, m.Detail = NACK, cleanDetail(r.failure.GetMessage())
		}
		return
	}
	if s.stream.delta() {
		n.answeredDelta(s, rec, i, r, m)
		return
	}
	n.answeredSotW(s, rec, i, r, m)
}

// answeredDelta: every response gets its own answer, in order, however late.
func (n *node) answeredDelta(s *sub, rec *record, i int, r request, m *Message) {
	s.open = slices.Delete(s.open, i, i+1)
	if r.failure != nil {
		m.Kind, m.Detail = NACK, n.reject(s, rec, r.failure, m.At).Detail
		return
	}
	m.Kind = ACK
	n.accept(s, rec, m.At)
}

// answeredSotW: one answer stands for everything up to its nonce, and an error
// in it need not be about the newest. While Envoy holds an answer back it takes
// further responses, and in the end sends one request with the newest nonce, the
// newest accepted version, and the error of whichever was bad.
func (n *node) answeredSotW(s *sub, rec *record, i int, r request, m *Message) {
	superseded := slices.Clone(s.open[:i])
	s.open = slices.Delete(s.open, 0, i+1)
	m.Kind = ACK
	if rec != s.last {
		m.Kind = StaleACK
	}
	if r.failure == nil {
		for _, older := range superseded {
			n.accept(s, older, m.At)
		}
		n.accept(s, rec, m.At)
		return
	}
	if len(superseded) == 0 || r.version != rec.version || s.accepted == rec.version {
		m.Kind, m.Detail = NACK, n.reject(s, rec, r.failure, m.At).Detail
		return
	}
	m.Detail = "accepted; the error is about an earlier response"
	if culprit := culpritOf(superseded, r.failure.GetMessage()); culprit != nil {
		rej := n.reject(s, culprit, r.failure, m.At)
		m.Detail = "accepted; the error is about nonce " + culprit.nonce + ": " + rej.Detail
	}
	n.accept(s, rec, m.At)
}

// culpritOf is the superseded response that an error is about: the newest of
// which it names a resource, else the newest; nil when there is none.
func culpritOf(superseded []*record, message string) *record {
	for _, rec := range slices.Backward(superseded) {
		for _, k := range rec.changed {
			if mentions(message, k.Name) {
				return rec
			}
		}
	}
	if len(superseded) == 0 {
		return nil
	}
	return superseded[len(superseded)-1]
}

// accept enters that the node took a response.
func (n *node) accept(s *sub, rec *record, at time.Time) {
	s.accepted = rec.version
	if rec.typ == 0 {
		return
	}
	for i, k := range rec.changed {
		n.acceptResource(k, rec.hashes[i], rec, at)
	}
	if s.full() && rec == s.last {
		// A full response that was taken leaves nothing rejected behind but what
		// it did not hold.
		for k := range n.bad {
			if k.Type == rec.typ && !n.parked[k] {
				n.acceptResource(k, n.status[k].Hash, rec, at)
			}
		}
	}
	f := n.factsOf(rec.typ)
	f.acked = rec.fact(at)
	n.settle(rec.typ)
}

// acceptResource enters the fact for one resource, unless it is already on its
// way with other content.
func (n *node) acceptResource(k mesh.Key, hash string, rec *record, at time.Time) {
	st, ok := n.status[k]
	if !ok || st.Hash != hash {
		return
	}
	st.Acked = rec.fact(at)
	if !st.Served.At.After(rec.at) {
		st.Rejected = nil
		n.exonerate(k)
		delete(n.good, k)
		delete(n.doubt, k)
		if ways := n.ways[k]; len(ways) > 1 {
			n.ways[k] = ways[len(ways)-1:]
		}
	}
	n.status[k] = st
}

// reject enters that the node refused a response, and stops the rollout that
// sent it. The version is parked by not being marked: nothing sends it again.
func (n *node) reject(s *sub, rec *record, failure *rpcstatus.Status, at time.Time) *Rejection {
	rej := &Rejection{
		Fact: rec.fact(at), Detail: cleanDetail(failure.GetMessage()), Raw: failure.GetMessage(),
		Resources: rec.changed, Sent: rec.times,
	}
	if rec.typ == 0 {
		return rej
	}
	s.suspectAll(rec)
	n.owePassedOver(s, rec)
	if n.corrected(rec) {
		s.markSuspects()
		n.push(s)
	}
	stands := rec == s.last
	for _, k := range rec.changed {
		if st, ok := n.status[k]; ok && st.Served.Version == rec.version && st.Served.Nonce == rec.nonce {
			st.Rejected = rej
			n.status[k] = st
			n.bad[k], n.doubt[k], stands = true, true, true
		}
	}
	n.park(s, rec, rej.Raw)
	if stands { // else something newer has taken the place of all that it held
		n.factsOf(rec.typ).rejected = rej
	}
	switch {
	case rec.run != n.run.seq:
	case n.outdated(rec) && n.run.replans < maxReplans:
		n.run.anew = true
	default:
		n.run.rejected = rej
	}
	return rej
}

// owePassedOver sends the endpoints of the clusters in a refused response again
// if a newer one is on its way already. That one does not count them as new, for
// it took for granted that the node has them; to a node that took nothing of the
// refused response they are, and it warms them until endpoints come behind it.
func (n *node) owePassedOver(s *sub, rec *record) {
	if !s.full() || rec.typ != mesh.Cluster || rec == s.last && !s.sending {
		return
	}
	for _, k := range rec.changed {
		n.oweEndpoints(k)
	}
	n.kick(mesh.Endpoints)
}

// corrected reports whether what a response brought has changed since.
func (n *node) corrected(rec *record) bool {
	for i, k := range rec.changed {
		if r := n.offered.mesh.Get(k); r == nil || r.Hash() != rec.hashes[i] {
			return true
		}
	}
	return false
}

func (n *node) factsOf(t mesh.Type) *typeFacts {
	f := n.types[t]
	if f == nil {
		f = &typeFacts{}
		n.types[t] = f
	}
	return f
}

// said enters a response that is about to be sent: the one that was put
// together just before, on the same goroutine.
func (n *node) said(st *stream, url, nonce string, body proto.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, rec := st.subs[url], st.building
	if s == nil || rec == nil {
		return
	}
	s.sending, st.building = false, nil
	rec.nonce = nonce
	s.sent(rec)
	if rec.typ != 0 && n.heeds(s) {
		n.noteSent(rec)
	}
	detail := ""
	if len(rec.stands) > 0 {
		detail = "there is none, sent empty: " + strings.Join(rec.stands, ", ")
	}
	n.srv.wire.add(Message{
		At: rec.at, Detail: detail, Node: n.id, Stream: st.id, Variant: st.variant, Kind: Response, Type: rec.typ, TypeURL: url,
		Version: rec.version, Nonce: nonce, Names: rec.names, Removed: rec.removed, Changed: rec.fresh,
		Revision: rec.revision, Bytes: proto.Size(body),
	}, body)
	n.run.progress = rec.at
	n.view = nil
	n.srv.changed()
	if rec.typ == mesh.Cluster {
		n.nudge() // the answer may be withheld, and nothing else be heard meanwhile
	}
}

// noteSent enters the facts about what a response holds.
func (n *node) noteSent(rec *record) {
	fact := rec.fact(rec.at)
	for i, k := range rec.changed {
		st := n.status[k]
		if n.offered.mesh.Get(k) == nil {
			continue // it was taken back in this very moment; the next response says so
		}
		if st.Hash != rec.hashes[i] {
			st.Acked = Fact{}
			n.doubt[k] = true
		}
		st.Hash, st.Revision, st.Served, st.Rejected = rec.hashes[i], rec.revision, fact, nil
		n.status[k] = st
		n.exonerate(k)
	}
	n.factsOf(rec.typ).sent = fact
	n.noteGiven(rec)
}

// closed enters the end of a stream.
func (n *node) closed(st *stream) {
	now := n.srv.o.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.detach(st, now)
	n.srv.wire.add(Message{At: now, Node: n.id, Stream: st.id, Variant: st.variant, Kind: Disconnected, TypeURL: st.url}, nil)
	n.rouse()
}
