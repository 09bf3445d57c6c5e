package upstream

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// hashKey is what places a host on a ring or table.
func (b *balancerSettings) hashKey(h *host) string {
	if b.byHostname && h.hostname != "" {
		return h.hostname
	}
	return h.address
}

// ring is a consistent hash: every host stands on it many times, in proportion
// to its weight, and a key belongs to the next host on it.
type ring []ringPoint

type ringPoint struct {
	hash uint64
	*host
}

// newRing makes the ring. The host of the least weight stands on it as often as
// is needed for the ring to have its least size with whole numbers of points.
func newRing(b *balancerSettings, hosts []entry) ring {
	total, lightest := 0.0, math.MaxFloat64
	for _, h := range hosts {
		total += float64(h.weight)
		lightest = min(lightest, float64(h.weight))
	}
	lightest /= total
	scale := min(math.Ceil(lightest*float64(b.ringMin))/lightest, float64(b.ringMax))
	r := make(ring, 0, int(math.Ceil(scale)))
	current, target := 0.0, 0.0
	for _, h := range hosts {
		target += scale * float64(h.weight) / total
		key := b.hashKey(h.host) + "_"
		for i := 0; current < target; i++ {
			r = append(r, ringPoint{XXHash(key+strconv.Itoa(i), 0), h.host})
			current++
		}
	}
	slices.SortFunc(r, func(a, b ringPoint) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	return r
}

func (r ring) pick(hash uint64, attempt int) *host {
	at := sort.Search(len(r), func(i int) bool { return r[i].hash >= hash })
	return r[(at+attempt)%len(r)].host
}

// table is a Maglev table: a prime number of slots, filled by the hosts in turn,
// each in its own order. A key belongs to its slot's host.
type table []*host

// filling is a host while the table is filled.
type filling struct {
	*host
	offset, skip, next uint64
	share, target      float64
}

func newTable(b *balancerSettings, hosts []entry) table {
	// The table does not depend on the order in which the hosts were told.
	hosts = slices.SortedFunc(slices.Values(hosts), func(x, y entry) int {
		return strings.Compare(b.hashKey(x.host), b.hashKey(y.host))
	})
	total, heaviest := 0.0, 0.0
	for _, h := range hosts {
		total += float64(h.weight)
		heaviest = max(heaviest, float64(h.weight))
	}
	heaviest /= total
	fill := make([]filling, len(hosts))
	for i, h := range hosts {
		key := b.hashKey(h.host)
		fill[i] = filling{
			host: h.host, share: float64(h.weight) / total, offset: XXHash(key, 0) % b.tableSize, skip: XXHash(key, 1)%(b.tableSize-1) + 1,
		}
	}
	t := make(table, b.tableSize)
	for left, turn := len(t), 1; left > 0; turn++ {
		for i := range fill {
			f := &fill[i]
			// A lighter host sits out the turns that its weight does not pay for.
			if left == 0 || float64(turn)*f.share < f.target {
				continue
			}
			f.target += heaviest
			t[f.slot(t)] = f.host
			left--
		}
	}
	return t
}

// slot is the first free one in the host's own order.
func (f *filling) slot(t table) uint64 {
	for {
		at := (f.offset + f.skip*f.next) % uint64(len(t))
		f.next++
		if t[at] == nil {
			return at
		}
	}
}

func (t table) pick(hash uint64, attempt int) *host {
	if attempt > 0 {
		hash ^= ^uint64(0) - uint64(attempt) + 1
	}
	return t[hash%uint64(len(t))]
}
