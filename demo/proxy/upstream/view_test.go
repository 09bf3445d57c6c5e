package upstream

import (
	"fmt"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/google/go-cmp/cmp"
)

// viewOf makes a view of hosts that are written a word each: a letter for how
// the host stands (h healthy, u failed its check, d drains, D degraded, e
// ejected, U UNHEALTHY, n new and left out until checked), the priority, and
// "xN" for a weight.
func viewOf(t *testing.T, s viewSettings, words string) *view {
	t.Helper()
	var hosts []*host
	for i, word := range strings.Fields(words) {
		var p, w uint32 = 0, 1
		if _, err := fmt.Sscanf(word[1:]+" ", "%dx%d ", &p, &w); err != nil {
			if _, err := fmt.Sscanf(word[1:]+" ", "%d ", &p); err != nil {
				t.Fatalf("%q: %v", word, err)
			}
		}
		h := newHost(spec{address: fmt.Sprintf("10.0.0.%d:80", i+1), priority: p, weight: w})
		switch word[0] {
		case 'u':
			h.health.failed = true
		case 'n':
			h.health.failed, h.health.pending = true, true
		case 'e':
			h.monitor.ejected = true
		case 'd':
			h.spec.eds = corev3.HealthStatus_DRAINING
		case 'D':
			h.spec.eds = corev3.HealthStatus_DEGRADED
		case 'U':
			h.spec.eds = corev3.HealthStatus_UNHEALTHY
		}
		hosts = append(hosts, h)
	}
	return newView(s, hosts)
}

func plainSettings() viewSettings {
	return viewSettings{
		settings:      &settings{panicPercent: 50, balancer: newBalancerSettings(roundRobin)},
		overprovision: defaultOverprovision,
	}
}

