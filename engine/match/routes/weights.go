package routes

import (
	"fmt"
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// byWeight takes one of several clusters, or leaves them open when the value
// that decides is not known.
func (o *Outcome) byWeight(w *routev3.WeightedCluster, v *view) {
	var total uint64
	for i, c := range w.GetClusters() {
		weight := weightOf(w, c, v)
		one := Weighted{Name: c.GetName(), Weight: uint32(weight), Index: i}
		if one.Name == "" {
			one.Header = c.GetClusterHeader()
			one.Name, _ = v.first(lower(one.Header))
		}
		o.Weighted = append(o.Weighted, one)
		total += weight
	}
	if total == 0 {
		o.Why = "the weights sum to 0, and Envoy refuses that"
		return
	}
	value, from, known := selector(w, v)
	if !known {
		o.openWeights(w)
		return
	}
	at := value % total
	for i, c := range w.GetClusters() {
		if weight := uint64(o.Weighted[i].Weight); at >= weight {
			at -= weight
			continue
		}
		o.Why = fmt.Sprintf("weight %d of %d, %s", o.Weighted[i].Weight, total, from)
		o.take(c, i)
		return
	}
}

// weightOf is a cluster's weight in force: a runtime key may override it.
func weightOf(w *routev3.WeightedCluster, c *routev3.WeightedCluster_ClusterWeight, v *view) uint64 {
	if p := w.GetRuntimeKeyPrefix(); p != "" {
		if n, ok := v.r.Runtime[p+"."+c.GetName()]; ok && n >= 0 && n <= 1<<32-1 {
			return uint64(n)
		}
	}
	return uint64(c.GetWeight().GetValue())
}

// selector is the value that chooses among the weights, and in words where it
// is from.
func selector(w *routev3.WeightedCluster, v *view) (value uint64, from string, known bool) {
	if name := w.GetHeaderName(); name != "" {
		if text, times := v.first(lower(name)); times == 1 {
			if n, ok := unsigned(text); ok {
				return n, fmt.Sprintf("header %s is %d", name, n), true
			}
		}
	}
	if w.GetUseHashPolicy().GetValue() || v.r.Random == nil {
		return 0, "", false
	}
	return *v.r.Random, fmt.Sprintf("random value %d", *v.r.Random), true
}

// openWeights says why no cluster could be chosen. Where one has all the
// weight, it could.
func (o *Outcome) openWeights(w *routev3.WeightedCluster) {
	only := -1
	for i := range o.Weighted {
		if o.Weighted[i].Weight > 0 {
			if only >= 0 {
				only = -1
				break
			}
			only = i
		}
	}
	switch {
	case only >= 0:
		o.Why = "it has all the weight"
		o.take(w.GetClusters()[only], only)
	case w.GetUseHashPolicy().GetValue():
		o.Why = "the hash policy chooses among the weights"
	default:
		o.Why = "a random value chooses among the weights"
	}
}

// take sends the request to one of the weighted clusters.
func (o *Outcome) take(c *routev3.WeightedCluster_ClusterWeight, i int) {
	o.Weight, o.Cluster = c, o.Weighted[i].Name
	if header := o.Weighted[i].Header; header != "" && o.Cluster == "" {
		o.Why += ", but header " + header + " is absent, and it would name the cluster"
	}
}

// unsigned reads a number as Envoy reads the value of a header.
func unsigned(s string) (uint64, bool) {
	n, err := strconv.ParseUint(trimNumber(s), 10, 64)
	return n, err == nil
}
