package accept

import "google.golang.org/protobuf/reflect/protoreflect"

// headerFields are those by which each level adds headers; see headerLists for
// those by which it takes them away.
var headerFields = []string{"request_headers_to_add", "response_headers_to_add"}

// routeTables is what is known of the messages that a route configuration is
// made of.
func routeTables() map[protoreflect.FullName]fields {
	return map[protoreflect.FullName]fields{
		"envoy.config.route.v3.RouteConfiguration": {
			done: append([]string{
				"name", "virtual_hosts", "internal_only_headers", "most_specific_header_mutations_wins", "validate_clusters",
				"request_mirror_policies", "ignore_port_in_host_matching", "ignore_path_parameters_in_path_matching",
				"max_direct_response_body_size_bytes",
			}, headerFields...),
			ignored: []string{"metadata"},
			only:    headerLists(),
			whole:   shortBodies,
		},
		"envoy.config.route.v3.VirtualHost": {
			done: append([]string{
				"name", "domains", "routes", "require_tls", "include_attempt_count_in_response", "include_request_attempt_count", "retry_policy",
				"request_mirror_policies", "per_request_buffer_limit_bytes", "request_body_buffer_limit",
			}, headerFields...),
			ignored: []string{"virtual_clusters", "metadata"},
			only:    headerLists(),
		},
		"envoy.config.route.v3.Route": {
			done:    append([]string{"name", "match", "route", "redirect", "direct_response", "per_request_buffer_limit_bytes", "request_body_buffer_limit"}, headerFields...),
			ignored: []string{"metadata", "decorator", "tracing", "stat_prefix"},
			only:    headerLists(),
		},
		"envoy.config.route.v3.RouteMatch": {
			done: []string{
				"prefix", "path", "safe_regex", "path_separated_prefix", "path_match_policy", "case_sensitive",
				"runtime_fraction", "headers", "query_parameters", "cookies", "grpc", "tls_context",
			},
		},
		"envoy.config.route.v3.HeaderMatcher": {
			done: []string{
				"name", "exact_match", "safe_regex_match", "range_match", "present_match", "prefix_match", "suffix_match",
				"contains_match", "string_match", "invert_match", "treat_missing_header_as_empty",
			},
		},
		"envoy.config.route.v3.QueryParameterMatcher": {done: []string{"name", "string_match", "present_match"}},
		"envoy.config.route.v3.CookieMatcher":         {done: []string{"name", "string_match", "invert_match"}},
		"envoy.type.matcher.v3.StringMatcher": {
			done: []string{"exact", "prefix", "suffix", "safe_regex", "contains", "ignore_case"},
		},
		"envoy.config.core.v3.TypedExtensionConfig": {done: []string{"name", "typed_config"}},
		"envoy.config.route.v3.RouteAction": {
			done: []string{
				"cluster", "cluster_header", "weighted_clusters", "cluster_not_found_response_code", "prefix_rewrite",
				"regex_rewrite", "path_rewrite_policy", "host_rewrite_literal", "auto_host_rewrite", "host_rewrite_header",
				"host_rewrite_path_regex", "append_x_forwarded_host", "timeout", "idle_timeout", "retry_policy",
				"request_mirror_policies", "priority", "hash_policy", "upgrade_configs", "max_stream_duration",
				"max_grpc_timeout", "grpc_timeout_offset",
			},
			ignored: []string{"early_data_policy", "include_vh_rate_limits"},
			whole:   oneRewrite,
		},
		"envoy.config.route.v3.WeightedCluster": {
			done: []string{"clusters", "total_weight", "header_name"}, ignored: []string{"runtime_key_prefix"},
			only:  map[string]test{"use_hash_policy": must("weights by the hash policy", false)},
			whole: someWeight,
		},
		"envoy.config.route.v3.WeightedCluster.ClusterWeight": {
			done: append([]string{"name", "cluster_header", "weight", "host_rewrite_literal"}, headerFields...),
			only: headerLists(),
		},
		"envoy.config.route.v3.RetryPolicy": {elsewhere: true, whole: retries},
		"envoy.config.route.v3.RouteAction.HashPolicy": {
			done: []string{"header", "cookie", "connection_properties", "query_parameter", "terminal"},
		},
		"envoy.config.route.v3.RouteAction.HashPolicy.Header": {done: []string{"header_name"}},
		"envoy.config.route.v3.RouteAction.RequestMirrorPolicy": {
			done:    []string{"cluster", "cluster_header", "runtime_fraction", "disable_shadow_host_suffix_append"},
			ignored: []string{"trace_sampled"},
			whole:   oneShadow,
		},
		"envoy.config.route.v3.RouteAction.UpgradeConfig": {
			done: []string{"enabled"}, only: map[string]test{"upgrade_type": noConnect},
		},
		"envoy.config.route.v3.RedirectAction": {
			done: []string{
				"https_redirect", "scheme_redirect", "host_redirect", "port_redirect", "path_redirect", "prefix_rewrite",
				"regex_rewrite", "strip_query", "response_code",
			},
		},
		"envoy.config.route.v3.DirectResponseAction": {done: []string{"status", "body"}},
		"envoy.config.core.v3.DataSource":            {done: []string{"inline_bytes", "inline_string"}},
		"google.protobuf.Duration":                   {elsewhere: true, whole: positive},
		"envoy.config.core.v3.HeaderValueOption": {
			done:  []string{"header", "append", "append_action", "keep_empty_value"},
			whole: oneAction,
		},
		"envoy.config.core.v3.HeaderValue": {done: []string{"key", "value", "raw_value"}, whole: headerFormat},
	}
}
