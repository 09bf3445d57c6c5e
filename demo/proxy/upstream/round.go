package upstream

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// newRound is round robin: plain when all weights are equal, else by earliest
// deadline, which spreads each host's turns over the round.
func newRound(hosts []entry, seed uint64) picker {
	if equalWeights(hosts) {
		r := &round{hosts: hosts}
		r.next.Store(seed % uint64(len(hosts)))
		return r
	}
	return newSchedule(hosts, func(e entry) float64 { return float64(e.weight) })
}

// round takes one host after the other.
type round struct {
	hosts []entry
	next  atomic.Uint64
}

func (r *round) pick(uint64, int) *host {
	return r.hosts[(r.next.Add(1)-1)%uint64(len(r.hosts))].host
}

// randomPicker takes any host; weights play no part, as in Envoy.
type randomPicker []entry

func (r randomPicker) pick(uint64, int) *host { return r[rand.IntN(len(r))].host }

// schedule is an earliest-deadline-first schedule: a host of weight w comes
// every 1/w, and the one that is due first is taken.
type schedule struct {
	weight func(entry) float64

	mu  sync.Mutex
	due dueHeap
}

type dueEntry struct {
	entry
	at    float64
	order int // breaks ties, so that hosts keep their order
}

// newSchedule makes a schedule of the hosts; weight is asked anew at each turn.
func newSchedule(hosts []entry, weight func(entry) float64) *schedule {
	s := &schedule{weight: weight, due: make(dueHeap, len(hosts))}
	for i, h := range hosts {
		s.due[i] = dueEntry{entry: h, at: 1 / weight(h), order: i}
	}
	heap.Init(&s.due)
	return s
}

func (s *schedule) pick(uint64, int) *host {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := &s.due[0]
	h := first.host
	first.at += 1 / s.weight(first.entry)
	heap.Fix(&s.due, 0)
	return h
}

// dueHeap is a heap by deadline.
type dueHeap []dueEntry

func (d dueHeap) Len() int { return len(d) }
func (d dueHeap) Less(i, j int) bool {
	if d[i].at != d[j].at {
		return d[i].at < d[j].at
	}
	return d[i].order < d[j].order
}
func (d dueHeap) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *dueHeap) Push(x any)   { *d = append(*d, x.(dueEntry)) }
func (d *dueHeap) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	*d = (*d)[:last]
	return x
}

// newLeast is least request. With equal weights the least busy of a few random
// hosts is taken (or of all, with a full scan); with different weights hosts
// come in turn as round robin does, each with its weight divided by what it has
// to do already.
func newLeast(b *balancerSettings, hosts []entry) picker {
	if b.fullScan {
		return &least{hosts: hosts, choices: len(hosts), full: true}
	}
	if equalWeights(hosts) {
		return &least{hosts: hosts, choices: b.choices}
	}
	return newSchedule(hosts, func(e entry) float64 {
		busy := float64(e.active.Load() + 1)
		if b.bias != 1 {
			busy = math.Pow(busy, b.bias)
		}
		return float64(e.weight) / busy
	})
}

// least compares a number of hosts by their active requests.
type least struct {
	hosts   []entry
	choices int
	full    bool
}

func (l *least) pick(uint64, int) *host {
	if l.full {
		return l.scan()
	}
	best := l.hosts[rand.IntN(len(l.hosts))].host
	for range l.choices - 1 {
		if other := l.hosts[rand.IntN(len(l.hosts))].host; other.active.Load() < best.active.Load() {
			best = other
		}
	}
	return best
}

// scan looks at all hosts from a random one on, so that equally idle ones share
// the load; a host's active requests count less the greater its weight.
func (l *least) scan() *host {
	begin := rand.IntN(len(l.hosts))
	best, score := l.hosts[begin], load(l.hosts[begin])
	for i := 1; i < len(l.hosts); i++ {
		h := l.hosts[(begin+i)%len(l.hosts)]
		if s := load(h); s < score {
			best, score = h, s
		}
	}
	return best.host
}

func load(e entry) float64 { return float64(e.active.Load()+1) / float64(e.weight) }
