package upstream

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"example.com/meshtui/xds/envoy"
)

// detector is one way to find an outlier.
type detector uint8

const (
	by5xx detector = iota
	byGateway
	byLocal
	bySuccessRate
	byFailurePercentage
	detectors
)

// names are the detectors as Envoy's counters call them.
var detectorNames = [detectors]string{
	"consecutive_5xx", "consecutive_gateway_failure", "consecutive_local_origin_failure", "success_rate", "failure_percentage",
}

// outlierSettings are a cluster's outlier detection, with Envoy's defaults.
type outlierSettings struct {
	interval, base, longest, jitter time.Duration
	mostPercent                     float64
	alwaysOne, split, unejectOnPass bool
	after                           [3]uint32         // failures in a row, by detector
	enforcing                       [detectors]uint32 // percent
	rate                            rateSettings
}

func readOutlier(o *clusterv3.OutlierDetection) *outlierSettings {
	s := &outlierSettings{
		interval: max(time.Millisecond, durationOr(o.GetInterval(), 10*time.Second)),
		base:     durationOr(o.GetBaseEjectionTime(), 30*time.Second), jitter: o.GetMaxEjectionTimeJitter().AsDuration(),
		mostPercent: min(100, float64(uint32Or(o.GetMaxEjectionPercent(), 10))),
		alwaysOne:   o.GetAlwaysEjectOneHost().GetValue(), split: o.GetSplitExternalLocalOriginErrors(),
		unejectOnPass: o.GetSuccessfulActiveHealthCheckUnejectHost() == nil || o.GetSuccessfulActiveHealthCheckUnejectHost().GetValue(),
		after: [3]uint32{
			uint32Or(o.GetConsecutive_5Xx(), 5), uint32Or(o.GetConsecutiveGatewayFailure(), 5),
			uint32Or(o.GetConsecutiveLocalOriginFailure(), 5),
		},
		enforcing: [detectors]uint32{
			uint32Or(o.GetEnforcingConsecutive_5Xx(), 100), uint32Or(o.GetEnforcingConsecutiveGatewayFailure(), 0),
			uint32Or(o.GetEnforcingConsecutiveLocalOriginFailure(), 100), uint32Or(o.GetEnforcingSuccessRate(), 100),
			uint32Or(o.GetEnforcingFailurePercentage(), 0),
		},
		rate: readRates(o),
	}
	s.longest = durationOr(o.GetMaxEjectionTime(), max(5*time.Minute, s.base))
	return s
}

// streaks count a host's failures in a row, and its answers in this interval.
type streaks struct {
	run            [3]atomic.Uint32 // by detector
	total, success atomic.Uint64
}

// ejection is how a host stands with outlier detection; guarded by Cluster.mu.
type ejection struct {
	ejected bool
	at      time.Time
	times   uint32 // the multiple of the base ejection time
	jitter  time.Duration
}

// outlierCounts are a cluster's counters of ejections.
type outlierCounts struct {
	total, enforced, overflow atomic.Uint64 // total leaves out the detectors that came later
	active                    atomic.Int64
	by                        [detectors]struct{ detected, enforced atomic.Uint64 }
}

func (o *outlierCounts) tell(stats map[string]uint64) {
	for i, name := range detectorNames {
		stats["outlier_detection.ejections_detected_"+name] = o.by[i].detected.Load()
		stats["outlier_detection.ejections_enforced_"+name] = o.by[i].enforced.Load()
	}
	stats["outlier_detection.ejections_consecutive_5xx"] = o.by[by5xx].detected.Load()
}

// outcome is what a request tells of the host that took it.
type outcome uint8

const (
	answered     outcome = iota // with a status
	connectedTo                 // a connection was had; an answer is still to come
	notConnected                // refused, reset or cut
	noAnswer                    // not in time
)

