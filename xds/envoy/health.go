package envoy

import (
	"fmt"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// healthStats are the counters of one cluster that help.
type healthStats struct {
	Known                     bool // false when the counters were not read
	Failures, NetworkFailures uint64
	Ejections                 string // the kind of all ejections so far; "" when there were none or several kinds
}

// evidence is all that is known of one endpoint; /clusters alone cannot tell
// "fails" from "not checked yet", nor one kind of ejection from another, nor
// EDS TIMEOUT from EDS UNHEALTHY.
type evidence struct {
	status  hostHealth
	cluster *clusterv3.Cluster  // as served; nil when it was not served by us
	served  corev3.HealthStatus // in the EDS that we served; UNKNOWN when there is none
	stats   healthStats
	told    history
}

// verdict is what evidence comes to.
type verdict struct {
	health Health
	why    string
	since  time.Time
}

// judge says how an endpoint stands. The worst of several reasons is the
// verdict; the others are added to its why.
func judge(e evidence) verdict {
	reasons := e.reasons()
	if len(reasons) == 0 {
		return verdict{health: Healthy, since: e.told.healthy}
	}
	worst := reasons[0]
	for _, r := range reasons[1:] {
		if r.health > worst.health {
			worst = r
		}
	}
	for _, r := range reasons {
		if r.health != worst.health {
			worst.why = strings.TrimPrefix(worst.why+"; also "+r.health.String(), "; ")
		}
	}
	return worst
}

// reasons lists everything that keeps an endpoint from being plainly healthy.
func (e evidence) reasons() []verdict {
	var out []verdict
	if r, ok := e.discovery(); ok {
		out = append(out, r)
	}
	if e.status.FailedCheck || e.status.PendingCheck {
		out = append(out, e.check())
	} else if e.status.Excluded {
		out = append(out, verdict{CheckFailed, "the endpoint itself asked not to be used", e.told.check.since})
	} else if e.status.FailedDegraded {
		out = append(out, verdict{Degraded, "its health check answers that it is degraded", time.Time{}})
	}
	if e.status.FailedOutlier {
		out = append(out, verdict{Ejected, e.ejection(), e.told.outlier.since})
	}
	if e.status.PendingRemoval {
		out = append(out, verdict{RemovalPending, "removed from EDS, kept while its health check passes", time.Time{}})
	}
	return out
}

// discovery is what EDS says of the endpoint.
func (e evidence) discovery() (verdict, bool) {
	switch e.status.EDS {
	case "UNHEALTHY":
		if e.served == corev3.HealthStatus_TIMEOUT {
			return verdict{health: EDSTimeout, why: "EDS says TIMEOUT"}, true
		}
		return verdict{health: EDSUnhealthy, why: "EDS says UNHEALTHY"}, true
	case "TIMEOUT":
		return verdict{health: EDSTimeout, why: "EDS says TIMEOUT"}, true
	case "DRAINING":
		return verdict{health: Draining, why: "EDS says DRAINING"}, true
	case "DEGRADED":
		return verdict{health: Degraded, why: "EDS says DEGRADED"}, true
	}
	return verdict{}, false
}

// check is the verdict on a host whose failed_active_health_check flag is set,
// which Envoy also sets before the first check.
func (e evidence) check() verdict {
	last := e.told.check
	switch {
	case e.status.CheckTimeout:
		return verdict{CheckTimeout, "health check: " + e.timeoutWords(), last.since}
	case e.status.PendingCheck:
		return verdict{health: NotChecked, why: "its first health check has not ended"}
	case last.seen && last.timeout:
		return verdict{CheckTimeout, "health check: " + e.timeoutWords(), last.since}
	case last.seen:
		return verdict{CheckFailed, "health check: " + last.why, last.since}
	case e.notCheckedYet():
		return verdict{health: NotChecked, why: "its first health check has not ended"}
	case e.stats.Known && e.stats.NetworkFailures == e.stats.Failures:
		return verdict{health: CheckFailed, why: "health check: connection refused, cut or too slow"}
	}
	return verdict{health: CheckFailed, why: "health check fails"}
}

// notCheckedYet reports whether no check of this host can have ended: it was
// never told healthy, and none of the cluster's checks failed, or they all go
// through the event pipe and the pipe told no failure of this host.
func (e evidence) notCheckedYet() bool {
	if !e.told.healthy.IsZero() {
		return false
	}
	if e.stats.Known && e.stats.Failures == 0 {
		return true
	}
	return e.told.complete && tellsFailures(e.cluster)
}

// tellsFailures reports whether every health check of the cluster writes its
// failures to the event pipe.
func tellsFailures(c *clusterv3.Cluster) bool {
	for _, check := range c.GetHealthChecks() {
		if !check.GetAlwaysLogHealthCheckFailures() || len(check.GetEventLogger()) == 0 {
			return false
		}
	}
	return len(c.GetHealthChecks()) > 0
}

func (e evidence) timeoutWords() string {
	for _, check := range e.cluster.GetHealthChecks() {
		return fmt.Sprintf("no answer within %s", check.GetTimeout().AsDuration())
	}
	return "no answer in time"
}

// ejection says in words which detector ejected the host.
func (e evidence) ejection() string {
	kind := e.told.outlier.why
	if kind == "" {
		kind = e.stats.Ejections
	}
	if kind == "" {
		return "outlier detection"
	}
	d := e.cluster.GetOutlierDetection()
	times := uint32(5) // Envoy's default for all three
	switch {
	case kind == consecutive5xx && d.GetConsecutive_5Xx() != nil:
		times = d.GetConsecutive_5Xx().GetValue()
	case kind == consecutiveGateway && d.GetConsecutiveGatewayFailure() != nil:
		times = d.GetConsecutiveGatewayFailure().GetValue()
	case kind == consecutiveLocal && d.GetConsecutiveLocalOriginFailure() != nil:
		times = d.GetConsecutiveLocalOriginFailure().GetValue()
	case kind != consecutive5xx && kind != consecutiveGateway && kind != consecutiveLocal, d == nil:
		return kind
	}
	return fmt.Sprintf("%d %s", times, kind)
}
