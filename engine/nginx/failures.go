package nginx

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// failOptions are the parameters that stand for outlier detection and the
// connection limit, and what they mirror.
func failOptions(o Origin, c *clusterv3.Cluster, several bool) (string, mark) {
	m, options := failures(o, c, several)
	if ph := c.GetCircuitBreakers().GetPerHostThresholds(); len(ph) > 0 && ph[0].GetMaxConnections().GetValue() > 0 {
		options += fmt.Sprintf(" max_conns=%d", ph[0].GetMaxConnections().GetValue())
		m.also = append(m.also, o.at("circuit_breakers.per_host_thresholds[0].max_connections"))
		return options, m
	}
	for i, t := range c.GetCircuitBreakers().GetThresholds() {
		// nginx takes 0 for no limit, where Envoy lets nothing through.
		if n := t.GetMaxConnections().GetValue(); n > 0 && t.GetPriority() == corev3.RoutingPriority_DEFAULT {
			options += fmt.Sprintf(" max_conns=%d", n)
			m = mark{kind: Approximate, lesson: orElse(m.lesson, lessonMaxConns), also: append(m.also, o.at(fmt.Sprintf("circuit_breakers.thresholds[%d].max_connections", i)))}
			break
		}
	}
	return options, m
}

// failures are max_fails and fail_timeout, which nginx has by itself, and takes no
// notice of where there is one server alone.
func failures(o Origin, c *clusterv3.Cluster, several bool) (mark, string) {
	od := c.GetOutlierDetection()
	switch {
	case !several:
		return mark{}, ""
	case od == nil:
		return mark{}, " max_fails=0"
	}
	at := o.at("outlier_detection")
	m := mark{kind: Approximate, lesson: lessonOutlier, also: []Origin{at, at.at("base_ejection_time")}}
	fails, field, period := uint32(5), "consecutive_5xx", "30s"
	if d := od.GetBaseEjectionTime(); d != nil {
		period = nginxSeconds(d)
	}
	if od.GetConsecutive_5Xx() != nil {
		fails = od.GetConsecutive_5Xx().GetValue()
	}
	if countsOwn(od) {
		fails, field = 5, "consecutive_local_origin_failure"
		if n := od.GetConsecutiveLocalOriginFailure(); n != nil {
			fails = n.GetValue()
		}
		if m.lesson = lessonOutlierOwn; fails == 1 {
			m.kind = Exact
		}
	}
	m.also = append(m.also, at.at(field))
	return m, fmt.Sprintf(" max_fails=%d fail_timeout=%s", fails, period)
}

// several reports whether nginx sees more than one server there, or may: a name
// may have more addresses than one.
func several(all []server) bool {
	return len(all) > 1 || len(all) == 1 && all[0].address.GetSocketAddress() != nil && serverAddress(all[0].address) == ""
}

// countsOwn reports whether the cluster counts as nginx does: what fails on the
// way to an endpoint, not its answers.
func countsOwn(od *clusterv3.OutlierDetection) bool {
	off := od.GetEnforcingConsecutive_5Xx()
	return od.GetSplitExternalLocalOriginErrors() && off != nil && off.GetValue() == 0
}
