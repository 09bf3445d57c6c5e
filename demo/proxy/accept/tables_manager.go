package accept

import (
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// managerTables is what is known of an HTTP connection manager and its filters.
func managerTables() map[protoreflect.FullName]fields {
	return map[protoreflect.FullName]fields{
		"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": {
			done: []string{
				"stat_prefix", "rds", "route_config", "http_filters", "common_http_protocol_options", "http_protocol_options",
				"http2_protocol_options", "server_name", "server_header_transformation", "scheme_header_transformation",
				"max_request_headers_kb", "stream_idle_timeout", "use_remote_address",
				"xff_num_trusted_hops", "internal_address_config", "skip_xff_append", "via", "generate_request_id",
				"preserve_external_request_id", "always_set_request_id_in_response", "upgrade_configs", "normalize_path",
				"merge_slashes", "path_with_escaped_slashes_action", "strip_matching_host_port", "strip_any_host_port",
				"strip_trailing_host_dot", "append_x_forwarded_port",
			},
			ignored: []string{
				"access_log", "access_log_flush_interval", "flush_access_log_on_new_request", "access_log_options", "tracing",
				"drain_timeout", "drain_timeout_jitter", "delayed_close_timeout", "stream_flush_timeout", "http3_protocol_options",
				"stream_error_on_invalid_http_message", "append_local_overload", "add_proxy_protocol_connection_state",
				"record_route_resolution_stats",
			},
			only: map[string]test{
				"codec_type":                  mustEnum("HTTP/3", int32(hcmv3.HttpConnectionManager_AUTO), int32(hcmv3.HttpConnectionManager_HTTP1), int32(hcmv3.HttpConnectionManager_HTTP2)),
				"forward_client_cert_details": mustEnum("forwarding of client certificates", int32(hcmv3.HttpConnectionManager_SANITIZE), int32(hcmv3.HttpConnectionManager_FORWARD_ONLY), int32(hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY)),
				"add_user_agent":              must("add_user_agent", false),
				"request_timeout":             none("a timeout of the whole request"),
				"request_headers_timeout":     none("a timeout of a request's headers"),
			},
			whole: wholeManager,
		},
		"envoy.extensions.filters.network.http_connection_manager.v3.Rds": {done: []string{"config_source", "route_config_name"}},
		"envoy.config.core.v3.ConfigSource": {
			done: []string{"ads", "self", "initial_fetch_timeout"}, ignored: []string{"resource_api_version"},
		},
		"envoy.config.core.v3.AggregatedConfigSource": {},
		"envoy.config.core.v3.SelfConfigSource":       {elsewhere: true, whole: noSource},
		"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig": {
			done: []string{"cidr_ranges"}, ignored: []string{"unix_sockets"}, // it listens on TCP alone
		},
		"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig": {
			done: []string{"enabled"}, only: map[string]test{"upgrade_type": noConnect},
		},
		"envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": {
			done: []string{"name", "typed_config"}, ignored: []string{"is_optional"}, only: map[string]test{"disabled": must("a filter that is off", false)},
			whole: typed,
		},
		"envoy.extensions.filters.http.health_check.v3.HealthCheck": {
			done: []string{"headers"}, ignored: []string{"cache_time"}, // of answers that are passed on
			only: map[string]test{"pass_through_mode": must("health checks that are passed on", false)},
		},
		"envoy.extensions.filters.http.router.v3.Router": {
			done: []string{"suppress_envoy_headers"},
			ignored: []string{
				"dynamic_stats", "start_child_span", "upstream_log", "upstream_log_options",
				"suppress_grpc_request_failure_code_stats", "reject_connect_request_early_data",
			},
		},
		"envoy.config.core.v3.SchemeHeaderTransformation": {done: []string{"scheme_to_overwrite"}},
		"envoy.config.core.v3.HttpProtocolOptions": {
			done:    []string{"idle_timeout", "max_headers_count", "max_stream_duration", "headers_with_underscores_action"},
			ignored: []string{"max_response_headers_kb"}, // of an upstream
		},
		"envoy.config.core.v3.Http1ProtocolOptions": {
			done:    []string{"allow_absolute_url", "accept_http_10", "default_host_for_http_10", "enable_trailers", "allow_custom_methods"},
			ignored: []string{"override_stream_error_on_invalid_http_message", "use_balsa_parser"},
		},
		"envoy.config.core.v3.Http2ProtocolOptions": {
			done: []string{"max_concurrent_streams"},
			ignored: []string{ // how bytes travel, not what they say
				"hpack_table_size", "initial_stream_window_size", "initial_connection_window_size",
				"max_outbound_frames", "max_outbound_control_frames", "max_consecutive_inbound_frames_with_empty_payload",
				"max_inbound_priority_frames_per_stream", "max_inbound_window_update_frames_per_data_frame_sent",
				"stream_error_on_invalid_http_messaging", "override_stream_error_on_invalid_http_message",
				"use_oghttp2_codec", "enable_huffman_encoding", "stream_reset_burst", "stream_reset_rate", "custom_settings_parameters",
			},
		},
	}
}
