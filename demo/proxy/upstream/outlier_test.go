package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering serves a status that can be changed.
func (n *network) answering(t *testing.T, address string, status int64) *atomic.Int64 {
	t.Helper()
	var now atomic.Int64
	now.Store(status)
	n.serve(t, address, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(int(now.Load())) })
	return &now
}

// gets sends n requests and returns the statuses, 0 for an answer of ours.
func gets(t *testing.T, c *Cluster, n int, call Call) []int {
	t.Helper()
	var out []int
	for range n {
		a, _, _ := get(t, c, call)
		if a.Response != nil {
			out = append(out, a.Response.StatusCode)
		} else {
			out = append(out, 0)
		}
	}
	return out
}

const noPanic = "common_lb_config: {healthy_panic_threshold: {value: 0}}\n"

func TestEjection(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.answering(t, hostA, 500)
		c, events := n.run(t, simple(noPanic+"outlier_detection: {consecutive_5xx: 3, interval: 1s, base_ejection_time: 5s, max_ejection_percent: 100}", hostA))
		if d := cmp.Diff([]int{500, 500, 500, 0}, gets(t, c, 4, Call{})); d != "" {
			t.Error(d)
		}
		expectEvents(t, events, "eject c "+hostA+": consecutive 5xx")
		s := c.Snapshot()
		if !s.Hosts[0].Ejected || s.Stats["outlier_detection.ejections_active"] != 1 || s.Stats["membership_healthy"] != 0 ||
			s.Stats["outlier_detection.ejections_enforced_consecutive_5xx"] != 1 {
			t.Errorf("%+v", s)
		}
		later(4500 * time.Millisecond)
		expectEvents(t, events)
		later(time.Second) // the next look after 5 s
		expectEvents(t, events, "uneject c "+hostA)

		// The second time is twice as long.
		if d := cmp.Diff([]int{500, 500, 500, 0}, gets(t, c, 4, Call{})); d != "" {
			t.Error(d)
		}
		events.take()
		later(9 * time.Second)
		expectEvents(t, events)
		later(1500 * time.Millisecond)
		expectEvents(t, events, "uneject c "+hostA)

		// Who behaves for as many intervals is forgiven.
		a.Store(200)
		later(3 * time.Second)
		a.Store(500)
		gets(t, c, 3, Call{})
		events.take()
		later(6500 * time.Millisecond)
		expectEvents(t, events, "uneject c "+hostA)
	})
}

func TestEjectionTimeIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.answering(t, hostA, 500)
		c, events := n.run(t, simple(noPanic+"outlier_detection: {consecutive_5xx: 1, interval: 1s, base_ejection_time: 10s, max_ejection_time: 12s, max_ejection_percent: 100}", hostA))
		for range 4 {
			gets(t, c, 1, Call{})
			events.take()
			later(13 * time.Second)
			expectEvents(t, events, "uneject c "+hostA)
		}
	})
}

func TestStreakIsBroken(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		a := n.answering(t, hostA, 500)
		c, events := n.run(t, simple("outlier_detection: {consecutive_5xx: 2, max_ejection_percent: 100}", hostA))
		for _, status := range []int64{500, 200, 500, 404, 500} {
			a.Store(status)
			gets(t, c, 1, Call{})
		}
		expectEvents(t, events)
		if stat(c, "outlier_detection.ejections_detected_consecutive_5xx") != 0 {
			t.Error("every second answer is bad: that is no streak")
		}
	})
}

func TestDetectors(t *testing.T) {
	for name, tc := range map[string]struct {
		fields  string
		host    func(t *testing.T, n *network)
		call    Call
		why     string
		counter string
	}{
		"gateway": {
			"consecutive_5xx: 9, consecutive_gateway_failure: 2, enforcing_consecutive_gateway_failure: 100",
			func(t *testing.T, n *network) { n.answering(t, hostA, 502) }, Call{},
			"consecutive gateway failures", "consecutive_gateway_failure",
		},
		"refused counts as 503": {
			"consecutive_5xx: 2", func(*testing.T, *network) {}, Call{}, "consecutive 5xx", "consecutive_5xx",
		},
		"timeout counts as 504": {
			"consecutive_5xx: 2",
			func(t *testing.T, n *network) {
				n.serve(t, hostA, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			},
			Call{Timeout: time.Second}, "consecutive 5xx", "consecutive_5xx",
		},
		"refused, split": {
			"consecutive_5xx: 1, split_external_local_origin_errors: true, consecutive_local_origin_failure: 2",
			func(*testing.T, *network) {}, Call{}, "consecutive failures to connect", "consecutive_local_origin_failure",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				tc.host(t, n)
				c, events := n.run(t, simple(noPanic+"outlier_detection: {max_ejection_percent: 100, "+tc.fields+"}", hostA))
				gets(t, c, 1, tc.call)
				expectEvents(t, events)
				gets(t, c, 1, tc.call)
				expectEvents(t, events, "eject c "+hostA+": "+tc.why)
				if stat(c, "outlier_detection.ejections_enforced_"+tc.counter) != 1 {
					t.Error(c.Snapshot().Stats)
				}
			})
		})
	}
}