// judge takes an outcome in and ejects the host where that is one too many.
func (c *Cluster) judge(h *host, o outcome, status int) {
	s := c.settings.Load().outlier
	if s == nil {
		return
	}
	if s.split {
		switch o {
		case connectedTo:
			h.streaks.run[byLocal].Store(0)
			return
		case notConnected, noAnswer:
			c.failure(h, s, byLocal)
			return
		}
	}
	switch o {
	case connectedTo:
		return
	case notConnected:
		status = 503
	case noAnswer:
		status = 504
	}
	h.streaks.total.Add(1)
	if status < 500 {
		h.streaks.success.Add(1)
		h.streaks.run[by5xx].Store(0)
		h.streaks.run[byGateway].Store(0)
		return
	}
	if status == 502 || status == 503 || status == 504 {
		c.failure(h, s, byGateway)
	} else {
		h.streaks.run[byGateway].Store(0)
	}
	c.failure(h, s, by5xx)
}

// failure counts one more failure in a row.
func (c *Cluster) failure(h *host, s *outlierSettings, d detector) {
	if h.streaks.run[d].Add(1) != s.after[d] {
		return
	}
	c.mu.Lock()
	if c.hosts[h.address] == h && !h.monitor.ejected {
		h.streaks.run[d].Store(0)
		c.detected(h, s, d, "")
	}
	c.mu.Unlock()
	c.emit()
}

// The words for what was detected are those of package envoy for Envoy's own
// events.
var detectorWords = [3]string{"consecutive 5xx", "consecutive gateway failures", "consecutive failures to connect"}

// detected ejects a host, unless too many are ejected or the detector is not
// enforced. It needs Cluster.mu.
func (c *Cluster) detected(h *host, s *outlierSettings, d detector, why string) {
	n := &c.stats.outliers
	n.by[d].detected.Add(1)
	active := n.active.Load()
	percent := 100 * float64(active+1) / float64(len(c.hosts))
	if percent > s.mostPercent && (active != 0 || !s.alwaysOne) {
		n.overflow.Add(1)
		return
	}
	if d == by5xx || d == bySuccessRate {
		n.total.Add(1)
	}
	if rand.Uint32N(100) >= s.enforcing[d] {
		return
	}
	n.active.Add(1)
	n.enforced.Add(1)
	n.by[d].enforced.Add(1)
	m := &h.monitor
	m.ejected, m.at = true, c.o.Now()
	if m.jitter = 0; s.jitter > 0 {
		m.jitter = rand.N(s.jitter)
	}
	if s.base*time.Duration(m.times) < s.longest+s.base {
		m.times++
	}
	c.refresh()
	e := c.event(h)
	e.Kind, e.Why = envoy.OutlierEject, why
	if why == "" {
		e.Why = detectorWords[d]
	}
	c.outbox = append(c.outbox, e)
}

// uneject lets a host back in. It needs Cluster.mu; the view is the caller's.
func (c *Cluster) uneject(h *host) {
	h.monitor.ejected = false
	c.stats.outliers.active.Add(-1)
	for i := range h.streaks.run {
		h.streaks.run[i].Store(0)
	}
	e := c.event(h)
	e.Kind = envoy.OutlierUneject
	c.outbox = append(c.outbox, e)
}

// unejectsOnPass reports whether a passed health check ends an ejection.
func (c *Cluster) unejectsOnPass() bool {
	s := c.settings.Load().outlier
	return s == nil || s.unejectOnPass
}

// sweep is done once an interval: it lets back in who has waited long enough,
// forgives a little to who behaved, and compares success rates.
func (c *Cluster) sweep(s *outlierSettings) {
	c.mu.Lock()
	now, back := c.o.Now(), false
	for _, h := range c.order {
		m := &h.monitor
		if !m.ejected {
			m.times -= min(m.times, 1)
			continue
		}
		if min(s.base*time.Duration(m.times), s.longest)+m.jitter <= now.Sub(m.at) {
			c.uneject(h)
			back = true
		}
	}
	if back {
		c.refresh()
	}
	c.compareRates(s)
	c.mu.Unlock()
	c.emit()
}

// startOutliers begins to sweep. It needs Cluster.mu.
func (c *Cluster) startOutliers(s *outlierSettings) {
	c.stopOutliers = c.loop("the outlier detection of "+c.name, func() time.Duration { return s.interval }, func() { c.sweep(s) })
}
