package upstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries are hosts of these weights, each named by its number.
func entries(weights ...uint32) []entry {
	out := make([]entry, len(weights))
	for i, w := range weights {
		out[i] = entry{newHost(spec{address: fmt.Sprint(i)}), w}
	}
	return out
}

func order(p picker, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(p.pick(0, 0).address)
	}
	return b.String()
}

func TestRoundRobin(t *testing.T) {
	b := newBalancerSettings(roundRobin)
	if got := order(b.newPicker(entries(1, 1, 1), 1), 7); got != "1201201" {
		t.Errorf("equal weights: %s", got)
	}
	// Turns are spread: no host has all of its turns at once, as it would be with
	// one after the other.
	got := order(b.newPicker(entries(5, 1, 1), 0), 70)
	if strings.Count(got, "0") != 50 || strings.Count(got, "1") != 10 || strings.Contains(got, "00000000") || strings.Contains(got, "11") {
		t.Errorf("weights 5, 1, 1: %s", got)
	}
}

func TestRandom(t *testing.T) {
	b := newBalancerSettings(randomHost)
	p := b.newPicker(entries(1, 100), 0)
	n := strings.Count(order(p, 10_000), "0")
	if n < 4700 || n > 5300 {
		t.Errorf("one of two hosts got %d of 10,000, whatever its weight", n)
	}
}

// busy gives hosts their active requests.
func busy(hosts []entry, active ...int64) []entry {
	for i, n := range active {
		hosts[i].active.Store(n)
	}
	return hosts
}

func TestLeastRequest(t *testing.T) {
	b := newBalancerSettings(leastRequest)
	// The busier of two is taken only when both looks fall on it: 1 in 4.
	n := strings.Count(order(b.newPicker(busy(entries(1, 1), 5, 0), 0), 10_000), "0")
	if n < 2300 || n > 2700 {
		t.Errorf("the busier of two hosts got %d of 10,000, about 2,500 would be right", n)
	}
	b.choices = 6
	if n := strings.Count(order(b.newPicker(busy(entries(1, 1), 5, 0), 0), 10_000), "0"); n > 300 {
		t.Errorf("with six looks it got %d, about 156 would be right", n)
	}
	b.fullScan = true
	if got := order(b.newPicker(busy(entries(1, 1, 1), 3, 1, 2), 0), 20); got != strings.Repeat("1", 20) {
		t.Errorf("full scan: %s", got)
	}
	if n := strings.Count(order(b.newPicker(busy(entries(1, 1, 1), 0, 0, 9), 0), 10_000), "0"); n < 4000 || n > 7500 {
		t.Errorf("full scan of equally idle hosts: one got %d of 10,000", n)
	}
}

func TestLeastRequestWithWeights(t *testing.T) {
	b := newBalancerSettings(leastRequest)
	count := func(hosts []entry) int { return strings.Count(order(b.newPicker(hosts, 0), 1000), "0") }
	if n := count(entries(3, 1)); n != 750 {
		t.Errorf("idle hosts of weights 3 and 1: %d of 1,000", n)
	}
	if n := count(busy(entries(3, 1), 2, 0)); n != 500 { // 3/(2+1) against 1
		t.Errorf("the heavy one with two requests: %d of 1,000", n)
	}
	b.bias = 0.0001
	if n := count(busy(entries(3, 1), 2, 0)); n != 750 && n != 749 {
		t.Errorf("with no bias requests count for nothing: %d of 1,000", n)
	}
}

// keys finds the host of each of n keys.
func keys(p picker, n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		out[i] = p.pick(r.Uint64(), 0).address
	}
	return out
}

func TestConsistentHashing(t *testing.T) {
	for _, tc := range []struct {
		kind      balancerKind
		mostMoved int // of 10,000 keys, beside those of the host that goes
	}{{ringHash, 0}, {maglev, 300}} {
		b := newBalancerSettings(tc.kind)
		hosts := entries(1, 1, 1, 1)
		before := keys(b.newPicker(hosts, 0), 10_000)
		if d := cmp.Diff(before, keys(b.newPicker(hosts, 9), 10_000)); d != "" {
			t.Errorf("%d: the same hash finds another host: %s", tc.kind, d)
		}
		after := keys(b.newPicker(hosts[:3], 0), 10_000)
		moved, of := 0, map[string]int{}
		for i := range before {
			of[before[i]]++
			if before[i] != "3" && before[i] != after[i] {
				moved++
			}
			if after[i] == "3" {
				t.Fatalf("%d: a key goes to the host that went", tc.kind)
			}
		}
		// A ring whose size is kept gives hosts more points when one goes, so that
		// keys of others move; with the points kept none would.
		if tc.kind == maglev && moved > tc.mostMoved {
			t.Errorf("%d: %d keys of hosts that stay moved", tc.kind, moved)
		}
		if tc.kind == ringHash && moved > 4000 {
			t.Errorf("%d: %d keys of hosts that stay moved", tc.kind, moved)
		}
		for h, n := range of {
			if n < 1800 || n > 3300 {
				t.Errorf("%d: host %s has %d of 10,000 keys", tc.kind, h, n)
			}
		}
	}
}

func TestHashingByWeight(t *testing.T) {
	for _, kind := range []balancerKind{ringHash, maglev} {
		b := newBalancerSettings(kind)
		n := strings.Count(strings.Join(keys(b.newPicker(entries(1, 3), 0), 10_000), ""), "1")
		if n < 6800 || n > 8200 {
			t.Errorf("%d: weight 3 of 4 has %d of 10,000 keys", kind, n)
		}
	}
}

func TestHashingByHostname(t *testing.T) {
	b := newBalancerSettings(ringHash)
	b.byHostname = true
	hosts := entries(1, 1)
	for i, h := range hosts {
		h.hostname = fmt.Sprintf("host-%d", i)
	}
	before := keys(b.newPicker(hosts, 0), 100)
	hosts[0].address, hosts[1].address = "0.", "1."
	for i, after := range keys(b.newPicker(hosts, 0), 100) {
		if after != before[i]+"." {
			t.Fatalf("key %d moved when the address changed", i)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, size := range []int{10, 1000} {
		for name, change := range map[string]func(*balancerSettings, []entry){
			"round robin":   func(*balancerSettings, []entry) {},
			"weighted":      func(_ *balancerSettings, e []entry) { e[0].weight = 2 },
			"least request": func(s *balancerSettings, _ []entry) { s.kind = leastRequest },
			"random":        func(s *balancerSettings, _ []entry) { s.kind = randomHost },
			"ring hash":     func(s *balancerSettings, _ []entry) { s.kind = ringHash },
			"maglev":        func(s *balancerSettings, _ []entry) { s.kind = maglev },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				s := newBalancerSettings(roundRobin)
				hosts := make([]entry, size)
				for i := range hosts {
					hosts[i] = entry{newHost(spec{address: fmt.Sprintf("10.0.%d.%d:80", i/256, i%256)}), 1}
				}
				change(&s, hosts)
				p := s.newPicker(hosts, 0)
				b.ReportAllocs()
				hash := uint64(1)
				for b.Loop() {
					hash = hash*prime1 + 1
					p.pick(hash, 0)
				}
			})
		}
	}
}
