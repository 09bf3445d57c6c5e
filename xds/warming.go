package xds

import (
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// On an aggregated stream Envoy withholds its answer to clusters while one of
// them is warming, from the first to the last. What it waits for meanwhile is
// told here, so that a withheld answer is not taken for a lost one.

const (
	// warmLook is the time between two questions after what is warming.
	warmLook = 250 * time.Millisecond
	// warmWords begin what a step waits for that waits for clusters.
	warmWords = "warm: "
	// fewWarming is how many clusters are named in words.
	fewWarming = 5
)

// warming lists the clusters for which the answer on a subscription may be
// withheld, in order: those that the node itself says are warming where that is
// known, else those of its open responses that lack something.
func (n *node) warming(s *sub, now time.Time) []string {
	if s.typ != mesh.Cluster || !s.stream.ads() || len(s.open) == 0 {
		return nil
	}
	sent := map[string]time.Time{}
	for _, rec := range s.open {
		for _, k := range rec.changed {
			sent[k.Name] = rec.at
		}
	}
	var names []string
	for _, name := range n.saysWarming(s.open[len(s.open)-1].at, now) {
		if _, ok := sent[name]; ok {
			names = append(names, name)
		}
	}
	if names != nil {
		return slices.Compact(slices.Sorted(slices.Values(names)))
	}
	for _, name := range sortedNames(sent) {
		if r := n.offered.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name}); r != nil {
			if _, cold := n.lacks(r, sent[name]); cold {
				names = append(names, name)
			}
		}
	}
	return names
}

// saysWarming are the clusters that the node itself says are warming; nil when
// it was not asked since the given time.
func (n *node) saysWarming(since, now time.Time) []string {
	if n.srv.o.Warming == nil {
		return nil
	}
	names, at, ok := n.srv.o.Warming(n.id)
	if !ok || !at.After(since) || now.Sub(at) > drainStale {
		return nil
	}
	return names
}

// lacks reports whether a cluster that was sent at some time may not be warm
// yet, and what it waits for, where that can be said.
func (n *node) lacks(r *mesh.Resource, sent time.Time) (what string, cold bool) {
	c, ok := r.Message.(*clusterv3.Cluster)
	if !ok || c.GetWaitForWarmOnInit() != nil && !c.GetWaitForWarmOnInit().GetValue() {
		return "", false
	}
	for _, ref := range mesh.References(r) {
		switch {
		case ref.To.Type == mesh.Endpoints && n.offered.mesh.Get(ref.To) == nil:
			return "no endpoints are served for it", true
		case ref.To.Type == mesh.Secret && n.offered.mesh.Get(ref.To) == nil:
			return ref.To.String() + " is not served", true
		case ref.To.Type == mesh.Endpoints && n.awaits(ref.To, sent), ref.To.Type == mesh.Secret && n.awaits(ref.To, time.Time{}):
			return "", true
		}
	}
	switch {
	case len(c.GetHealthChecks()) > 0:
		return "its first health checks", true
	case c.GetClusterType() != nil, c.GetType() == clusterv3.Cluster_STRICT_DNS, c.GetType() == clusterv3.Cluster_LOGICAL_DNS:
		return "its host names to be resolved", true
	}
	return "", false
}

// awaits reports whether the node is yet to answer a resource that was sent to it
// at that time or later. A refusal is an answer.
func (n *node) awaits(k mesh.Key, since time.Time) bool {
	st, sent := n.status[k]
	return !sent || st.Rejected == nil && (st.Acked == (Fact{}) || st.Served.At.Before(since))
}

// warmingText says which clusters a step waits for, the first few of them, and
// what each waits for.
func (n *node) warmingText(names []string) string {
	var parts []string
	for i, name := range names {
		if i == fewWarming {
			parts = append(parts, "…")
			break
		}
		if r := n.offered.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name}); r != nil {
			if what, _ := n.lacks(r, time.Time{}); what != "" {
				name += " (" + what + ")"
			}
		}
		parts = append(parts, name)
	}
	return warmWords + strings.Join(parts, ", ")
}

// hurry has a response that takes away what holds an answer up go at once: it is
// not held back until that answer, which it brings about.
func (n *node) hurry(step plan.Step, now time.Time) {
	for _, st := range n.counting() {
		s := st.subs[mesh.Cluster.URL()]
		if s == nil {
			continue
		}
		cold := n.warming(s, now)
		s.urgent = s.urgent || len(cold) > 0 && slices.ContainsFunc(step.ByType[mesh.Cluster], func(c mesh.Change) bool {
			return c.New == nil && slices.Contains(cold, c.Key.Name)
		})
	}
}

// noteWarming enters which clusters the step waits for.
func (n *node) noteWarming(names []string) {
	if slices.Equal(n.run.warming, names) {
		return
	}
	n.run.warming = names
	n.view = nil
	n.srv.changed()
}
