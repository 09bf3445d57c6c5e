package envoy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The lines are Envoy 1.40.0's own.
func TestParseEvent(t *testing.T) {
	const host = `"host":{"socket_address":{"protocol":"TCP","address":"127.0.0.1","resolver_name":"","ipv4_compat":false,"port_value":22102}}`
	at := time.Date(2026, 11, 22, 15, 10, 1, 805000000, time.UTC)
	const stamp = `"timestamp":"2026-11-22T15:10:01.805Z"`
	for _, c := range []struct {
		name, line string
		want       Event
	}{
		{"became unhealthy", `{"health_checker_type":"HTTP",` + host + `,"cluster_name":"hcc","eject_unhealthy_event":{"failure_type":"ACTIVE","http_status_code":503},` + stamp + `,"metadata":{"filter_metadata":{},"typed_filter_metadata":{}},"locality":{"region":"","zone":"","sub_zone":""}}`,
			Event{Kind: CheckUnhealthy, Cluster: "hcc", Address: "127.0.0.1:22102", Why: "HTTP 503"}},
		{"became healthy", `{"health_checker_type":"HTTP",` + host + `,"cluster_name":"hcc","add_healthy_event":{"first_check":true},` + stamp + `}`,
			Event{Kind: CheckHealthy, Cluster: "hcc", Address: "127.0.0.1:22102", First: true}},
		{"first check refused", `{"health_checker_type":"TCP",` + host + `,"cluster_name":"hcc","health_check_failure_event":{"failure_type":"NETWORK","first_check":true},` + stamp + `}`,
			Event{Kind: CheckFailure, Cluster: "hcc", Address: "127.0.0.1:22102", First: true, Why: "connection refused or cut"}},
		{"timed out", `{"health_checker_type":"HTTP",` + host + `,"cluster_name":"hcc","health_check_failure_event":{"failure_type":"NETWORK_TIMEOUT"},` + stamp + `}`,
			Event{Kind: CheckFailure, Cluster: "hcc", Address: "127.0.0.1:22102", Timeout: true, Why: "no answer in time"}},
		{"a pipe", `{"health_checker_type":"HTTP","host":{"pipe":{"path":"/run/a.sock"}},"cluster_name":"p","eject_unhealthy_event":{"failure_type":"ACTIVE"},` + stamp + `}`,
			Event{Kind: CheckUnhealthy, Cluster: "p", Address: "/run/a.sock", Why: "wrong answer"}},
		{"ejected", `{"type":"CONSECUTIVE_5XX",` + stamp + `,"cluster_name":"od","upstream_url":"127.0.0.1:22100","action":"EJECT","num_ejections":1,"enforced":true,"eject_consecutive_event":{}}`,
			Event{Kind: OutlierEject, Cluster: "od", Address: "127.0.0.1:22100", Why: "consecutive 5xx"}},
		{"put back", `{"type":"CONSECUTIVE_5XX",` + stamp + `,"cluster_name":"od","upstream_url":"127.0.0.1:22100","action":"UNEJECT","secs_since_last_action":"1","num_ejections":1}`,
			Event{Kind: OutlierUneject, Cluster: "od", Address: "127.0.0.1:22100"}},
		{"success rate", `{"type":"SUCCESS_RATE",` + stamp + `,"cluster_name":"od","upstream_url":"[::1]:80","action":"EJECT","enforced":true,"eject_success_rate_event":{"host_success_rate":42,"cluster_average_success_rate":97,"cluster_success_rate_ejection_threshold":80}}`,
			Event{Kind: OutlierEject, Cluster: "od", Address: "[::1]:80", Why: "success rate 42%, the cluster's is 97%"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Node, c.want.Time = "n", at
			got, ok := parseEvent("n", []byte(c.line))
			if !ok {
				t.Fatal("not understood")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestParseEventPassesOver(t *testing.T) {
	for _, line := range []string{
		"", "{", "[]", "null", "{}", `"x"`, `{"cluster_name":"a"}`, `{"upstream_url":1}`,
		`{"type":"CONSECUTIVE_5XX","cluster_name":"od","upstream_url":"127.0.0.1:1","action":"EJECT","enforced":false}`,
		`{"health_checker_type":"HTTP","cluster_name":"a","degraded_healthy_host":{}}`,
	} {
		if e, ok := parseEvent("n", []byte(line)); ok {
			t.Errorf("%s became %+v", line, e)
		}
	}
}
