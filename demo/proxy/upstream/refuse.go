package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// done lists, by message, the fields that this package does or that have no
// effect in it (statistics names, metadata, where to log). A message that is
// not listed is done in full.
var done = map[protoreflect.FullName][]string{
	"envoy.config.cluster.v3.Cluster": {
		"name", "alt_stat_name", "type", "eds_cluster_config", "connect_timeout", "per_connection_buffer_limit_bytes",
		"lb_policy", "load_assignment", "health_checks", "circuit_breakers", "common_http_protocol_options",
		"http_protocol_options", "http2_protocol_options", "typed_extension_protocol_options", "dns_refresh_rate",
		"dns_failure_refresh_rate", "dns_lookup_family", "wait_for_warm_on_init", "outlier_detection",
		"cleanup_interval", "ring_hash_lb_config", "maglev_lb_config", "least_request_lb_config",
		"round_robin_lb_config", "common_lb_config", "metadata", "close_connections_on_host_health_failure",
		"ignore_health_on_host_removal", "load_balancing_policy", "track_cluster_stats", "track_timeout_budgets",
		"transport_socket",
	},
	"envoy.config.cluster.v3.Cluster.CommonLbConfig": {
		"healthy_panic_threshold", "update_merge_window", "ignore_new_hosts_until_first_hc", "zone_aware_lb_config",
		"locality_weighted_lb_config", "consistent_hashing_lb_config",
	},
	"envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig":         {"fail_traffic_on_panic"},
	"envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig": {"use_hostname_for_hashing"},
	"envoy.config.cluster.v3.Cluster.LeastRequestLbConfig":                     {"choice_count", "active_request_bias"},
	"envoy.config.cluster.v3.Cluster.RoundRobinLbConfig":                       {},
	"envoy.config.cluster.v3.CircuitBreakers":                                  {"thresholds"},
	"envoy.config.cluster.v3.CircuitBreakers.Thresholds": {
		"priority", "max_connections", "max_pending_requests", "max_requests", "max_retries", "track_remaining",
	},
	"envoy.config.cluster.v3.OutlierDetection": {
		"consecutive_5xx", "interval", "base_ejection_time", "max_ejection_percent", "enforcing_consecutive_5xx",
		"consecutive_gateway_failure", "enforcing_consecutive_gateway_failure", "split_external_local_origin_errors",
		"consecutive_local_origin_failure", "enforcing_consecutive_local_origin_failure", "max_ejection_time",
		"max_ejection_time_jitter", "successful_active_health_check_uneject_host", "always_eject_one_host",
		"enforcing_success_rate", "success_rate_minimum_hosts", "success_rate_request_volume",
		"success_rate_stdev_factor", "failure_percentage_threshold", "enforcing_failure_percentage",
		"failure_percentage_minimum_hosts", "failure_percentage_request_volume",
	},
	"envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin": {"locality_lb_config"},
	"envoy.extensions.load_balancing_policies.random.v3.Random":          {"locality_lb_config"},
	"envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": {
		"choice_count", "active_request_bias", "locality_lb_config", "selection_method",
	},
	"envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash": {
		"minimum_ring_size", "maximum_ring_size", "consistent_hashing_lb_config", "locality_weighted_lb_config",
	},
	"envoy.extensions.load_balancing_policies.maglev.v3.Maglev": {
		"table_size", "consistent_hashing_lb_config", "locality_weighted_lb_config",
	},
	"envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig":          {"locality_weighted_lb_config"},
	"envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig": {"use_hostname_for_hashing"},
	"envoy.config.core.v3.HealthCheck": {
		"timeout", "interval", "initial_jitter", "interval_jitter", "interval_jitter_percent", "unhealthy_threshold",
		"healthy_threshold", "reuse_connection", "http_health_check", "tcp_health_check", "no_traffic_interval",
		"no_traffic_healthy_interval", "unhealthy_interval", "unhealthy_edge_interval", "healthy_edge_interval",
		"event_log_path", "event_logger", "always_log_health_check_failures", "always_log_health_check_success",
	},
	"envoy.config.core.v3.HealthCheck.HttpHealthCheck": {
		"host", "path", "expected_statuses", "retriable_statuses", "request_headers_to_add",
		"request_headers_to_remove", "codec_client_type", "method",
	},
	"envoy.config.core.v3.HealthCheck.TcpHealthCheck": {"send", "receive"},
	"envoy.config.core.v3.HttpProtocolOptions":        {"idle_timeout"},
	"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
		"common_http_protocol_options", "explicit_http_config",
	},
	"envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig": {
		"http_protocol_options", "http2_protocol_options",
	},
	"envoy.config.core.v3.Http1ProtocolOptions": {
		"enable_trailers",
		// How requests are read, which a cluster does not do.
		"allow_absolute_url", "accept_http_10", "default_host_for_http_10", "allow_custom_methods",
		"override_stream_error_on_invalid_http_message", "use_balsa_parser",
	},
	"envoy.config.core.v3.Http2ProtocolOptions": {
		// How bytes travel and how much of them is borne, not what they say.
		"hpack_table_size", "initial_stream_window_size", "initial_connection_window_size", "max_outbound_frames",
		"max_outbound_control_frames", "max_consecutive_inbound_frames_with_empty_payload",
		"max_inbound_priority_frames_per_stream", "max_inbound_window_update_frames_per_data_frame_sent",
		"use_oghttp2_codec", "enable_huffman_encoding", "stream_reset_burst", "stream_reset_rate",
	},
	"envoy.config.core.v3.ConfigSource":                     {"ads", "initial_fetch_timeout", "resource_api_version"},
	"envoy.config.endpoint.v3.ClusterLoadAssignment":        {"cluster_name", "endpoints", "policy"},
	"envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": {"overprovisioning_factor", "weighted_priority_health"},
	"envoy.config.endpoint.v3.LocalityLbEndpoints": {
		"locality", "metadata", "lb_endpoints", "load_balancing_weight", "priority", "proximity",
	},
	"envoy.config.endpoint.v3.LbEndpoint": {"endpoint", "health_status", "metadata", "load_balancing_weight"},
	"envoy.config.endpoint.v3.Endpoint":   {"address", "hostname", "health_check_config", "observability_name"},
	"envoy.config.route.v3.RetryPolicy": {
		"retry_on", "num_retries", "per_try_timeout", "retry_host_predicate", "host_selection_retry_max_attempts",
		"retriable_status_codes", "retry_back_off", "retriable_headers", "retriable_request_headers",
	},
	"envoy.config.route.v3.HeaderMatcher": {
		"name", "present_match", "invert_match", "string_match", "exact_match", "prefix_match", "suffix_match",
		"contains_match", "safe_regex_match", "range_match", "treat_missing_header_as_empty",
	},
}

