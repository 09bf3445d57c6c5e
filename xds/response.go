package xds

import (
	"context"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// sotwToken and deltaToken travel through go-control-plane's watch channels in
// the place of responses. They say only that a subscription has something to
// say; what that is, is put together when the stream's goroutine takes the
// token off the channel, right before it sends. So a response can neither be
// out of date nor overtake a newer one, and bursts of changes become one.
type sotwToken struct {
	sub *sub
	req *discovery.DiscoveryRequest
	out *discovery.DiscoveryResponse
}

func (t *sotwToken) GetDiscoveryResponse() (*discovery.DiscoveryResponse, error) {
	if t.out == nil {
		t.out = t.sub.stream.node.buildSotW(t.sub)
	}
	return t.out, nil
}
func (t *sotwToken) GetRequest() *discovery.DiscoveryRequest { return t.req }
func (t *sotwToken) GetVersion() (string, error)             { return t.GetResponseVersion(), nil }
func (t *sotwToken) GetResponseVersion() string              { return t.out.GetVersionInfo() }
func (t *sotwToken) GetContext() context.Context             { return context.Background() }

// GetReturnedResources is empty: the subscription keeps its own account.
func (t *sotwToken) GetReturnedResources() map[string]string { return map[string]string{} }

type deltaToken struct {
	sub *sub
	req *discovery.DeltaDiscoveryRequest
	out *discovery.DeltaDiscoveryResponse
}

func (t *deltaToken) GetDeltaDiscoveryResponse() (*discovery.DeltaDiscoveryResponse, error) {
	if t.out == nil {
		t.out = t.sub.stream.node.buildDelta(t.sub)
	}
	return t.out, nil
}
func (t *deltaToken) GetDeltaRequest() *discovery.DeltaDiscoveryRequest { return t.req }
func (t *deltaToken) GetSystemVersion() (string, error)                 { return t.GetResponseVersion(), nil }
func (t *deltaToken) GetResponseVersion() string                        { return t.out.GetSystemVersionInfo() }
func (t *deltaToken) GetNextVersionMap() map[string]string              { return map[string]string{} }
func (t *deltaToken) GetReturnedResources() map[string]string           { return map[string]string{} }
func (t *deltaToken) GetContext() context.Context                       { return context.Background() }

// buildSotW puts together what a SotW subscription is to be told now.
func (n *node) buildSotW(s *sub) *discovery.DiscoveryResponse {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := &discovery.DiscoveryResponse{TypeUrl: s.url, VersionInfo: n.version(s.typ)}
	rec := n.newRecord(s)
	for _, r := range n.toSend(s) {
		sent := r
		if s.full() {
			if sent = n.instead(r); sent == nil {
				continue
			}
		}
		served := n.served(sent)
		out.Resources = append(out.Resources, served.Any())
		rec.names = append(rec.names, r.Key.Name)
		// What the stream holds may be what a refused change is taken back to.
		known := s.full() && s.held[r.Key.Name] == served.Hash() && n.status[r.Key].Hash == r.Hash()
		if sent == r && !known {
			n.noteChanged(rec, r)
		}
		if s.full() {
			s.held[r.Key.Name] = served.Hash()
		}
	}
	for _, r := range n.standIns(s) {
		out.Resources = append(out.Resources, r.Any())
		rec.stand(r)
	}
	if s.full() {
		n.dropMissing(s, rec)
	}
	n.built(s, rec)
	return out
}

// buildDelta puts together what a delta subscription is to be told now.
func (n *node) buildDelta(s *sub) *discovery.DeltaDiscoveryResponse {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := &discovery.DeltaDiscoveryResponse{TypeUrl: s.url, SystemVersionInfo: n.version(s.typ)}
	rec := n.newRecord(s)
	for _, r := range n.toSend(s) {
		served := n.served(r)
		if _, asked := s.dirty[r.Key.Name]; !asked && s.held[r.Key.Name] == served.Hash() {
			n.noteHeld(s, r, rec) // it came with initial_resource_versions
			continue
		}
		n.put(s, out, rec, r)
	}
	n.inquired(s, out, rec)
	for _, r := range n.standIns(s) {
		out.Resources = append(out.Resources, &discovery.Resource{Name: r.Key.Name, Version: r.Hash(), Resource: r.Any()})
		rec.stand(r)
	}
	out.RemovedResources = n.gone(s, rec)
	for _, name := range out.GetRemovedResources() {
		delete(s.held, name)
	}
	rec.removed = append(rec.removed, out.GetRemovedResources()...)
	n.built(s, rec)
	return out
}

// put puts a resource into a delta response.
func (n *node) put(s *sub, out *discovery.DeltaDiscoveryResponse, rec *record, r *mesh.Resource) {
	served := n.served(r)
	out.Resources = append(out.Resources, &discovery.Resource{Name: r.Key.Name, Version: served.Hash(), Resource: served.Any()})
	rec.names = append(rec.names, r.Key.Name)
	s.held[r.Key.Name] = served.Hash()
	n.noteChanged(rec, r)
}

func (n *node) newRecord(s *sub) *record {
	if s.held == nil {
		s.held = map[string]string{}
	}
	return &record{
		version: n.version(s.typ), typ: s.typ, at: n.srv.o.Now(),
		revision: n.offered.revision, run: n.run.seq,
	}
}

// toSend lists the offered resources that the next response holds. All of them
// where the whole subscription is due, else those that are marked.
func (n *node) toSend(s *sub) []*mesh.Resource {
	if s.typ == 0 {
		return nil
	}
	var out []*mesh.Resource
	if s.wildcard && (s.whole || s.full()) {
		return n.inOrder(s, n.offered.mesh.List(s.typ))
	}
	var names []string
	if s.whole || s.full() {
		names = s.names.sorted()
	} else {
		names = sortedNames(s.dirty)
	}
	for _, name := range names {
		if r := n.offered.mesh.Get(mesh.Key{Type: s.typ, Name: name}); r != nil && s.wants(name) {
			out = append(out, r)
		}
	}
	return n.inOrder(s, out)
}

// inOrder is what a response holds in the order in which the node can take it.
func (n *node) inOrder(s *sub, all []*mesh.Resource) []*mesh.Resource {
	if s.typ != mesh.Listener || len(all) < 2 {
		return all
	}
	before, step := map[mesh.Key]*mesh.Resource{}, map[mesh.Key]bool{}
	if n.run.at < len(n.run.steps) {
		for _, c := range n.run.steps[n.run.at].ByType[s.typ] {
			before[c.Key], step[c.Key] = c.Old, true
		}
	}
	return plan.InOrder(all, func(k mesh.Key) []*mesh.Resource {
		if _, holds := s.held[k.Name]; !holds && step[k] && before[k] == nil {
			return nil // it was taken away, and comes again
		}
		return append(slices.Clip(n.ways[k]), before[k])
	})
}

// gone lists what a delta response reports as removed: what the client held and
// what it asked for, in so far as it is not offered and the response does not
// say so in another way.
func (n *node) gone(s *sub, rec *record) []string {
	missing := map[string]struct{}{}
	note := func(name string) {
		_, had := s.held[name]
		switch {
		case n.offered.mesh.Get(mesh.Key{Type: s.typ, Name: name}) != nil:
		case slices.Contains(rec.stands, name), slices.Contains(rec.removed, name):
		case !had && n.unsayable(s.typ), s.typ == mesh.VirtualHost && n.virtualHost(name) != nil:
		default:
			missing[name] = struct{}{}
		}
	}
	for name := range s.dirty {
		note(name)
	}
	if s.whole {
		for name := range s.names.all() {
			note(name)
		}
		for name := range s.held {
			note(name)
		}
	}
	return sortedNames(missing)
}

// dropMissing forgets what a full response left out.
func (n *node) dropMissing(s *sub, rec *record) {
	if len(s.held) == len(rec.names) {
		return
	}
	sent := make(map[string]struct{}, len(rec.names))
	for _, name := range rec.names {
		sent[name] = struct{}{}
	}
	for name := range s.held {
		if _, ok := sent[name]; !ok {
			delete(s.held, name)
		}
	}
}

// noteChanged enters a resource that the response brings anew.
func (n *node) noteChanged(rec *record, r *mesh.Resource) {
	rec.changed = append(rec.changed, r.Key)
	rec.hashes = append(rec.hashes, r.Hash())
	n.noteWay(r)
	if n.status[r.Key].Hash != r.Hash() {
		rec.fresh++
	}
}

// noteHeld enters a resource that the client has already, as it says.
func (n *node) noteHeld(s *sub, r *mesh.Resource, rec *record) {
	if !n.heeds(s) {
		return
	}
	st := n.status[r.Key]
	if _, leftOut := s.suspect[r.Key.Name]; leftOut || st.Hash == r.Hash() && st.Acked != (Fact{}) {
		return
	}
	fact := Fact{Version: rec.version, At: rec.at}
	n.status[r.Key] = ResourceStatus{Hash: r.Hash(), Revision: rec.revision, Served: fact, Acked: fact}
	n.exonerate(r.Key)
	delete(n.doubt, r.Key)
	delete(n.good, r.Key)
}

// built ends the putting together of a response: nothing is owed any more, but
// the endpoints of the clusters that it changes are.
func (n *node) built(s *sub, rec *record) {
	s.must, s.urgent, s.whole, s.dirty = false, false, false, nil
	s.watch.pending = false
	s.sending, s.stream.building = true, rec
	if s.typ == mesh.Cluster {
		for _, k := range rec.changed {
			n.oweEndpoints(k)
		}
		n.kick(mesh.Endpoints)
	}
}

// oweEndpoints marks the endpoints of a cluster that has just been sent. Envoy
// warms a changed cluster until endpoints come that were sent after it; those
// that it has do not count.
func (n *node) oweEndpoints(cluster mesh.Key) {
	r := n.offered.mesh.Get(cluster)
	if r == nil {
		return
	}
	name, ok := mesh.EndpointsOf(r.Message)
	if !ok {
		return
	}
	for _, st := range n.streams {
		if s := st.subs[mesh.Endpoints.URL()]; s != nil && s.wants(name) {
			s.markName(name)
			s.urgent = true
		}
	}
}

func sortedNames[V any](set map[string]V) []string {
	out := make([]string, 0, len(set))
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
