package accept

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// listenerTables is what is known of the messages that a listener is made of,
// down to its filters.
func listenerTables() map[protoreflect.FullName]fields {
	return map[protoreflect.FullName]fields{
		"envoy.config.listener.v3.Listener": {
			done: []string{"name", "address", "additional_addresses", "filter_chains", "default_filter_chain", "listener_filters"},
			ignored: []string{
				"stat_prefix", "stats_matcher", "metadata", "access_log", "traffic_direction", // nothing that a client sees
				"per_connection_buffer_limit_bytes", "per_connection_buffer_high_watermark_timeout", "tcp_backlog_size",
				"tcp_fast_open_queue_length", "connection_balance_config", "max_connections_to_accept_per_socket_event",
				"socket_options", "tcp_keepalive", "ignore_global_conn_limit", "bypass_overload_manager",
				"reuse_port", "enable_reuse_port", // it never shares a port
				"drain_type", "listener_filters_timeout", "continue_on_listener_filters_timeout",
			},
			only:  map[string]test{"bind_to_port": must("a listener that does not bind", true)},
			whole: someChain,
		},
		"envoy.config.listener.v3.AdditionalAddress": {done: []string{"address"}, ignored: []string{"socket_options", "tcp_keepalive"}},
		"envoy.config.core.v3.Address":               {done: []string{"socket_address"}},
		"envoy.config.core.v3.SocketAddress": {
			done: []string{"address", "port_value", "ipv4_compat"},
			only: map[string]test{"protocol": mustEnum("UDP", int32(corev3.SocketAddress_TCP))},
		},
		"envoy.config.listener.v3.FilterChain": {
			done:    []string{"filter_chain_match", "filters", "name"},
			ignored: []string{"metadata", "transport_socket_connect_timeout"},
			only: map[string]test{
				"use_proxy_proto":  must("the PROXY protocol", false),
				"transport_socket": clearText,
			},
			whole: oneManager,
		},
		"envoy.config.listener.v3.FilterChainMatch": {
			done: []string{
				"destination_port", "prefix_ranges", "direct_source_prefix_ranges", "source_type", "source_prefix_ranges",
				"source_ports", "server_names", "transport_protocol", "application_protocols",
			},
		},
		"envoy.config.core.v3.CidrRange":                                    {elsewhere: true, whole: ipRange},
		"envoy.config.core.v3.TransportSocket":                              {done: []string{"name"}, ignored: []string{"typed_config"}}, // see clearText
		"envoy.config.listener.v3.Filter":                                   {done: []string{"name", "typed_config"}, whole: typed},
		"envoy.config.listener.v3.ListenerFilter":                           {done: []string{"name", "typed_config", "filter_disabled"}, whole: typed},
		"envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": {},
		"envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {
			ignored: []string{
				"enable_ja3_fingerprinting", "enable_ja4_fingerprinting", "initial_read_buffer_size",
				"close_connection_on_client_hello_parsing_errors", "max_client_hello_size",
			},
		},
	}
}
