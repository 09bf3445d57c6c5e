package upstream

import "math/rand/v2"

// localities spreads requests over localities by weight, and over the hosts of
// each by the cluster's balancer.
type localities struct {
	order *schedule // of one stand-in host for each locality
	of    map[*host]picker
}

// byLocality makes the picker of a priority with locality weights. A locality
// without a weight gets nothing; one that has lost hosts gets less, once more
// are lost than it is overprovisioned for. members are all hosts of the
// priority, chosen those that may be picked.
func (s viewSettings) byLocality(members []*host, chosen []entry) picker {
	all := map[locality]int{}
	for _, h := range members {
		all[h.spec.locality]++
	}
	groups := map[locality][]entry{}
	var order []locality
	for _, e := range chosen {
		at := e.spec.locality
		if groups[at] == nil {
			order = append(order, at)
		}
		groups[at] = append(groups[at], e)
	}
	share := map[locality]float64{}
	for _, at := range order {
		available := min(1, float64(s.overprovision)/100*float64(len(groups[at]))/float64(all[at]))
		share[at] = float64(s.localityWeight[place{members[0].spec.priority, at}]) * available
	}
	if s.balancer.hashing() {
		return s.weightedRing(order, groups, share)
	}
	l := localities{of: map[*host]picker{}}
	stands := map[*host]float64{}
	var entries []entry
	for _, at := range order {
		if share[at] == 0 {
			continue
		}
		stand := &host{}
		stands[stand] = share[at]
		l.of[stand] = s.balancer.newPicker(groups[at], rand.Uint64())
		entries = append(entries, entry{stand, 1})
	}
	if len(entries) == 0 {
		return nil
	}
	l.order = newSchedule(entries, func(e entry) float64 { return stands[e.host] })
	return l
}

func (l localities) pick(hash uint64, attempt int) *host {
	return l.of[l.order.pick(hash, attempt)].pick(hash, attempt)
}

// weightedRing is one ring or table over all localities, a host's part of which
// is its part of its locality's.
func (s viewSettings) weightedRing(order []locality, groups map[locality][]entry, share map[locality]float64) picker {
	const parts = 1 << 20 // fine enough, and far from overflow
	total := 0.0
	for _, at := range order {
		total += share[at]
	}
	var out []entry
	for _, at := range order {
		sum := 0.0
		for _, e := range groups[at] {
			sum += float64(e.weight)
		}
		for _, e := range groups[at] {
			if w := parts * share[at] / total * float64(e.weight) / sum; w >= 1 {
				out = append(out, entry{e.host, uint32(w)})
			}
		}
	}
	return s.balancer.newPicker(out, 0)
}
