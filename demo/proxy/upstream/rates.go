package upstream

import (
	"fmt"
	"math"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// rateSettings are the detectors that compare what share of a host's requests
// succeeds.
type rateSettings struct {
	minHosts, minVolume       uint32 // of the success rate
	stdevs                    float64
	percent                   float64 // of failures
	failMinHosts, failMinimum uint32
}

func readRates(o *clusterv3.OutlierDetection) rateSettings {
	return rateSettings{
		minHosts: uint32Or(o.GetSuccessRateMinimumHosts(), 5), minVolume: uint32Or(o.GetSuccessRateRequestVolume(), 100),
		stdevs:       float64(uint32Or(o.GetSuccessRateStdevFactor(), 1900)) / 1000,
		percent:      float64(uint32Or(o.GetFailurePercentageThreshold(), 85)),
		failMinHosts: uint32Or(o.GetFailurePercentageMinimumHosts(), 5), failMinimum: uint32Or(o.GetFailurePercentageRequestVolume(), 50),
	}
}

// rated is a host and what share of its requests succeeded in the interval.
type rated struct {
	*host
	volume  uint64
	percent float64
}

// compareRates ejects the hosts that succeed far less often than the others, or
// fail too often. It needs Cluster.mu and begins a new interval.
func (c *Cluster) compareRates(s *outlierSettings) {
	var all []rated
	for _, h := range c.order {
		success, total := h.streaks.success.Swap(0), h.streaks.total.Swap(0)
		if total > 0 && !h.monitor.ejected {
			all = append(all, rated{h, total, 100 * float64(min(success, total)) / float64(total)})
		}
	}
	if mean, lowest, ok := s.rate.threshold(all); ok {
		for _, r := range all {
			if r.volume >= uint64(s.rate.minVolume) && r.percent < lowest {
				why := fmt.Sprintf("success rate %d%%, the cluster's is %d%%", uint32(r.percent), uint32(mean))
				c.detected(r.host, s, bySuccessRate, why)
			}
		}
	}
	for _, r := range s.rate.failing(all) {
		if !r.monitor.ejected {
			why := fmt.Sprintf("failure percentage, %d%% succeed", uint32(r.percent))
			c.detected(r.host, s, byFailurePercentage, why)
		}
	}
}

// threshold is the success rate below which a host is an outlier: so many
// standard deviations below the mean. ok is false with too few hosts to tell.
func (s rateSettings) threshold(all []rated) (mean, lowest float64, ok bool) {
	n, sum := 0.0, 0.0
	for _, r := range all {
		if r.volume >= uint64(s.minVolume) {
			n++
			sum += r.percent
		}
	}
	if n == 0 || n < float64(s.minHosts) {
		return 0, 0, false
	}
	mean = sum / n
	variance := 0.0
	for _, r := range all {
		if r.volume >= uint64(s.minVolume) {
			variance += (r.percent - mean) * (r.percent - mean)
		}
	}
	return mean, mean - s.stdevs*math.Sqrt(variance/n), true
}

// failing are the hosts that fail at least at the threshold; none with too few
// hosts to tell.
func (s rateSettings) failing(all []rated) []rated {
	var out []rated
	enough := uint32(0)
	for _, r := range all {
		if r.volume < uint64(s.failMinimum) {
			continue
		}
		enough++
		if 100-r.percent >= s.percent {
			out = append(out, r)
		}
	}
	if enough < s.failMinHosts {
		return nil
	}
	return out
}
