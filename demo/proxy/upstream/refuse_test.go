package upstream

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const policyURL = "type.googleapis.com/envoy.extensions.load_balancing_policies."

func policy(typed string) string {
	return "load_balancing_policy: {policies: [{typed_extension_config: {name: p, typed_config: " + typed + "}}]}"
}

func typed(kind string) string {
	return `typed_config: {"@type": type.googleapis.com/envoy.extensions.` + kind + `}`
}

func httpOptionsOf(explicit string) string {
	return `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {` + explicit + "}}}"
}

func TestCheck(t *testing.T) {
	for fields, want := range map[string]string{ // "" is taken
		"": "",
		"lb_policy: RING_HASH\nring_hash_lb_config: {hash_function: MURMUR_HASH_2}":                                                                "cluster c: ring_hash_lb_config.hash_function MURMUR_HASH_2 is not done by the built-in proxy, only XX_HASH",
		"lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 9, maximum_ring_size: 8}":                                                  "cluster c: lb_policy RING_HASH: minimum_ring_size 9 is more than maximum_ring_size 8",
		"lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 100}":                                                                                   "cluster c: lb_policy MAGLEV: table_size 100 is not a prime number up to 5000011",
		"lb_policy: CLUSTER_PROVIDED":                                                                                                              "cluster c: lb_policy CLUSTER_PROVIDED is not done by the built-in proxy",
		"lb_subset_config: {fallback_policy: ANY_ENDPOINT}":                                                                                        "cluster c: lb_subset_config is not done by the built-in proxy",
		"round_robin_lb_config: {slow_start_config: {slow_start_window: 1s}}":                                                                      "cluster c: round_robin_lb_config.slow_start_config is not done by the built-in proxy",
		"max_requests_per_connection: 1":                                                                                                           "cluster c: max_requests_per_connection is not done by the built-in proxy",
		"common_lb_config: {update_merge_window: 0s, healthy_panic_threshold: {value: 1}}":                                                         "",
		"common_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 1}}}":                                                                  "cluster c: common_lb_config.zone_aware_lb_config.routing_enabled is not done by the built-in proxy",
		"circuit_breakers: {thresholds: [{max_requests: 1}, {retry_budget: {}}]}":                                                                  "cluster c: circuit_breakers.thresholds[1].retry_budget is not done by the built-in proxy",
		"health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, grpc_health_check: {}}]":                        "cluster c: health_checks[0].grpc_health_check is not done by the built-in proxy",
		"transport_socket: {name: envoy.transport_sockets.tls, " + typed("transport_sockets.tls.v3.UpstreamTlsContext") + "}":                      "cluster c: transport_socket envoy.transport_sockets.tls is not done by the built-in proxy, only envoy.transport_sockets.raw_buffer",
		"transport_socket: {name: envoy.transport_sockets.raw_buffer, " + typed("transport_sockets.tls.v3.UpstreamTlsContext") + "}":               "cluster c: transport_socket envoy.transport_sockets.raw_buffer of type UpstreamTlsContext is not done by the built-in proxy, only envoy.transport_sockets.raw_buffer",
		`transport_socket: {name: plain, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}`: "",
		"transport_socket: {name: envoy.transport_sockets.raw_buffer}":                                                                             "cluster c: transport_socket envoy.transport_sockets.raw_buffer without a typed_config is not done by the built-in proxy, only envoy.transport_sockets.raw_buffer",
		"http_protocol_options: {enable_trailers: true, accept_http_10: true}":                                                                     "",
		"http_protocol_options: {send_fully_qualified_url: true}":                                                                                  "cluster c: http_protocol_options.send_fully_qualified_url is not done by the built-in proxy",
		"http_protocol_options: {allow_chunked_length: true}":                                                                                      "cluster c: http_protocol_options.allow_chunked_length is not done by the built-in proxy",
		"http2_protocol_options: {initial_stream_window_size: 65536}":                                                                              "",
		"http2_protocol_options: {connection_keepalive: {interval: 1s, timeout: 1s}}":                                                              "cluster c: http2_protocol_options.connection_keepalive is not done by the built-in proxy",
		httpOptionsOf("http_protocol_options: {header_key_format: {proper_case_words: {}}}"):                                                       "cluster c: typed_extension_protocol_options[envoy.extensions.upstreams.http.v3.HttpProtocolOptions].explicit_http_config.http_protocol_options.header_key_format is not done by the built-in proxy",
		httpOptionsOf("http2_protocol_options: {max_concurrent_streams: 100}"):                                                                     "cluster c: typed_extension_protocol_options[envoy.extensions.upstreams.http.v3.HttpProtocolOptions].explicit_http_config.http2_protocol_options.max_concurrent_streams is not done by the built-in proxy",
		httpOptionsOf("http2_protocol_options: {hpack_table_size: 4096}"):                                                                          "",
		"type: EDS\neds_cluster_config: {eds_config: {ads: {}, initial_fetch_timeout: 1s, resource_api_version: V3}}":                              "",
		"type: EDS\neds_cluster_config: {eds_config: {self: {}}}":                                                                                  "cluster c: eds_cluster_config.eds_config.self is not done by the built-in proxy", // nor by an Envoy
		"type: EDS\neds_cluster_config: {eds_config: {path_config_source: {path: /etc/eds.yaml}}}":                                                 "cluster c: eds_cluster_config.eds_config.path_config_source is not done by the built-in proxy",
		"type: EDS\neds_cluster_config: {eds_config: {api_config_source: {api_type: GRPC}}}":                                                       "cluster c: eds_cluster_config.eds_config.api_config_source is not done by the built-in proxy",
		"outlier_detection: {split_external_local_origin_errors: true, enforcing_local_origin_success_rate: 1}":                                    "cluster c: outlier_detection.enforcing_local_origin_success_rate is not done by the built-in proxy",
		policy(`{"@type": ` + policyURL + `maglev.v3.Maglev, table_size: 101}`):                                                                    "",
		policy(`{"@type": ` + policyURL + `least_request.v3.LeastRequest, selection_method: FULL_SCAN}`):                                           "",
		policy(`{"@type": ` + policyURL + `ring_hash.v3.RingHash, hash_balance_factor: 120}`):                                                      "cluster c: load_balancing_policy.hash_balance_factor is not done by the built-in proxy",
		policy(`{"@type": ` + policyURL + `pick_first.v3.PickFirst}`):                                                                              "cluster c: load_balancing_policy: none of [p] is done by the built-in proxy",
	} {
		err := Check(clusterOf(t, "name: c\nconnect_timeout: 1s\n"+fields))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", fields, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%s:\n got %v\nwant %s", fields, err, want)
		}
		c, made := start(clusterOf(t, "name: c\nconnect_timeout: 1s\n"+fields), Options{}, nil, nil)
		if (made == nil) != (want == "") {
			t.Errorf("%s: New says %v", fields, made)
		}
		if made == nil {
			c.Close()
		}
	}
}

