package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTallyCountsWholeSeconds(t *testing.T) {
	t0 := time.Unix(1000, 0)
	var y tally
	y.begin(t0)
	at := func(ms int, code int, backend string) {
		y.count(Answer{At: t0.Add(time.Duration(ms) * time.Millisecond), Code: code, Backend: backend, Latency: time.Millisecond})
	}
	at(0, 200, "a")
	at(900, 503, "")
	at(999, 0, "")
	at(1500, 200, "b")
	s := y.snapshot(t0.Add(1600 * time.Millisecond))
	want := []Second{{At: t0, Requests: 3, Failed: 2, Codes: map[int]uint64{200: 1, 503: 1, 0: 1}, ByBackend: map[string]uint64{"a": 1, "": 1}}}
	if diff := cmp.Diff(want, s.Seconds); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
	if s.RPS != 3 || s.Errors != 2.0/3 || s.Sent != 4 || s.Failed != 2 || len(s.Failures) != 2 || len(s.Last) != 4 {
		t.Errorf("rps=%v errors=%v sent=%d failed=%d failures=%d last=%d", s.RPS, s.Errors, s.Sent, s.Failed, len(s.Failures), len(s.Last))
	}
	shares := withShares([]Backend{{Name: "a"}, {Name: "b"}}, s)
	if shares[0].Share != 0.5 || shares[1].Share != 0 || shares[1].Answered != 1 {
		t.Errorf("shares %+v, want half for a in the closed second, b answered once", shares)
	}
}

func TestTallyForgetsAfterAMinute(t *testing.T) {
	t0 := time.Unix(1000, 0)
	var y tally
	y.begin(t0)
	y.count(Answer{At: t0, Code: 200})
	for _, later := range []time.Duration{30 * time.Second, 100 * time.Hour} {
		if n := len(y.snapshot(t0.Add(later)).Seconds); n > secondsKept {
			t.Errorf("%d seconds are kept after %s, want at most %d", n, later, secondsKept)
		}
	}
	if s := y.snapshot(t0.Add(101 * time.Hour)); s.RPS != 0 || s.P99 != 0 || s.Sent != 1 {
		t.Errorf("rps=%v p99=%v sent=%d long after, want 0, 0 and 1", s.RPS, s.P99, s.Sent)
	}
}

func TestQuantilesAreWithinABucket(t *testing.T) {
	var h [buckets]uint32
	for ms := 1; ms <= 1000; ms++ {
		h[bucket(time.Duration(ms)*time.Millisecond)]++
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {1, time.Second}} {
		got := quantile(&h, c.q)
		if got < c.want || float64(got) > float64(c.want)*bucketGrowth {
			t.Errorf("quantile %v is %s, want %s or up to 20 %% more", c.q, got, c.want)
		}
	}
	if got := quantile(new([buckets]uint32), 0.5); got != 0 {
		t.Errorf("quantile of nothing is %s, want 0", got)
	}
	if got := bucket(time.Hour); got != buckets-1 {
		t.Errorf("an hour is in bucket %d, want the last", got)
	}
}
