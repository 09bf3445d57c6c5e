package xds_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// outage is how long the server is away: long enough for an Envoy to wait
// longer from attempt to attempt.
const outage = 1500 * time.Millisecond

// reconnectBudget is how soon an Envoy must be served again.
const reconnectBudget = 500 * time.Millisecond

// BenchmarkReconnect is how long after the server is back a real Envoy is served
// again, and has answered: with the bootstrap that meshtui gives it, and with
// the back-off that an Envoy has of itself. The metric x/budget is the median
// in parts of what it may take; worst-ms the longest.
func BenchmarkReconnect(b *testing.B) {
	for _, delta := range []bool{false, true} {
		for name, start := range map[string]func(testing.TB, *served, bool){
			"meshtui": func(t testing.TB, s *served, delta bool) { startLocal(t, s.addr, "envoy-1", delta) },
			"default": startPatient,
		} {
			b.Run(modeOf(delta)+"/"+name, func(b *testing.B) {
				rounds := b.N
				if name == "default" {
					rounds = min(rounds, 3) // each takes seconds
				}
				reconnects(b, delta, start, rounds)
			})
		}
	}
}

func reconnects(b *testing.B, delta bool, start func(testing.TB, *served, bool), rounds int) {
	xdstest.NeedEnvoy(b)
	m := with(b, shop(b), listener(b, "web", freePort(b), "local"))
	s := serve(b, xds.Options{})
	s.Publish(revision(1, m))
	start(b, s, delta)
	s.through("envoy-1", 1, engine.Accepted)
	var took []time.Duration
	for range rounds {
		s.stop()
		<-time.After(outage) // what is measured is what follows an outage of this length
		began := time.Now()
		s = serveAt(b, s.addr, xds.Options{})
		s.Publish(revision(1, m))
		s.through("envoy-1", 1, engine.Accepted)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median.Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
	b.ReportMetric(median.Seconds()/reconnectBudget.Seconds(), "x/budget")
}

// startPatient runs an Envoy with the back-off that it has of itself.
func startPatient(t testing.TB, s *served, delta bool) {
	t.Helper()
	config := strings.ReplaceAll(bootstrapOf(t, s, "envoy-1", delta), "retry_policy: {retry_back_off: {base_interval: 0.1s, max_interval: 0.5s}}", "")
	xdstest.RunEnvoy(t, config, "--disable-hot-restart")
}