func TestCheckWholeClusters(t *testing.T) {
	for yaml, want := range map[string]string{
		"name: c\nconnect_timeout: 0s":                                "invalid Cluster.ConnectTimeout: value must be greater than 0s",
		"name: c\nconnect_timeout: 1s\ntype: ORIGINAL_DST":            "cluster c: type ORIGINAL_DST is not done by the built-in proxy",
		"name: c\nconnect_timeout: 1s\ntype: LOGICAL_DNS":             "cluster c: load_assignment: LOGICAL_DNS must have exactly one endpoint, it has 0",
		eds + "load_assignment: {cluster_name: c}":                    "cluster c: load_assignment: a cluster of type EDS gets its endpoints by EDS",
		simple("", "app.test:80"):                                     "endpoints of c: endpoints[0].lb_endpoints[0].endpoint.address: malformed IP address: app.test",
		strings.Replace(simple("", hostA), "STATIC", "STRICT_DNS", 1): "",
	} {
		err := Check(clusterOf(t, yaml))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", yaml, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s:\n got %v\nwant %s", yaml, err, want)
		}
	}
}

func TestCheckAssignmentAndRetry(t *testing.T) {
	for yaml, want := range map[string]string{
		"endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: /run/app.sock}}}}]}]":                                             "",
		"endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, named_port: http}}}}]}]":                   "endpoints of c: endpoints[0].lb_endpoints[0].endpoint.address: named_port http is not done by the built-in proxy",
		"endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: {server_listener_name: l}}}}]}]":                       "endpoints of c: endpoints[0].lb_endpoints[0].endpoint.address: internal:l is not done by the built-in proxy, only socket_address and pipe",
		"policy: {drop_overloads: [{category: lb, drop_percentage: {numerator: 1}}]}":                                                     "endpoints of c: policy.drop_overloads is not done by the built-in proxy",
		"endpoints: [{lb_endpoints: [{endpoint: {additional_addresses: [{address: {pipe: {path: /a}}}], address: {pipe: {path: /b}}}}]}]": "endpoints of c: endpoints[0].lb_endpoints[0].endpoint.additional_addresses is not done by the built-in proxy",
	} {
		err := CheckAssignment(decode(t, &endpointv3.ClusterLoadAssignment{}, "cluster_name: c\n"+yaml))
		if got := errorText(err); got != want {
			t.Errorf("%s:\n got %s\nwant %s", yaml, got, want)
		}
	}
	for yaml, want := range map[string]string{
		"retry_on: 5xx\nper_try_timeout: 1s":                                                        "",
		"retry_on: 5xx\nretry_priority: {name: p}":                                                  "retry_policy.retry_priority is not done by the built-in proxy",
		"retry_on: 5xx\nper_try_idle_timeout: 1s":                                                   "retry_policy.per_try_idle_timeout is not done by the built-in proxy",
		"retry_on: 5xx\nretry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts}]": "retry_policy.retry_host_predicate[0]: envoy.retry_host_predicates.previous_hosts without a typed_config is not done by the built-in proxy, only envoy.retry_host_predicates.previous_hosts",
		"retry_on: 5xx\nretry_host_predicate: [{name: envoy.retry_host_predicates.omit_canary_hosts, " + typed("retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate") + "}]": "retry_policy.retry_host_predicate[0]: envoy.retry_host_predicates.omit_canary_hosts is not done by the built-in proxy, only envoy.retry_host_predicates.previous_hosts",
		"retry_on: 5xx\nretry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, " + typed("retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate") + "}]":    "retry_policy.retry_host_predicate[0]: envoy.retry_host_predicates.previous_hosts of type OmitCanaryHostsPredicate is not done by the built-in proxy, only envoy.retry_host_predicates.previous_hosts",
		"retry_on: 5xx\nretry_host_predicate: [{name: p, " + typed("retry.host.previous_hosts.v3.PreviousHostsPredicate") + "}]":                                                  "",
	} {
		if got := errorText(CheckRetry(retryOf(t, yaml))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", yaml, got, want)
		}
	}
	if err := CheckRetry(nil); err != nil {
		t.Error(err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A list of what is done may name only what there is.
func TestListsNameFields(t *testing.T) {
	for name, fields := range done {
		found, err := protoregistry.GlobalTypes.FindMessageByName(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range fields {
			if found.Descriptor().Fields().ByName(protoreflect.Name(f)) == nil {
				t.Errorf("%s has no field %s", name, f)
			}
		}
	}
	for name := range whole {
		if _, err := protoregistry.GlobalTypes.FindMessageByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever bytes come as a cluster or as endpoints, they end in an error or in a
// cluster that can be asked and closed.
func FuzzCluster(f *testing.F) {
	for _, yaml := range []string{simple(everySecond, hostA), eds, simple("lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 3}", hostA, hostB)} {
		b, err := proto.Marshal(clusterOf(f, yaml))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{})
	}
	b, err := proto.Marshal(endpoints(f, hostA+" load_balancing_weight: 3", hostB))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\n\x01c"), b)
	f.Fuzz(func(t *testing.T, cluster, assignment []byte) {
		resource, given := &clusterv3.Cluster{}, &endpointv3.ClusterLoadAssignment{}
		if proto.Unmarshal(cluster, resource) != nil || proto.Unmarshal(assignment, given) != nil {
			return
		}
		// What is large costs only time.
		if s, err := read(resource); err != nil || s.balancer.ringMin > 1<<12 || s.balancer.tableSize > 1<<17 {
			return
		}
		var nobody network
		c, err := start(resource, Options{}, nobody.dial, &dns{})
		if err != nil {
			t.Fatalf("Check took what New does not: %v", err)
		}
		defer c.Close()
		if CheckAssignment(given) == nil {
			c.Assign(given)
		}
		if a, _, _ := get(t, c, Call{}); a.Failure == nil {
			t.Errorf("nobody answers, and an answer came: %+v", a)
		}
		c.Update(resource)
		c.Snapshot()
	})
}
