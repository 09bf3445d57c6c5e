package envoy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// sampleClusters is an answer of Envoy 1.40.0, shortened.
const sampleClusters = `{"cluster_statuses":[
 {"name":"meshtui_xds","host_statuses":[{"address":{"pipe":{"path":"/x"}},"stats":[],"health_status":{"eds_health_status":"HEALTHY"},"weight":1,"locality":{}}]},
 {"name":"od","added_via_api":true,"eds_service_name":"svc","host_statuses":[
  {"address":{"socket_address":{"address":"127.0.0.1","port_value":22101}},"stats":[{"name":"cx_connect_fail"},{"name":"rq_total"}],"health_status":{"eds_health_status":"UNHEALTHY"},"weight":2,"priority":1,"locality":{}},
  {"address":{"socket_address":{"address":"127.0.0.1","port_value":22100}},"stats":[{"name":"cx_connect_fail","value":"3"},{"value":"2","name":"cx_total"},{"value":"7","name":"rq_error"},{"name":"rq_success"},{"name":"rq_timeout"},{"value":"9","name":"rq_total"},{"type":"GAUGE","value":"1","name":"cx_active"},{"type":"GAUGE","value":"1","name":"rq_active"},{"type":"GAUGE","name":"rq_pending_active"}],"health_status":{"failed_outlier_check":true,"eds_health_status":"HEALTHY"},"weight":1,"locality":{}}
 ]}]}`

func TestJoin(t *testing.T) {
	all, err := readClusters([]byte(sampleClusters))
	if err != nil {
		t.Fatal(err)
	}
	clusters := map[string]clusterStatus{}
	for _, c := range all {
		clusters[c.Name] = c
	}
	served := map[mesh.Key]proto.Message{
		{Type: mesh.Cluster, Name: "od"}: parse(t, "cluster\nname: od\ntype: EDS\neds_cluster_config: {service_name: svc}\noutlier_detection: {}"),
		{Type: mesh.Endpoints, Name: "svc"}: parse(t, `endpoints
cluster_name: svc
endpoints:
- lb_endpoints:
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 22100}}}
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 22109}}}
- priority: 1
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 22101}}}
    health_status: TIMEOUT
`),
	}
	var past chronicle
	past.note(Event{Kind: OutlierEject, Cluster: "od", Address: "127.0.0.1:22100", Time: t1, Why: consecutive5xx})
	endpoints, sums := join(clusters, served, nil, past.at)
	want := []Endpoint{
		{Cluster: "od", Address: "127.0.0.1:22100", Health: Ejected, Why: "5 consecutive 5xx", Since: t1, Weight: 1,
			Requests: 9, Errors: 7, ConnectFailures: 3, ActiveRequests: 1},
		{Cluster: "od", Address: "127.0.0.1:22109", Health: HealthUnknown, Why: "Envoy does not have it (yet)", Weight: 1},
		{Cluster: "od", Address: "127.0.0.1:22101", Health: EDSTimeout, Why: "EDS says TIMEOUT", Weight: 2, Priority: 1},
	}
	if diff := cmp.Diff(want, endpoints); diff != "" {
		t.Errorf("endpoints -want +got\n%s", diff)
	}
	wantSums := map[string]ClusterStats{"od": {Requests: 9, Errors: 7, ConnectFailures: 3, ActiveRequests: 1}}
	if diff := cmp.Diff(wantSums, sums); diff != "" {
		t.Errorf("sums -want +got\n%s", diff)
	}
}

// Envoy writes an address in its shortest form; the operator finds it as it was
// written. Endpoints within a cluster count like those of EDS.
func TestJoinFindsEndpointsAsWritten(t *testing.T) {
	all, err := readClusters([]byte(`{"cluster_statuses":[{"name":"c","host_statuses":[
		{"address":{"socket_address":{"address":"::1","port_value":80}},"health_status":{"eds_health_status":"UNHEALTHY"},"weight":1}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	served := map[mesh.Key]proto.Message{{Type: mesh.Cluster, Name: "c"}: parse(t, `cluster
name: c
type: STATIC
load_assignment:
  cluster_name: c
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: "0:0::1", port_value: 80}}}
      health_status: TIMEOUT
