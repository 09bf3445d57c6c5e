package upstream

import (
	"strconv"
	"sync/atomic"
)

// gateCounts are the counters of the circuit breakers.
type gateCounts struct {
	overflow, connectionOverflow, pendingTotal atomic.Uint64
}

// codeCounts count answers by status.
type codeCounts struct {
	by        [600]atomic.Uint32
	completed atomic.Uint64
}

func (c *codeCounts) add(status int) {
	c.completed.Add(1)
	if status >= 100 && status < len(c.by) {
		c.by[status].Add(1)
	}
}

// tell writes the counters below prefix: one for each status that came, one for
// each class, and their sum.
func (c *codeCounts) tell(stats map[string]uint64, prefix string) {
	if n := c.completed.Load(); n > 0 {
		stats[prefix+"upstream_rq_completed"] = n
	}
	for status := range c.by {
		n := uint64(c.by[status].Load())
		if n == 0 {
			continue
		}
		stats[prefix+"upstream_rq_"+strconv.Itoa(status)] += n
		stats[prefix+"upstream_rq_"+strconv.Itoa(status/100)+"xx"] += n
	}
}

// clusterStats are a cluster's counters. Their names are Envoy's, in tell.
type clusterStats struct {
	gate    gateCounts
	codes   codeCounts // of what was answered
	retried codeCounts // of attempts that were tried again

	requests                                                        atomic.Uint64
	active                                                          atomic.Int64
	connections, connectFailures, connectTimeouts, destroyed        atomic.Uint64
	http1Connections, http2Connections                              atomic.Uint64
	activeConnections                                               atomic.Int64
	noneHealthy, panics                                             atomic.Uint64
	timeouts, tryTimeouts, cancelled, received, sent, pendingFailed atomic.Uint64 // received and sent are resets
	retries, retrySuccess, retryOverflow, retryExhausted            atomic.Uint64
	assignments, membership                                         atomic.Uint64

	checks   checkCounts
	outliers outlierCounts
}

// tell writes the counters under Envoy's names.
func (s *clusterStats) tell(stats map[string]uint64) {
	s.codes.tell(stats, "")
	s.retried.tell(stats, "retry.")
	for name, v := range map[string]*atomic.Uint64{
		"upstream_rq_total":                          &s.requests,
		"upstream_rq_timeout":                        &s.timeouts,
		"upstream_rq_per_try_timeout":                &s.tryTimeouts,
		"upstream_rq_cancelled":                      &s.cancelled,
		"upstream_rq_rx_reset":                       &s.received,
		"upstream_rq_tx_reset":                       &s.sent,
		"upstream_rq_pending_total":                  &s.gate.pendingTotal,
		"upstream_rq_pending_overflow":               &s.gate.overflow,
		"upstream_rq_pending_failure_eject":          &s.pendingFailed,
		"upstream_rq_retry":                          &s.retries,
		"upstream_rq_retry_backoff_exponential":      &s.retries,
		"upstream_rq_retry_success":                  &s.retrySuccess,
		"upstream_rq_retry_overflow":                 &s.retryOverflow,
		"upstream_rq_retry_limit_exceeded":           &s.retryExhausted,
		"upstream_cx_total":                          &s.connections,
		"upstream_cx_http1_total":                    &s.http1Connections,
		"upstream_cx_http2_total":                    &s.http2Connections,
		"upstream_cx_connect_fail":                   &s.connectFailures,
		"upstream_cx_connect_timeout":                &s.connectTimeouts,
		"upstream_cx_destroy":                        &s.destroyed,
		"upstream_cx_overflow":                       &s.gate.connectionOverflow,
		"upstream_cx_none_healthy":                   &s.noneHealthy,
		"lb_healthy_panic":                           &s.panics,
		"membership_change":                          &s.membership,
		"update_success":                             &s.assignments,
		"health_check.attempt":                       &s.checks.attempts,
		"health_check.success":                       &s.checks.successes,
		"health_check.failure":                       &s.checks.failures,
		"health_check.network_failure":               &s.checks.network,
		"outlier_detection.ejections_total":          &s.outliers.total,
		"outlier_detection.ejections_overflow":       &s.outliers.overflow,
		"outlier_detection.ejections_enforced_total": &s.outliers.enforced,
	} {
		stats[name] = v.Load()
	}
	stats["upstream_rq_active"] = gauge(&s.active)
	stats["upstream_cx_active"] = gauge(&s.activeConnections)
	stats["outlier_detection.ejections_active"] = gauge(&s.outliers.active)
	s.outliers.tell(stats)
}
