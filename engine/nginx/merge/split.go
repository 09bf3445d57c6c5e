package merge

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// shareList is the list of a split's clusters; weights handles it.
const shareList = "envoy.config.route.v3.WeightedCluster.clusters"

// weights gives a split the clusters and shares that the edit has, in the mesh's
// own scale where they fit.
func (m *merger) weights(r target, from, to *routev3.Route) {
	ours, _ := r.message.Interface().(*routev3.Route)
	was, now, have := from.GetRoute().GetWeightedClusters(), to.GetRoute().GetWeightedClusters(), ours.GetRoute().GetWeightedClusters()
	if now == nil || have == nil || was != nil && sameShares(was, now) {
		return
	}
	list := spot{r.key, below(r.path, "route.weighted_clusters.clusters")}
	n := len(have.GetClusters())
	at := map[string]int{} // of ours, by what it is called in the edit
	share, fit := scaled(now, have)
	for i, c := range have.GetClusters() {
		name := c.GetName()
		if to := m.renamed[name]; to != "" && share[to] > 0 {
			name = to
			m.ops.set[spot{r.key, below(r.path, fmt.Sprintf("route.weighted_clusters.clusters[%d].name", i))}] = quoted(to)
		}
		if _, ok := share[name]; !ok && name != "" {
			m.removeItem(list, n, i)
			m.say("%s: no share", name)
			continue
		}
		at[name] = i
		if w := share[name]; name != "" && w != uint64(c.GetWeight().GetValue()) {
			m.ops.set[spot{r.key, below(r.path, fmt.Sprintf("route.weighted_clusters.clusters[%d].weight", i))}] = fmt.Sprint(w)
			m.say("%s: weight %d", name, w)
		}
	}
	before := 0
	for _, c := range now.GetClusters() {
		if i, ok := at[c.GetName()]; ok {
			before = i + 1
			continue
		}
		at[c.GetName()] = before
		w := share[c.GetName()]
		m.insertValue(list, n, before, &routev3.WeightedCluster_ClusterWeight{Name: c.GetName(), Weight: wrapperspb.UInt32(uint32(min(w, 1<<32-1)))}) //nolint:gosec // it is bounded
		m.say("%s: weight %d", c.GetName(), w)
	}
	if !fit && have.GetTotalWeight().GetValue() > 0 { //nolint:staticcheck // old meshes have it
		m.ops.gone[spot{r.key, below(r.path, "route.weighted_clusters.total_weight")}] = true
	}
}

func sameShares(a, b *routev3.WeightedCluster) bool {
	x, y := weightsOf(a), weightsOf(b)
	if len(x) != len(y) {
		return false
	}
	for name, w := range x {
		if y[name] != w {
			return false
		}
	}
	return true
}

// weightsOf are the weights by name.
func weightsOf(w *routev3.WeightedCluster) map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range w.GetClusters() {
		out[c.GetName()] += uint64(c.GetWeight().GetValue())
	}
	return out
}

// scaled are the weights of an import in the scale of ours; fit is false where
// they do not fit that and stay in the import's.
func scaled(now, have *routev3.WeightedCluster) (share map[string]uint64, fit bool) {
	share = weightsOf(now)
	total, scale := uint64(0), uint64(0)
	for _, w := range share {
		total += w
	}
	for _, c := range have.GetClusters() {
		scale += uint64(c.GetWeight().GetValue())
	}
	fit = total > 0 && scale > 0
	for _, w := range share {
		fit = fit && w*scale%max(1, total) == 0
	}
	if fit {
		for name, w := range share {
			share[name] = w * scale / total
		}
	}
	return share, fit
}
