package upstream

import (
	"math/rand/v2"
	"slices"
)

// view is the hosts of a cluster as requests see them: by priority and health,
// with the share of the load that each priority takes. It does not change; the
// pickers in it have their own state.
type view struct {
	levels []level // by priority, those without hosts included
}

// level is one priority.
type level struct {
	healthyLoad  int // percent of the requests that go to its healthy hosts
	degradedLoad int // and to its degraded ones
	panics       bool
	healthy      picker
	degraded     picker
	all          picker // only set while it panics
}

// census counts the hosts of one priority, excluded ones left out of total.
type census struct {
	members                  int // all of them
	total, healthy, degraded int
	// The same by weight, for weighted priority health.
	totalWeight, healthyWeight, degradedWeight uint64
}

// viewSettings are what a view depends on besides the hosts.
type viewSettings struct {
	*settings
	overprovision  uint64 // percent
	weightedHealth bool
	localityWeight map[place]uint32 // load_balancing_weight of a locality
}

// place is a locality of one priority.
type place struct {
	priority uint32
	locality locality
}

// newView reckons who takes what. It needs Cluster.mu, for the hosts.
func newView(s viewSettings, hosts []*host) *view {
	top := uint32(0)
	for _, h := range hosts {
		top = max(top, h.spec.priority)
	}
	byLevel := make([][]*host, top+1)
	for _, h := range hosts {
		byLevel[h.spec.priority] = append(byLevel[h.spec.priority], h)
	}
	counts := make([]census, len(byLevel))
	for i, members := range byLevel {
		counts[i] = count(members)
	}
	v := &view{levels: make([]level, len(byLevel))}
	v.share(s, counts)
	for i, members := range byLevel {
		v.levels[i].fill(s, members)
	}
	return v
}

func count(members []*host) census {
	c := census{members: len(members)}
	for _, h := range members {
		if h.excluded() {
			continue
		}
		w := uint64(h.spec.weight)
		c.total++
		c.totalWeight += w
		switch h.standing() {
		case healthy:
			c.healthy++
			c.healthyWeight += w
		case degraded:
			c.degraded++
			c.degradedWeight += w
		}
	}
	return c
}

// share divides the requests among the priorities, as Envoy does: each takes as
// much as its healthy hosts, overprovisioned, can bear, the higher first; then
// degraded hosts; and all hosts by their number where every priority panics.
func (v *view) share(s viewSettings, counts []census) {
	healthyPart, degradedPart, sum := make([]uint64, len(counts)), make([]uint64, len(counts)), uint64(0)
	for i, c := range counts {
		healthyPart[i], degradedPart[i] = c.availability(s)
		sum += healthyPart[i] + degradedPart[i]
	}
	sum = min(sum, 100)
	left := 100
	for i := range v.levels {
		v.levels[i].healthyLoad = part(healthyPart[i], sum, left)
		left -= v.levels[i].healthyLoad
	}
	for i := range v.levels {
		v.levels[i].degradedLoad = part(degradedPart[i], sum, left)
		left -= v.levels[i].degradedLoad
	}
	v.round(left)
	v.panic(s, counts, sum)
}

// availability is how many percent of the load the priority can bear.
func (c census) availability(s viewSettings) (healthy, degraded uint64) {
	all, well, half := uint64(c.total), uint64(c.healthy), uint64(c.degraded)
	if s.weightedHealth {
		all, well, half = c.totalWeight, c.healthyWeight, c.degradedWeight
	}
	if all == 0 {
		return 0, 0
	}
	return min(100, s.overprovision*well/all), min(100, s.overprovision*half/all)
}

func part(available, sum uint64, left int) int {
	if sum == 0 {
		return 0
	}
	return min(left, int(available*100/sum))
}

// round gives what integer division lost to the first priority that takes any.
func (v *view) round(left int) {
	for i := range v.levels {
		if l := &v.levels[i]; l.healthyLoad > 0 {
			l.healthyLoad += left
			return
		}
	}
	for i := range v.levels {
		if l := &v.levels[i]; l.degradedLoad > 0 {
			l.degradedLoad += left
			return
		}
	}
}

// panic finds the priorities with too few good hosts, which use all of theirs.
func (v *view) panic(s viewSettings, counts []census, sum uint64) {
	if sum == 0 && s.panicPercent == 0 {
		v.levels[0].healthyLoad = 100 // nobody is there to take it
		return
	}
	everywhere := true
	for i, c := range counts {
		good := 0.0
		if c.total > 0 {
			good = 100 * float64(c.healthy+c.degraded) / float64(c.total)
		}
		v.levels[i].panics = sum < 100 && good < s.panicPercent
		everywhere = everywhere && v.levels[i].panics
	}
	if everywhere {
		v.shareInPanic(counts)
	}
}

func (v *view) shareInPanic(counts []census) {
	total := 0
	for _, c := range counts {
		total += c.members
	}
	left, first := 100, -1
	for i, c := range counts {
		l := &v.levels[i]
		l.healthyLoad, l.degradedLoad = 0, 0
		if c.members == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		l.healthyLoad = 100 * c.members / total
		left -= l.healthyLoad
	}
	v.levels[max(0, first)].healthyLoad += left
}

// fill makes the pickers of one priority.
func (l *level) fill(s viewSettings, members []*host) {
	l.healthy = s.picker(members, healthy)
	l.degraded = s.picker(members, degraded)
	if l.panics && !s.failOnPanic {
		l.all = s.picker(members, healthy, degraded, unhealthy)
	}
}

// picker makes the picker of those members that stand as one of these.
func (s viewSettings) picker(members []*host, as ...standing) picker {
	var chosen []entry
	for _, h := range members {
		if slices.Contains(as, h.standing()) {
			chosen = append(chosen, entry{h, h.spec.weight})
		}
	}
	if s.localityWeights && len(chosen) > 0 {
		return s.byLocality(members, chosen)
	}
	return s.balancer.newPicker(chosen, rand.Uint64())
}

// choose picks a host; a nil one when nobody can take the request. random
// decides the priority and, without a hash, the place on a ring; avoid says no
// to hosts that were tried, tries times at most.
func (v *view) choose(random uint64, tries int, avoid func(*host) bool) (h *host, panicked bool) {
	from, panicked := v.source(int(random % 100))
	if from == nil {
		return nil, panicked
	}
	for i := 0; ; i++ {
		h = from.pick(random, i)
		if i >= tries || !avoid(h) {
			return h, panicked
		}
	}
}

// source finds which hosts of which priority take a request; percent is below 100.
func (v *view) source(percent int) (from picker, panicked bool) {
	for i := range v.levels {
		l := &v.levels[i]
		if percent < l.healthyLoad {
			if l.panics {
				return l.all, true
			}
			return l.healthy, false
		}
		percent -= l.healthyLoad
	}
	for i := range v.levels {
		l := &v.levels[i]
		if percent < l.degradedLoad {
			if l.panics {
				return l.all, true
			}
			return l.degraded, false
		}
		percent -= l.degradedLoad
	}
	return nil, false
}
