package truth

import (
	"cmp"
	"slices"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

func join(n *xds.Node, f *envoy.Facts, offered *mesh.Mesh, now time.Time) *Node {
	out := &Node{ID: n.ID, Connected: n.Connected, At: now}
	if f != nil {
		out.Seen, out.Why = f.At, f.Err
		out.Stale = !f.At.IsZero() && f.Stale(now)
		out.Foreign = foreign(f)
	}
	w := witness{node: n, facts: f, offered: offered, now: now}
	for _, k := range w.keys() {
		out.Resources = append(out.Resources, w.resource(k))
	}
	for i := range out.Resources {
		out.Worst = worse(out.Worst, out.Resources[i].Verdict)
	}
	out.Types = w.types(out.Resources)
	return out
}

// worse is the worse of two verdicts, of which 0 is none.
func worse(a, b Verdict) Verdict {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func foreign(f *envoy.Facts) []Foreign {
	var out []Foreign
	for k, origin := range f.Foreign {
		out = append(out, Foreign{Key: k, Origin: origin})
	}
	slices.SortFunc(out, func(a, b Foreign) int { return compareKeys(a.Key, b.Key) })
	return out
}

// compareKeys orders by type, as a request meets them, and by name.
func compareKeys(a, b mesh.Key) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

// witness is everything that is known of one node.
type witness struct {
	node    *xds.Node
	facts   *envoy.Facts // nil when nobody looks into the node
	offered *mesh.Mesh
	now     time.Time
}

// keys are what was served, and what is offered and was not.
func (w *witness) keys() []mesh.Key {
	out := make([]mesh.Key, 0, w.node.Resources.Len())
	for k := range w.node.Resources.All() {
		out = append(out, k)
	}
	for _, r := range w.offered.All() {
		if !w.node.Resources.Has(r.Key) {
			out = append(out, r.Key)
		}
	}
	slices.SortFunc(out, compareKeys)
	return out
}

// resource gathers the marks of one resource and judges them.
func (w *witness) resource(k mesh.Key) Resource {
	st, served := w.node.Resources.Get(k), w.node.Resources.Has(k)
	r := Resource{Key: k, Revision: st.Revision}
	if served {
		r.Served, r.Acked = said(st.Served), said(st.Acked)
	}
	if st.Rejected != nil {
		r.Rejected, r.Words = said(st.Rejected.Fact), st.Rejected.Detail
	}
	e := w.evidence(k, st)
	switch e.active.State {
	case envoy.ActiveSame:
		r.Active = seen(e.active.Since, e.at)
	case envoy.Warming:
		r.Warming = seen(e.active.Since, e.at)
	case envoy.ActiveOther, envoy.Overridden:
		r.Instead = e.active.Instead
	}
	if e.traffic != nil {
		r.Requests, r.Counted = e.traffic.Requests, true
		if r.Requests > 0 && r.Active.Yes() {
			r.Carrying = Mark{At: e.traffic.To, Source: Admin}
		}
	}
	r.Partly = st.Rejected != nil && (r.Active.Yes() || r.Warming.Yes() && !refused(k, st.Rejected))
	r.Verdict, r.Says = w.judge(&r, st, e)
	return r
}

// said is a fact of the stream.
func said(f xds.Fact) Mark {
	if f.At.IsZero() {
		return Mark{}
	}
	return Mark{At: f.At, Source: Stream}
}

// seen is a fact of the admin interface, which may say since when it holds.
func seen(since, at time.Time) Mark {
	if since.IsZero() {
		since = at
	}
	return Mark{At: since, Source: Admin}
}

// evidence is what the admin interface says of one resource, in so far as it
// speaks of the version that is served.
type evidence struct {
	active  envoy.Active // NotObservable where nothing can be said
	at      time.Time    // when it was looked at; zero when it was not
	early   bool         // it was looked at before the node had answered
	traffic *envoy.Traffic
}

// evidence is about what was served last only if the node was looked into after
// that. That it is not active is known only if the node was looked into after it
// had answered: until then it may be at it.
func (w *witness) evidence(k mesh.Key, st xds.ResourceStatus) evidence {
	f := w.facts
	if f == nil || f.At.IsZero() {
		return evidence{}
	}
	e := evidence{active: f.Active[k], at: f.At}
	if t, ok := f.Traffic[k]; ok {
		e.traffic = &t
	}
	switch e.active.State {
	case envoy.ActiveSame, envoy.Warming:
		if !f.At.After(st.Served.At) {
			e.active, e.early = envoy.Active{}, true
		}
	case envoy.ActiveOther, envoy.Absent:
		if answered := answeredAt(st); answered.IsZero() || !f.At.After(answered) {
			e.active, e.early = envoy.Active{}, true
		}
	case envoy.NotObservable: // also of what was served after the look
		e.early = !f.At.After(st.Served.At)
	}
	return e
}

// answeredAt is when the node answered what it was served last; zero when it
// has not.
func answeredAt(st xds.ResourceStatus) time.Time {
	if st.Rejected != nil {
		return st.Rejected.At
	}
	return st.Acked.At
}

// types sums up the conversation about each type.
func (w *witness) types(resources []Resource) []Type {
	var out []Type
	for _, t := range mesh.Types() {
		ts, spoken := w.node.Types[t]
		sum := Type{Type: t, Subscribed: len(ts.Subscribed), Version: ts.Sent.Version, Nonce: ts.Sent.Nonce, Sent: said(ts.Sent), Acked: said(ts.Acked)}
		if ts.Wildcard {
			sum.Subscribed = -1
		}
		if ts.Rejected != nil {
			sum.Rejected, sum.Words = said(ts.Rejected.Fact), ts.Rejected.Detail
		}
		if w.facts != nil {
			sum.Refusals = w.facts.Rejected[t]
		}
		for i := range resources {
			if resources[i].Key.Type == t {
				sum.Resources++
				sum.Worst = worse(sum.Worst, resources[i].Verdict)
			}
		}
		if spoken || sum.Resources > 0 {
			out = append(out, sum)
		}
	}
	return out
}