func TestViewShares(t *testing.T) {
	for _, tc := range []struct {
		name, hosts, want string // each priority: healthy+degraded, ! for panic
		change            func(*viewSettings)
	}{
		{"nobody", "", "100+0!", nil},
		{"one", "h0", "100+0", nil},
		{"half down is no panic", "h0 u0", "100+0", nil},
		{"less than half is", "h0 u0 u0", "100+0!", nil},
		{"all down", "u0 u0", "100+0!", nil},
		{"all down, threshold 0", "u0 u0", "100+0", func(s *viewSettings) { s.panicPercent = 0 }},
		{"two of three draining are left out", "h0 d0 d0", "100+0", nil},
		{"two of three UNHEALTHY panic", "h0 U0 U0", "100+0!", nil},
		{"new ones that wait are left out", "h0 n0 n0", "100+0", nil},
		{"all draining", "d0 d0", "100+0!", nil},
		{"backup is spared", "h0 h0 h0 h1", "100+0 0+0", nil},
		{"one of three out spills 7 percent", "u0 h0 h0 h1", "93+0 7+0", nil},
		{"two of three out spill 54", "u0 e0 h0 h1", "46+0 54+0", nil},
		{"draining ones do not spill", "d0 d0 h0 h1", "100+0 0+0", nil},
		{"factor 10000 spills nothing", "u0 u0 h0 h1", "100+0 0+0", func(s *viewSettings) { s.overprovision = 10000 }},
		{"all of the first out", "u0 u0 h1 h1", "0+0 100+0", nil},
		{"too few in both", "u0 u0 u0 h0 h1 u1 u1", "58+0! 42+0!", nil},
		{"too few in the first", "u0 u0 u0 h0 h1 u1", "34+0! 66+0", func(s *viewSettings) { s.overprovision = 100 }},
		{"degraded come last", "D0 D0 h1", "0+0 100+0", nil},
		{"degraded where healthy do not suffice", "h0 D0 D0 D0", "35+65", nil},
		{"degraded are good enough not to panic", "D0", "0+100", nil},
		{"everywhere too few, by numbers", "u0 u0 u0 u1", "75+0! 25+0!", nil},
		{"a priority without hosts", "h2", "0+0 0+0 100+0", nil},
		{"by weight", "h0x1 u0x9 h1", "14+0 86+0", func(s *viewSettings) { s.weightedHealth = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := plainSettings()
			if tc.change != nil {
				tc.change(&s)
			}
			var got []string
			for _, l := range viewOf(t, s, tc.hosts).levels {
				text := fmt.Sprintf("%d+%d", l.healthyLoad, l.degradedLoad)
				if l.panics {
					text += "!"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s, want %s", strings.Join(got, " "), tc.want)
			}
		})
	}
}

// picks counts which hosts are chosen, by the number of each.
func picks(v *view, n int, hash func(i int) uint64) map[string]int {
	out := map[string]int{}
	for i := range n {
		h, _ := v.choose(hash(i), 0, nil)
		out[strings.TrimSuffix(strings.TrimPrefix(h.address, "10.0.0."), ":80")]++
	}
	return out
}

func TestViewChooses(t *testing.T) {
	each := func(i int) uint64 { return uint64(i) }
	for _, tc := range []struct {
		name, hosts string
		want        map[string]int // of 300
	}{
		{"equal", "h0 h0 h0", map[string]int{"1": 100, "2": 100, "3": 100}},
		{"weights", "h0x1 h0x2 h0x3", map[string]int{"1": 50, "2": 100, "3": 150}},
		{"the ill get nothing", "h0 u0 h0 e0", map[string]int{"1": 150, "3": 150}},
		{"but in panic", "h0 u0 u0", map[string]int{"1": 100, "2": 100, "3": 100}},
		{"spill", "u0 h0 h0 h1", map[string]int{"2": 140, "3": 139, "4": 21}},
		{"degraded get the rest", "h0 D0 D0 D0", map[string]int{"1": 105, "2": 65, "3": 65, "4": 65}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := picks(viewOf(t, plainSettings(), tc.hosts), 300, each)
			for host, want := range tc.want {
				if d := got[host] - want; d < -1 || d > 1 { // where a round begins is left to chance
					t.Errorf("got %v, want %v", got, tc.want)
				}
			}
			if len(got) != len(tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNobodyToChoose(t *testing.T) {
	s := plainSettings()
	s.panicPercent = 0
	for name, v := range map[string]*view{"no host": viewOf(t, s, ""), "all ill": viewOf(t, s, "u0 u0")} {
		if h, panicked := v.choose(7, 0, nil); h != nil || panicked {
			t.Errorf("%s: %v %v", name, h, panicked)
		}
	}
	s = plainSettings()
	if h, panicked := viewOf(t, s, "").choose(7, 0, nil); h != nil || !panicked {
		t.Errorf("an empty cluster: %v %v", h, panicked)
	}
	s.failOnPanic = true
	if h, panicked := viewOf(t, s, "h0 u0 u0").choose(7, 0, nil); h != nil || !panicked {
		t.Errorf("fail_traffic_on_panic: %v %v", h, panicked)
	}
}

// A host that was tried is avoided as often as is asked, not for ever.
func TestChooseAvoids(t *testing.T) {
	for _, kind := range []balancerKind{roundRobin, ringHash, maglev} {
		s := plainSettings()
		s.balancer.kind, s.balancer.tableSize = kind, 101
		v := viewOf(t, s, "h0 h0")
		first, _ := v.choose(42, 0, nil)
		asked := 0
		other, _ := v.choose(42, 50, func(h *host) bool { asked++; return h == first })
		if other == first {
			t.Errorf("%d: the host that was tried is chosen again after %d looks", kind, asked)
		}
		asked = 0
		if h, _ := v.choose(42, 3, func(*host) bool { asked++; return true }); h == nil || asked != 3 {
			t.Errorf("%d: all were tried: %v after %d looks", kind, h, asked)
		}
	}
}

func TestLocalityWeights(t *testing.T) {
	s := plainSettings()
	s.localityWeights = true
	at := func(zone string) locality { return locality{zone: zone} }
	s.localityWeight = map[place]uint32{{0, at("a")}: 1, {0, at("b")}: 3, {0, at("none")}: 0}
	make := func(kind balancerKind, ill int) map[string]int {
		s.balancer.kind = kind
		var hosts []*host
		for i, zone := range []string{"a", "a", "b", "b", "none"} {
			h := newHost(spec{address: fmt.Sprintf("10.0.0.%d:80", i+1), weight: 1, locality: at(zone)})
			h.health.failed = i >= 2 && i < 2+ill
			hosts = append(hosts, h)
		}
		return picks(newView(s, hosts), 4000, func(i int) uint64 { return XXHash(fmt.Sprint(i), 0) })
	}
	if d := cmp.Diff(map[string]int{"1": 500, "2": 500, "3": 1500, "4": 1500}, make(roundRobin, 0)); d != "" {
		t.Errorf("a quarter and three quarters: %s", d)
	}
	// Half of b is ill: its weight is 3 × 0.7 = 2.1 of 3.1.
	got := make(roundRobin, 1)
	if got["4"] < 2690 || got["4"] > 2730 || got["3"] != 0 || got["5"] != 0 {
		t.Errorf("with half of b ill: %v", got)
	}
	got = make(ringHash, 0)
	if b := got["3"] + got["4"]; b < 2600 || b > 3400 || got["5"] != 0 {
		t.Errorf("on a ring: %v", got)
	}
}