func TestNotEnforced(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.answering(t, hostA, 500)
		c, events := n.run(t, simple("outlier_detection: {consecutive_5xx: 2, enforcing_consecutive_5xx: 0, max_ejection_percent: 100}", hostA))
		gets(t, c, 6, Call{})
		expectEvents(t, events)
		s := c.Snapshot()
		if s.Stats["outlier_detection.ejections_detected_consecutive_5xx"] != 3 || s.Hosts[0].Ejected {
			t.Errorf("%+v", s)
		}
	})
}

func TestHowManyAreEjected(t *testing.T) {
	for name, tc := range map[string]struct {
		fields          string
		hosts           int
		ejected, toMany int
	}{
		"10 percent of 2":          {"", 2, 0, 2},
		"10 percent of 10":         {"", 10, 1, 9},
		"half of 2":                {"max_ejection_percent: 50, ", 2, 1, 1},
		"one in any case":          {"always_eject_one_host: true, ", 2, 1, 1},
		"one in any case, of none": {"always_eject_one_host: true, max_ejection_percent: 0, ", 3, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				var list []string
				for i := range tc.hosts {
					list = append(list, fmt.Sprintf("10.0.0.%d:80", i+1))
					n.answering(t, list[i], 500)
				}
				c, _ := n.run(t, simple("outlier_detection: {"+tc.fields+"consecutive_5xx: 1}", list...))
				for range 3 * tc.hosts {
					gets(t, c, 1, Call{})
					if done := stat(c, "outlier_detection.ejections_overflow"); done >= uint64(tc.toMany) {
						break
					}
				}
				s := c.Snapshot()
				if got := s.Stats["outlier_detection.ejections_active"]; got != uint64(tc.ejected) {
					t.Errorf("%d are ejected, want %d", got, tc.ejected)
				}
			})
		})
	}
}

func TestPassedCheckUnejects(t *testing.T) {
	for unejects, want := range map[string][]string{
		"": {"eject c " + hostA + ": consecutive 5xx", "uneject c " + hostA},
		", successful_active_health_check_uneject_host: false": {"eject c " + hostA + ": consecutive 5xx"},
	} {
		bubble(t, func(t *testing.T, n *network) {
			n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					w.WriteHeader(500)
				}
			})
			c, events := n.run(t, simple(everySecond+"\noutlier_detection: {consecutive_5xx: 1, max_ejection_percent: 100"+unejects+"}", hostA))
			<-c.Warm()
			events.take()
			gets(t, c, 1, Call{})
			later(1500 * time.Millisecond)
			expectEvents(t, events, want...)
		})
	}
}

func TestSuccessRate(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		var list []string
		for i := range 6 {
			list = append(list, fmt.Sprintf("10.0.0.%d:80", i+1))
			n.answering(t, list[i], 200)
		}
		n.deaf(list[5])
		var count atomic.Int64
		n.serve(t, list[5], func(w http.ResponseWriter, r *http.Request) {
			if count.Add(1)%2 == 0 { // never two in a row
				w.WriteHeader(500)
			}
		})
		c, events := n.run(t, simple("outlier_detection: {interval: 1s, success_rate_request_volume: 20, max_ejection_percent: 50}", list...))
		gets(t, c, 6*30, Call{})
		later(1500 * time.Millisecond)
		expectEvents(t, events, "eject c "+list[5]+": success rate 50%, the cluster's is 91%")
		if stat(c, "outlier_detection.ejections_enforced_success_rate") != 1 {
			t.Error(c.Snapshot().Stats)
		}
	})
}

func TestRateThresholds(t *testing.T) {
	s := readRates(clusterOf(t, "name: c\nconnect_timeout: 1s\noutlier_detection: {success_rate_minimum_hosts: 3, failure_percentage_minimum_hosts: 2, failure_percentage_request_volume: 100}").GetOutlierDetection())
	rate := func(percents ...float64) []rated {
		var out []rated
		for _, p := range percents {
			out = append(out, rated{nil, 100, p})
		}
		return out
	}
	if _, _, ok := s.threshold(rate(100, 0)); ok {
		t.Error("two hosts are too few to compare")
	}
	if mean, lowest, ok := s.threshold(rate(90, 80, 100)); !ok || mean != 90 || lowest < 74.4 || lowest > 74.6 {
		t.Errorf("mean %f, lowest %f, %v", mean, lowest, ok) // 90 - 1.9 × 8.165
	}
	if got := s.failing(rate(100, 15, 16)); len(got) != 1 || got[0].percent != 15 {
		t.Errorf("failing: %+v", got)
	}
	if got := s.failing(rate(0)); len(got) != 0 {
		t.Errorf("one host is too few: %+v", got)
	}
	if got := s.failing([]rated{{nil, 99, 0}, {nil, 99, 0}}); slices.ContainsFunc(got, func(rated) bool { return true }) {
		t.Errorf("too few requests to tell: %+v", got)
	}
}
