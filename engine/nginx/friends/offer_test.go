package friends

import (
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// TestOffers holds what is told, and what is offered, where Envoy would refuse the
// setting or not do what it says.
func TestOffers(t *testing.T) {
	hosts := func(domains, more string) string {
		return "name: r\n" + more + "virtual_hosts: [{name: a, domains: [" + domains + "], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]\n"
	}
	listener := func(more string) string {
		return `name: l
address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
filter_chains:
- filters:
  - name: http
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: x
      rds: {route_config_name: r, config_source: {ads: {}, resource_api_version: V3}}
` + more
	}
	cluster := func(endpoints, more string) string {
		return "name: c\ntype: STATIC\n" + more + "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [" + endpoints + "]}]}\n"
	}
	const one = "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}"
	for _, c := range []struct {
		name, subject string
		resources     map[mesh.Type]string
		told, fix     bool
	}{
		{"a name", "port in the Host", map[mesh.Type]string{mesh.Route: hosts(`a.com`, "")}, true, true},
		{"a domain with a port", "port in the Host", map[mesh.Type]string{mesh.Route: hosts(`a.com, "b.com:8080"`, "")}, true, false},
		{"an address", "port in the Host", map[mesh.Type]string{mesh.Route: hosts(`"[::1]"`, "")}, true, true},
		{"any port is taken off", "port in the Host", map[mesh.Type]string{mesh.Route: hosts(`a.com`, ""), mesh.Listener: listener("      strip_any_host_port: true\n")}, false, false},
		{"no port is taken off", "port in the Host", map[mesh.Type]string{mesh.Route: hosts(`a.com`, ""), mesh.Listener: listener("")}, true, true},
		{"least request", "least_conn", map[mesh.Type]string{mesh.Cluster: cluster(one, "lb_policy: LEAST_REQUEST\n")}, true, true},
		{"with subsets", "least_conn", map[mesh.Type]string{mesh.Cluster: cluster(one, "lb_policy: LEAST_REQUEST\nlb_subset_config: {fallback_policy: ANY_ENDPOINT}\n")}, true, false},
		{"with weights of localities", "least_conn", map[mesh.Type]string{mesh.Cluster: cluster(one, "lb_policy: LEAST_REQUEST\ncommon_lb_config: {locality_weighted_lb_config: {}}\n")}, true, false},
		{"one endpoint, a tenth", "max_fails of a single server", map[mesh.Type]string{mesh.Cluster: cluster(one, "outlier_detection: {consecutive_5xx: 2}\n")}, false, false},
		{"one endpoint, panic", "max_fails of a single server", map[mesh.Type]string{mesh.Cluster: cluster(one, "outlier_detection: {max_ejection_percent: 100}\n")}, false, false},
		{"one endpoint, no panic", "max_fails of a single server", map[mesh.Type]string{mesh.Cluster: cluster(one, "outlier_detection: {max_ejection_percent: 100}\ncommon_lb_config: {healthy_panic_threshold: {value: 0}}\n")}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rs []*mesh.Resource
			for k, src := range c.resources {
				rs = append(rs, decode(t, k, src))
			}
			m, err := mesh.New(rs...)
			if err != nil {
				t.Fatal(err)
			}
			told, fix := false, false
			for _, f := range Of(m, nginx.Project(m)) {
				if f.Subject == c.subject {
					told, fix = true, f.Fix != nil
				}
			}
			if told != c.told || fix != c.fix {
				t.Errorf("%s: told %v, with a setting %v; want %v and %v", c.subject, told, fix, c.told, c.fix)
			}
		})
	}
}
