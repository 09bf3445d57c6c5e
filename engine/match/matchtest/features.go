package matchtest

// Features lists what of a configuration Options can leave out.
func Features() []string {
	return []string{
		// The listener and its connection manager.
		"accept_http_10", "allow_absolute_url", "escaped slashes", "http inspector", "inline routes", "merge_slashes", "normalize_path",
		"scheme_to_overwrite", "strip port", "strip_trailing_host_dot", "underscores", "upgrades", "use_remote_address",
		// Route configuration and virtual hosts.
		"ignore_path_parameters", "ignore_port_in_host_matching", "require_tls", "vhost_header",
		// What a route matches.
		"case_sensitive", "connect", "connect requests", "cookies", "deprecated header matchers", "dynamic metadata", "filter state", "grpc",
		"path template", "runtime fraction", "runtime keys", "tls_context", "treat_missing",
		// What it does.
		"auto_host_rewrite", "cluster_header", "host_rewrite", "missing cluster", "path_rewrite", "prefix_rewrite", "regex_rewrite",
		"route upgrades", "weighted by header", "weighted cluster_header", "weighted host rewrite",
	}
}