`)}
	var past chronicle
	got, _ := join(map[string]clusterStatus{"c": all[0]}, served, nil, past.at)
	want := []Endpoint{{Cluster: "c", Address: "[0:0::1]:80", Health: EDSTimeout, Why: "EDS says TIMEOUT", Weight: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestVanishedEndpointsAreForgotten(t *testing.T) {
	before := []Endpoint{{Cluster: "c", Address: "[0:0::1]:80", Health: Healthy}, {Cluster: "c", Address: "127.0.0.1:1", Health: CheckFailed}, {Cluster: "c", Address: "127.0.0.1:2"}}
	now := []Endpoint{{Cluster: "c", Address: "[::1]:80", Health: Healthy}, {Cluster: "c", Address: "127.0.0.1:1"}}
	want := []endpointID{{"c", "127.0.0.1:1"}}
	if diff := cmp.Diff(want, vanished(before, now), cmp.AllowUnexported(endpointID{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var past chronicle
	past.note(Event{Kind: CheckUnhealthy, Cluster: "c", Address: "127.0.0.1:1", Why: "HTTP 503"})
	past.forget(want[0])
	if h := past.at("c", "127.0.0.1:1"); h != (history{}) {
		t.Errorf("still remembered: %+v", h)
	}
}

func TestRejectedByType(t *testing.T) {
	stats := readStats([]byte(`cluster.app.update_rejected: 2
cluster.outbound|80||x.update_rejected: 1
cluster_manager.cds.update_rejected: 3
cluster_manager.cds.version_text: "v: 1"
http.ingress.rds.main.update_rejected: 4
listener_manager.lds.update_rejected: 5
listener_manager.total_listeners_draining: 1
sds.cert.update_rejected: 6
cluster.app.upstream_rq_time: P0(nan,1) P25(nan,1.025)
`))
	want := map[mesh.Type]uint64{mesh.Endpoints: 3, mesh.Cluster: 3, mesh.Route: 4, mesh.Listener: 5, mesh.Secret: 6}
	if diff := cmp.Diff(want, rejected(stats)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEjectionKindFromCounters(t *testing.T) {
	one := map[string]uint64{"cluster.a.outlier_detection.ejections_enforced_consecutive_5xx": 2,
		"cluster.a.outlier_detection.ejections_enforced_total": 2, "cluster.a.outlier_detection.ejections_enforced_success_rate": 0}
	if got := healthStatsOf(one, "a").Ejections; got != consecutive5xx {
		t.Errorf("one kind: %q", got)
	}
	one["cluster.a.outlier_detection.ejections_enforced_success_rate"] = 1
	if got := healthStatsOf(one, "a").Ejections; got != "" {
		t.Errorf("two kinds: %q", got)
	}
}

// manyClusters is an answer with clusters of ten endpoints.
func manyClusters(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"cluster_statuses":[`)
	for c := range n {
		if c > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"c%d","added_via_api":true,"host_statuses":[`, c)
		for h := range 10 {
			if h > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"address":{"socket_address":{"address":"10.0.%d.%d","port_value":80}},"stats":[{"name":"cx_connect_fail"},{"value":"2","name":"cx_total"},{"value":"7","name":"rq_error"},{"name":"rq_success"},{"name":"rq_timeout"},{"value":"7","name":"rq_total"},{"type":"GAUGE","value":"1","name":"cx_active"},{"type":"GAUGE","name":"rq_active"},{"type":"GAUGE","name":"rq_pending_active"}],"health_status":{"eds_health_status":"HEALTHY"},"weight":1,"locality":{}}`, c%250, h)
		}
		b.WriteString("]}")
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// BenchmarkPoll10000 is what one full poll of 10,000 endpoints costs us.
func BenchmarkPoll10000(b *testing.B) {
	body := manyClusters(1000)
	var past chronicle
	for b.Loop() {
		all, err := readClusters(body)
		if err != nil {
			b.Fatal(err)
		}
		clusters := make(map[string]clusterStatus, len(all))
		for _, c := range all {
			clusters[c.Name] = c
		}
		if endpoints, _ := join(clusters, nil, nil, past.at); len(endpoints) != 10000 {
			b.Fatal(len(endpoints))
		}
	}
}
