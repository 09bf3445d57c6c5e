package engine

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Template is the YAML of a new resource, with comments that say what is to be
// filled in. Templates of one name fit together: the listener asks for the
// route, which goes to the cluster, which has the endpoints. An unknown type
// gives "".
func Template(t mesh.Type, name string) string {
	form, ok := templates[t]
	if !ok {
		return ""
	}
	return strings.ReplaceAll(form, "NAME", fmt.Sprintf("%q", name))
}

// templates are read, never written.
var templates = map[mesh.Type]string{
	mesh.Listener: `# A listener: an address and port, and what is done with what comes in.
name: NAME
address:
  socket_address:
    address: 127.0.0.1
    port_value: 10000 # one that nothing else uses
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: NAME
      rds:
        route_config_name: NAME # the route configuration that decides where requests go
        config_source:
          resource_api_version: V3
          ads: {}
      http_filters:
      - name: envoy.filters.http.router # always the last filter
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
`,
	mesh.Route: `# A route configuration: which cluster takes a request. The first route that
# matches wins, unlike nginx's longest prefix.
name: NAME
virtual_hosts:
- name: all
  domains: ["*"] # of the Host header; www.example.com, *.example.com
  routes:
  - match:
      prefix: / # or path: /exact, or safe_regex
    route:
      cluster: NAME
      timeout: 15s # of the whole response; 0s for none. nginx waits for 60 s of silence instead
`,
	mesh.Cluster: `# A cluster: a group of endpoints that serve the same thing, as nginx's upstream.
name: NAME
type: EDS # its endpoints come from the resource of the same name
connect_timeout: 1s
lb_policy: ROUND_ROBIN
eds_cluster_config:
  eds_config:
    resource_api_version: V3
    initial_fetch_timeout: 2s
    ads: {}
health_checks:
- timeout: 1s
  interval: 2s
  no_traffic_interval: 2s # without it a cluster without traffic is checked once a minute
  unhealthy_threshold: 2
  healthy_threshold: 1
  http_health_check:
    path: /
`,
	mesh.Endpoints: `# The endpoints of the cluster with this name.
cluster_name: NAME
endpoints:
- lb_endpoints:
  - endpoint:
      address:
        socket_address:
          address: 127.0.0.1 # an IP address, no host name
          port_value: 8080
`,
	mesh.Secret: `# A secret: a certificate and its key, asked for by name.
name: NAME
tls_certificate:
  certificate_chain:
    filename: /etc/envoy/tls/tls.crt # on the machine that Envoy runs on
  private_key:
    filename: /etc/envoy/tls/tls.key
`,
	mesh.VirtualHost: `# A virtual host that joins a route configuration with "vhds" in it. Its name
# begins with that route configuration's name and a slash: local_route/www.
name: NAME
domains: ["www.example.com"] # of the Host header; no other virtual host there may have them
routes:
- match:
    prefix: /
  direct_response: # or route: {cluster: …}, one that is there
    status: 200
    body: {inline_string: "www\n"}
`,
	mesh.ScopedRoute: `# A scope: which route configuration takes the requests of one key. The
# connection manager's scoped_routes says what of a request makes the key.
name: NAME
route_configuration_name: NAME # one that is there
key:
  fragments: # one for each fragment that the connection manager builds, in its order
  - string_key: NAME
`,
	mesh.Extension: `# The configuration of a filter, asked for by name: by the http_filters entry
# with this name that says "config_discovery", with this type in its type_urls.
name: NAME
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
  abort:
    http_status: 503
    percentage:
      numerator: 0 # of 100 requests; changes without a drain
`,
	mesh.Runtime: `# A layer of runtime values, asked for by the rtds_layer with this name in
# Envoy's bootstrap. Envoys that meshtui starts ask for the one called meshtui.
name: NAME
layer:
  # a number, a text or true and false for a key that the other resources name as
  # runtime_key, or a flag of Envoy's own
  health_check.min_interval: 1000
`,
}
