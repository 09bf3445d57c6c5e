package upstream

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// share is a cluster whose load a real Envoy and we divide. Its endpoints are
// written as groups: "priority[/locality[/weight]]: host host …", each host with
// fields of its LbEndpoint after a plus.
type share struct {
	name    string
	cluster string
	policy  string // of the assignment
	groups  []string
}

func shares() []share {
	const byLocality = "common_lb_config: {locality_weighted_lb_config: {}}"
	return []share{
		{"equal", "", "", []string{"0: h h h"}},
		{"weights", "", "", []string{"0: h+load_balancing_weight:1 h+load_balancing_weight:2 h+load_balancing_weight:5"}},
		{"random", "lb_policy: RANDOM", "", []string{"0: h h+load_balancing_weight:5"}},
		{"leastweights", "lb_policy: LEAST_REQUEST", "", []string{"0: h h+load_balancing_weight:3"}},
		{"unhealthyone", "", "", []string{"0: h h h+health_status:UNHEALTHY"}},
		{"panic", "", "", []string{"0: h h+health_status:UNHEALTHY h+health_status:UNHEALTHY"}},
		{"draining", "", "", []string{"0: h h+health_status:DRAINING h+health_status:DRAINING"}},
		{"alldraining", "", "", []string{"0: h+health_status:DRAINING h+health_status:DRAINING"}},
		{"timeouts", "", "", []string{"0: h h+health_status:TIMEOUT"}},
		{"degraded", "", "", []string{"0: h h+health_status:DEGRADED h+health_status:DEGRADED h+health_status:DEGRADED"}},
		{"alldegraded", "", "", []string{"0: h+health_status:DEGRADED h+health_status:DEGRADED"}},
		{"spill", "", "", []string{"0: h h h+health_status:UNHEALTHY", "1: h"}},
		{"spillmore", "", "", []string{"0: h h+health_status:UNHEALTHY h+health_status:UNHEALTHY", "1: h"}},
		{"drainingspills", "", "", []string{"0: h h+health_status:DRAINING h+health_status:DRAINING", "1: h"}},
		{"spared", "", "policy: {overprovisioning_factor: 10000}", []string{"0: h h+health_status:UNHEALTHY h+health_status:UNHEALTHY", "1: h"}},
		{"firstgone", "", "", []string{"0: h+health_status:UNHEALTHY", "1: h h"}},
		{"firstpanics", "", "policy: {overprovisioning_factor: 100}", []string{"0: h+health_status:UNHEALTHY h+health_status:UNHEALTHY h+health_status:UNHEALTHY h", "1: h h+health_status:UNHEALTHY"}},
		{"allpanic", "", "", []string{"0: h+health_status:UNHEALTHY h+health_status:UNHEALTHY h+health_status:UNHEALTHY", "1: h+health_status:UNHEALTHY"}},
		{"degradedspills", "", "", []string{"0: h+health_status:DEGRADED h+health_status:UNHEALTHY", "1: h h+health_status:UNHEALTHY h+health_status:UNHEALTHY h+health_status:UNHEALTHY"}},
		{"weightedhealth", "", "policy: {weighted_priority_health: true}", []string{"0: h h+load_balancing_weight:9,health_status:UNHEALTHY", "1: h"}},
		{"threshold", "common_lb_config: {healthy_panic_threshold: {value: 80}}", "", []string{"0: h h h+health_status:UNHEALTHY"}},
		{"localities", byLocality, "", []string{"0/a/1: h h", "0/b/3: h"}},
		{"localityloss", byLocality, "", []string{"0/a/1: h h", "0/b/3: h h+health_status:UNHEALTHY"}},
		{"localitynone", byLocality, "", []string{"0/a/1: h", "0/b: h"}},
		{"unweighted", "", "", []string{"0/a/1: h h", "0/b/9: h"}},
	}
}

// yaml writes the cluster with real addresses for its hosts.
func (s share) yaml(w world) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntype: STATIC\nconnect_timeout: 1s\n%s\nload_assignment:\n  cluster_name: %s\n  %s\n  endpoints:\n", s.name, s.cluster, s.name, s.policy)
	next := 0
	for _, group := range s.groups {
		head, hosts, _ := strings.Cut(group, ": ")
		parts := append(strings.Split(head, "/"), "", "")
		fmt.Fprintf(&b, "  - priority: %s\n    locality: {zone: %q}\n", parts[0], parts[1])
		if parts[2] != "" {
			fmt.Fprintf(&b, "    load_balancing_weight: %s\n", parts[2])
		}
		b.WriteString("    lb_endpoints:\n")
		for _, h := range strings.Fields(hosts) {
			_, fields, _ := strings.Cut(h, "+")
			fields = strings.ReplaceAll(strings.ReplaceAll(fields, ":", ": "), ",", ", ")
			if fields != "" {
				fields = ", " + fields
			}
			host, port, _ := strings.Cut(w[next], ":")
			fmt.Fprintf(&b, "    - {endpoint: {address: {socket_address: {address: %s, port_value: %s}}}%s}\n", host, port, fields)
			next++
		}
	}
	return b.String()
}

// TestSharesAsEnvoy compares how a real Envoy and we divide requests among
// hosts.
func TestSharesAsEnvoy(t *testing.T) {
	var w world
	for i := range 6 {
		w = append(w, listen(t, says(response(200, fmt.Sprint(i)))))
	}
	var clusters []string
	var routes []scenario
	for _, s := range shares() {
		clusters = append(clusters, s.yaml(w))
		routes = append(routes, scenario{name: s.name})
	}
	r := startEnvoyOf(t, routes, clusters)
	for i, s := range shares() {
		t.Run(s.name, func(t *testing.T) {
			const n = 400
			want, got := map[string]int{}, map[string]int{}
			c, err := New(clusterOf(t, clusters[i]), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range n {
				want[r.hostOf(t, routes[i], "")]++
				_, body, _ := get(t, c, Call{})
				got[body]++
			}
			for h := range w {
				h := fmt.Sprint(h)
				p := float64(want[h]+got[h]) / (2 * n)
				if d := math.Abs(float64(want[h] - got[h])); d > 2+5*math.Sqrt(2*n*p*(1-p)) || (want[h] == 0) != (got[h] == 0) {
					t.Errorf("host %s got %d of %d, in Envoy %d", h, got[h], n, want[h])
				}
			}
			theirs, ours := r.stats(t, s.name), c.Snapshot().Stats
			for _, name := range []string{"membership_total", "membership_healthy", "membership_degraded", "membership_excluded"} {
				if theirs[name] != ours[name] {
					t.Errorf("%s is %d, in Envoy %d", name, ours[name], theirs[name])
				}
			}
			if (theirs["lb_healthy_panic"] == 0) != (ours["lb_healthy_panic"] == 0) || (theirs["lb_healthy_panic"] == n) != (ours["lb_healthy_panic"] == n) {
				t.Errorf("%d requests found panic, in Envoy %d", ours["lb_healthy_panic"], theirs["lb_healthy_panic"])
			}
		})
	}
}
