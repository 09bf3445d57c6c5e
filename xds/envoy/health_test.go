package envoy

import (
	"encoding/json"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

var (
	t0 = time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	t1 = t0.Add(time.Second)
)

// checked is a cluster whose health checks tell all through the pipe.
const checked = `cluster
name: c
health_checks:
- timeout: 0.3s
  http_health_check: {path: /}
  always_log_health_check_failures: true
  event_logger: [{name: envoy.health_check.event_sink.file}]
outlier_detection: {consecutive_5xx: 3}
`

// unwatched is one whose checks tell nothing.
const unwatched = "cluster\nname: c\nhealth_checks:\n- timeout: 1s\n  tcp_health_check: {}\n"

func TestJudge(t *testing.T) {
	const (
		failing = `{"failed_active_health_check":true,"eds_health_status":"HEALTHY"}`
		timeout = `{"failed_active_health_check":true,"active_hc_timeout":true,"eds_health_status":"HEALTHY"}`
		pending = `{"failed_active_health_check":true,"pending_active_hc":true,"eds_health_status":"HEALTHY"}`
		ejected = `{"failed_outlier_check":true,"eds_health_status":"HEALTHY"}`
	)
	event := func(e Event) Event { e.Cluster, e.Address = "c", "a"; return e }
	started := Event{Kind: EventStarted}
	for _, c := range []struct {
		name    string
		status  string // verbatim health_status
		cluster string
		served  corev3.HealthStatus
		stats   healthStats
		events  []Event
		want    verdict
	}{
		{name: "healthy", status: `{"eds_health_status":"HEALTHY"}`, want: verdict{health: Healthy}},
		{name: "healthy since a check", status: `{"eds_health_status":"HEALTHY"}`, cluster: checked,
			events: []Event{started, event(Event{Kind: CheckHealthy, Time: t1})}, want: verdict{health: Healthy, since: t1}},
		{name: "EDS UNHEALTHY", status: `{"eds_health_status":"UNHEALTHY"}`, served: corev3.HealthStatus_UNHEALTHY,
			want: verdict{health: EDSUnhealthy, why: "EDS says UNHEALTHY"}},
		{name: "EDS TIMEOUT looks the same in Envoy", status: `{"eds_health_status":"UNHEALTHY"}`, served: corev3.HealthStatus_TIMEOUT,
			want: verdict{health: EDSTimeout, why: "EDS says TIMEOUT"}},
		{name: "EDS DRAINING", status: `{"eds_health_status":"DRAINING"}`, want: verdict{health: Draining, why: "EDS says DRAINING"}},
		{name: "EDS DEGRADED", status: `{"eds_health_status":"DEGRADED"}`, want: verdict{health: Degraded, why: "EDS says DEGRADED"}},
		{name: "refused", status: failing, cluster: checked,
			events: []Event{started, event(Event{Kind: CheckHealthy, Time: t0}), event(Event{Kind: CheckUnhealthy, Time: t1, Why: "connection refused or cut"})},
			want:   verdict{CheckFailed, "health check: connection refused or cut", t1}},
		{name: "the reason is renewed, the beginning is not", status: failing, cluster: checked,
			events: []Event{started, event(Event{Kind: CheckUnhealthy, Time: t0, Why: "connection refused or cut"}), event(Event{Kind: CheckFailure, Time: t1, Why: "HTTP 503"})},
			want:   verdict{CheckFailed, "health check: HTTP 503", t0}},
		{name: "never checked: failing to Envoy, no failure told", status: failing, cluster: checked, stats: healthStats{Known: true, Failures: 7},
			events: []Event{started}, want: verdict{health: NotChecked, why: "its first health check has not ended"}},
		{name: "ill before the pipe says so", status: failing, cluster: checked, stats: healthStats{Known: true, Failures: 7},
			events: []Event{started, event(Event{Kind: CheckHealthy, Time: t0})}, want: verdict{health: CheckFailed, why: "health check fails"}},
		{name: "the first check failed", status: failing, cluster: checked,
			events: []Event{started, event(Event{Kind: CheckFailure, First: true, Time: t1, Why: "HTTP 500"})},
			want:   verdict{CheckFailed, "health check: HTTP 500", t1}},
		{name: "another Envoy: no check failed yet", status: failing, cluster: unwatched, stats: healthStats{Known: true},
			want: verdict{health: NotChecked, why: "its first health check has not ended"}},
		{name: "another Envoy: all failures from the network", status: failing, cluster: unwatched, stats: healthStats{Known: true, Failures: 4, NetworkFailures: 4},
			want: verdict{health: CheckFailed, why: "health check: connection refused, cut or too slow"}},
		{name: "another Envoy: other failures", status: failing, cluster: unwatched, stats: healthStats{Known: true, Failures: 4, NetworkFailures: 1},
			want: verdict{health: CheckFailed, why: "health check fails"}},
		{name: "another Envoy: no counters", status: failing, want: verdict{health: CheckFailed, why: "health check fails"}},
		{name: "pending", status: pending, cluster: checked, want: verdict{health: NotChecked, why: "its first health check has not ended"}},
		{name: "timing out", status: timeout, cluster: checked,
			events: []Event{started, event(Event{Kind: CheckUnhealthy, Time: t1, Timeout: true, Why: "no answer in time"})},
			want:   verdict{CheckTimeout, "health check: no answer within 300ms", t1}},
		{name: "timing out, another Envoy", status: timeout, want: verdict{health: CheckTimeout, why: "health check: no answer in time"}},
		{name: "ejected", status: ejected, cluster: checked,
			events: []Event{started, event(Event{Kind: OutlierEject, Time: t1, Why: consecutive5xx})},
			want:   verdict{Ejected, "3 consecutive 5xx", t1}},
		{name: "ejected by default numbers", status: ejected, cluster: "cluster\nname: c\noutlier_detection: {}\n",
			events: []Event{started, event(Event{Kind: OutlierEject, Time: t1, Why: consecutiveGateway})},
			want:   verdict{Ejected, "5 consecutive gateway failures", t1}},
		{name: "ejected by rate", status: ejected, cluster: checked,
			events: []Event{event(Event{Kind: OutlierEject, Time: t1, Why: "success rate 42%, the cluster's is 97%"})},
			want:   verdict{Ejected, "success rate 42%, the cluster's is 97%", t1}},
		{name: "ejected, the counters say how", status: ejected, cluster: checked, stats: healthStats{Known: true, Ejections: consecutive5xx},
			want: verdict{health: Ejected, why: "3 consecutive 5xx"}},
		{name: "ejected, nothing says how", status: ejected, want: verdict{health: Ejected, why: "outlier detection"}},
		{name: "removal pending", status: `{"eds_health_status":"HEALTHY","pending_dynamic_removal":true}`,
			want: verdict{health: RemovalPending, why: "removed from EDS, kept while its health check passes"}},
		{name: "the endpoint asked for it", status: `{"eds_health_status":"HEALTHY","excluded_via_immediate_hc_fail":true}`,
			want: verdict{health: CheckFailed, why: "the endpoint itself asked not to be used"}},
		{name: "two reasons: the worse one first", status: `{"failed_active_health_check":true,"failed_outlier_check":true,"eds_health_status":"DRAINING"}`,
			want: verdict{health: CheckFailed, why: "health check fails; also draining; also ejected"}},
		{name: "an Envoy that started anew knows nothing", status: failing, cluster: checked, stats: healthStats{Known: true, Failures: 1},
			events: []Event{event(Event{Kind: CheckUnhealthy, Time: t0, Why: "HTTP 503"}), started},
			want:   verdict{health: NotChecked, why: "its first health check has not ended"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := evidence{served: c.served, stats: c.stats}
			if err := json.Unmarshal([]byte(c.status), &e.status); err != nil {
				t.Fatal(err)
			}
			if c.cluster != "" {
				e.cluster = parse(t, c.cluster).(*clusterv3.Cluster)
			}
			var past chronicle
			for _, ev := range c.events {
				past.note(ev)
			}
			e.told = past.at("c", "a")
			if got := judge(e); got != c.want {
				t.Errorf("\n got %s, %q, since %s\nwant %s, %q, since %s", got.health, got.why, got.since, c.want.health, c.want.why, c.want.since)
			}
		})
	}
}
