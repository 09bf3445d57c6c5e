package nginx

import (
	"slices"
	"strings"
	"testing"
)

// TestAnotherChainsClientsAreNotServed holds that a server refuses the clients that
// Envoy gives to a chain for a narrower network, unless that chain does the same.
func TestAnotherChainsClientsAreNotServed(t *testing.T) {
	chain := func(match, routes string) string {
		return "- filter_chain_match: {" + match + "}\n  filters:\n  - name: http\n    typed_config:\n      \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n" +
			"      stat_prefix: web\n      rds: {route_config_name: " + routes + ", config_source: {ads: {}, resource_api_version: V3}}\n"
	}
	of := func(network string) string {
		address, bits, _ := strings.Cut(network, "/")
		return "source_prefix_ranges: [{address_prefix: " + address + ", prefix_len: " + bits + "}]"
	}
	for _, c := range []struct {
		name   string
		chains []string
		want   []string // of the first server
	}{
		{"everybody, but for a network with routes of its own", []string{chain("", "open"), chain(of("10.0.0.0/8"), "shut")}, []string{"deny 10.0.0.0/8;"}},
		{"everybody, but for a network that gets the same", []string{chain("", "open"), chain(of("10.0.0.0/8"), "open")}, nil},
		{"a network within another", []string{chain(of("10.1.0.0/16"), "open"), chain(of("10.0.0.0/8"), "shut")}, []string{"allow 10.1.0.0/16;", "deny all;"}},
		{"a network around another", []string{chain(of("10.0.0.0/8"), "open"), chain(of("10.1.0.0/16"), "shut")}, []string{"deny 10.1.0.0/16;", "allow 10.0.0.0/8;", "deny all;"}},
	} {
		m := parseMesh(t, [2]string{"listener", "name: web\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nfilter_chains:\n" + strings.Join(c.chains, "")},
			[2]string{"route", "name: open\nvirtual_hosts: [{name: a, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: app}}]}]\n"},
			[2]string{"route", "name: shut\nvirtual_hosts: [{name: a, domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: 403}}]}]\n"},
			[2]string{"cluster", "name: app\ntype: STATIC\nload_assignment: {cluster_name: app, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}\n"})
		c1 := Project(m)
		held(t, m, c1)
		_, server, _ := strings.Cut(c1.String(), "location / {")
		server, _, _ = strings.Cut(server, "proxy_pass")
		var got []string
		for line := range strings.Lines(server) {
			if line = strings.TrimSpace(line); line != "" {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q in\n%s", c.name, got, c.want, c1)
		}
	}
}