// whole are messages that are taken as they are, however deep.
var whole = map[protoreflect.FullName]bool{
	"envoy.config.core.v3.Metadata":             true,
	"envoy.config.core.v3.TypedExtensionConfig": true, "envoy.config.core.v3.TransportSocket": true,
	"envoy.config.cluster.v3.LoadBalancingPolicy": true, "envoy.config.core.v3.Address": true,
}

// Check returns nil when this package does everything that the cluster says,
// else one sentence that names the cluster and the field.
func Check(c *clusterv3.Cluster) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("cluster %s: %w", c.GetName(), err)
	}
	if err := firstOf(
		func() error { return undone(c.ProtoReflect(), "") },
		func() error { return checkKind(c) },
		func() error { return checkProtocol(c) },
		func() error { return checkBalancer(c) },
		func() error { return checkHealthChecks(c) },
	); err != nil {
		return fmt.Errorf("cluster %s: %w", c.GetName(), err)
	}
	if c.GetLoadAssignment() == nil {
		return nil
	}
	if c.GetType() == clusterv3.Cluster_STATIC {
		return CheckAssignment(c.GetLoadAssignment())
	}
	return nil
}

// CheckAssignment is Check for the endpoints of one cluster: addresses must be
// IP addresses or pipes.
func CheckAssignment(a *endpointv3.ClusterLoadAssignment) error {
	err := a.Validate()
	if err == nil {
		err = undone(a.ProtoReflect(), "")
	}
	if err != nil {
		return fmt.Errorf("endpoints of %s: %w", a.GetClusterName(), err)
	}
	for i, group := range a.GetEndpoints() {
		for j, e := range group.GetLbEndpoints() {
			if err := checkAddress(e.GetEndpoint().GetAddress()); err != nil {
				return fmt.Errorf("endpoints of %s: endpoints[%d].lb_endpoints[%d].endpoint.address: %w", a.GetClusterName(), i, j, err)
			}
		}
	}
	return nil
}

// CheckRetry is Check for a retry policy.
func CheckRetry(p *routev3.RetryPolicy) error {
	if p == nil {
		return nil
	}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("retry_policy: %w", err)
	}
	if err := undone(p.ProtoReflect(), "retry_policy"); err != nil {
		return err
	}
	for i, h := range p.GetRetryHostPredicate() {
		if h.GetTypedConfig().MessageName() != previousHostsType {
			return fmt.Errorf("retry_policy.retry_host_predicate[%d]: %s is not done by the built-in proxy, only %s", i, named(h.GetName(), previousHosts, h.GetTypedConfig()), previousHosts)
		}
	}
	for _, m := range slices.Concat(p.GetRetriableHeaders(), p.GetRetriableRequestHeaders()) {
		if _, err := compileMatcher(m); err != nil {
			return fmt.Errorf("retry_policy: header %s: %w", m.GetName(), err)
		}
	}
	return nil
}

// undone names the first set field, in the order of their numbers, that is not
// done.
func undone(m protoreflect.Message, path string) error {
	fields := m.Descriptor().Fields()
	list, listed := done[m.Descriptor().FullName()]
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		at := strings.TrimPrefix(path+"."+string(f.Name()), ".")
		if listed && !slices.Contains(list, string(f.Name())) {
			return fmt.Errorf("%s is not done by the built-in proxy", at)
		}
		if f.Message() == nil || f.IsMap() || whole[f.Message().FullName()] {
			continue
		}
		if err := undoneIn(m.Get(f), f, at); err != nil {
			return err
		}
	}
	return nil
}

func undoneIn(v protoreflect.Value, f protoreflect.FieldDescriptor, at string) error {
	if !f.IsList() {
		return undone(v.Message(), at)
	}
	for i := range v.List().Len() {
		if err := undone(v.List().Get(i).Message(), fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func checkKind(c *clusterv3.Cluster) error {
	switch c.GetType() {
	case clusterv3.Cluster_STATIC, clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_EDS:
	case clusterv3.Cluster_LOGICAL_DNS:
		if n := len(endpointsOf(c.GetLoadAssignment())); n != 1 {
			return fmt.Errorf("load_assignment: LOGICAL_DNS must have exactly one endpoint, it has %d", n)
		}
	default:
		return fmt.Errorf("type %s is not done by the built-in proxy", c.GetType())
	}
	if c.GetType() == clusterv3.Cluster_EDS && c.GetLoadAssignment() != nil {
		return fmt.Errorf("load_assignment: a cluster of type EDS gets its endpoints by EDS")
	}
	return nil
}

func checkProtocol(c *clusterv3.Cluster) error {
	t := c.GetTransportSocket()
	if t != nil && t.GetTypedConfig().MessageName() != rawBufferType {
		return fmt.Errorf("transport_socket %s is not done by the built-in proxy, only %s", named(t.GetName(), rawBuffer, t.GetTypedConfig()), rawBuffer)
	}
	for name, packed := range c.GetTypedExtensionProtocolOptions() {
		at := "typed_extension_protocol_options[" + name + "]"
		if name != httpOptions {
			return fmt.Errorf("%s is not done by the built-in proxy", at)
		}
		var o httpv3.HttpProtocolOptions
		if err := packed.UnmarshalTo(&o); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if err := undone(o.ProtoReflect(), at); err != nil {
			return err
		}
	}
	return nil
}

// The transport socket of a connection in clear text, as people call it and its
// type, by which alone Envoy goes.
const (
	rawBuffer     = "envoy.transport_sockets.raw_buffer"
	rawBufferType = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
)

// named is an extension as a refusal calls it: by its name, and by its type where
// the name is that of what is done.
func named(name, done string, config *anypb.Any) string {
	switch kind := config.MessageName().Name(); {
	case name != done:
		return name
	case kind == "":
		return name + " without a typed_config"
	default:
		return fmt.Sprintf("%s of type %s", name, kind)
	}
}

func checkHealthChecks(c *clusterv3.Cluster) error {
	checks := c.GetHealthChecks()
	if len(checks) > 1 {
		return fmt.Errorf("health_checks: Envoy does one a cluster, there are %d", len(checks))
	}
	if len(checks) == 1 && checks[0].GetHttpHealthCheck() == nil && checks[0].GetTcpHealthCheck() == nil {
		return fmt.Errorf("health_checks[0] is neither HTTP nor TCP, which is all that the built-in proxy does")
	}
	if len(checks) == 1 && checks[0].GetHttpHealthCheck().GetMethod() == corev3.RequestMethod_CONNECT {
		return fmt.Errorf("health_checks[0].http_health_check.method CONNECT is not possible")
	}
	return nil
}

// checkAddress returns nil for what can be dialled without asking DNS.
func checkAddress(a *corev3.Address) error {
	switch {
	case a.GetPipe() != nil:
		return nil
	case a.GetSocketAddress() == nil:
		return fmt.Errorf("%s is not done by the built-in proxy, only socket_address and pipe", mesh.Address(a))
	case a.GetSocketAddress().GetNamedPort() != "":
		return fmt.Errorf("named_port %s is not done by the built-in proxy", a.GetSocketAddress().GetNamedPort())
	case a.GetSocketAddress().GetProtocol() != corev3.SocketAddress_TCP:
		return fmt.Errorf("protocol %s is not done by the built-in proxy", a.GetSocketAddress().GetProtocol())
	}
	if _, err := netip.ParseAddr(a.GetSocketAddress().GetAddress()); err != nil {
		return fmt.Errorf("malformed IP address: %s", a.GetSocketAddress().GetAddress())
	}
	return nil
}

// firstOf runs the checks until one fails.
func firstOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// endpointsOf lists the endpoints of an assignment, over all localities.
func endpointsOf(a *endpointv3.ClusterLoadAssignment) []*endpointv3.LbEndpoint {
	var out []*endpointv3.LbEndpoint
	for _, group := range a.GetEndpoints() {
		out = append(out, group.GetLbEndpoints()...)
	}
	return out
}

// clone is a deep copy of m.
func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
