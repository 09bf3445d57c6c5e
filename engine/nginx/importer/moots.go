package importer

// moots are directives that change nothing in Envoy, each with the reason why
// nobody needs to hear of it.
var moots = set(
	// How nginx runs as processes.
	"events", "worker_processes", "worker_cpu_affinity", "worker_priority", "worker_rlimit_core", "worker_rlimit_nofile", "worker_shutdown_timeout",
	"worker_aio_requests", "working_directory", "pid", "user", "daemon", "master_process", "lock_file", "load_module", "env", "debug_points",
	"pcre_jit", "ssl_engine", "timer_resolution", "google_perftools_profiles",
	// How nginx's processes use the machine: Envoy has its own worker threads.
	"sendfile", "sendfile_max_chunk", "tcp_nopush", "tcp_nodelay", "aio", "aio_write", "directio", "directio_alignment",
	"output_buffers", "postpone_output", "read_ahead", "thread_pool", "accept_mutex",
	// Sizes of nginx's tables and buffers: Envoy's grow as they must.
	"types_hash_max_size", "types_hash_bucket_size", "server_names_hash_max_size", "server_names_hash_bucket_size",
	"variables_hash_max_size", "variables_hash_bucket_size", "map_hash_max_size", "map_hash_bucket_size",
	"proxy_headers_hash_max_size", "proxy_headers_hash_bucket_size", "connection_pool_size", "request_pool_size",
	"client_body_buffer_size", "client_header_buffer_size", "client_body_in_single_buffer", "client_body_in_file_only",
	"proxy_buffers", "proxy_buffer_size", "proxy_busy_buffers_size", "proxy_max_temp_file_size", "proxy_temp_file_write_size",
	"grpc_buffer_size", "gzip_buffers", "http2_chunk_size", "http2_recv_buffer_size", "http2_body_preread_size", "subrequest_output_buffer_size",
	// Where nginx puts what it cannot hold: Envoy holds it, or does not take it.
	"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path",
	// Types of files, and how files are found and cached: there are no files.
	"types", "charset_types", "open_file_cache", "open_file_cache_valid", "open_file_cache_min_uses", "open_file_cache_errors",
	"log_not_found", "disable_symlinks", "if_modified_since", "etag", "max_ranges", "log_subrequest", "open_log_file_cache",
	// Envoy's own log is a matter of its command line.
	"error_log", "rewrite_log", "uninitialized_variable_warn",
	// Envoy never tells its version and has no pages of its own; what redirects name is read where there is one.
	"server_tokens", "msie_padding", "msie_refresh", "absolute_redirect", "port_in_redirect", "server_name_in_redirect",
	// What Envoy does anyway, or has no other way to do.
	"keepalive_disable", "lingering_close", "lingering_time", "lingering_timeout",
	"reset_timedout_connection", "send_lowat", "proxy_socket_keepalive", "grpc_socket_keepalive", "proxy_send_lowat",
	"gzip_http_version", "gzip_vary", "gzip_comp_level", "recursive_error_pages",
	"http2_max_requests", "http2_idle_timeout", "http2_recv_timeout", "http2_push", "http2_push_preload", "http2_max_concurrent_pushes",
	"proxy_store_access", "internal", "auth_delay", "preread_buffer_size", "resolver", "resolver_timeout",
)

// held are directives that are read wherever they hold.
var held = set(
	"client_max_body_size", "client_body_timeout", "client_header_timeout", "send_timeout", "keepalive_timeout", "keepalive_requests",
	"large_client_header_buffers", "underscores_in_headers", "ignore_invalid_headers", "default_type", "add_header", "add_trailer", "expires",
	"limit_req", "limit_req_zone", "limit_req_status", "limit_req_dry_run", "limit_req_log_level", "limit_conn", "limit_conn_zone",
	"limit_conn_status", "limit_conn_dry_run", "limit_conn_log_level", "limit_rate", "limit_rate_after",
	"allow", "deny", "satisfy", "auth_basic", "auth_basic_user_file", "auth_request", "auth_request_set", "limit_except",
	"gzip", "gzip_types", "gzip_min_length", "gzip_proxied", "mirror", "mirror_request_body", "access_log", "log_format", "error_page",
	"real_ip_header", "real_ip_recursive", "set_real_ip_from", "http2_max_concurrent_streams", "merge_slashes", "set", "split_clients",
)

// heldOf are those of proxy_ and grpc_.
var heldOf = set(
	"connect_timeout", "read_timeout", "send_timeout", "next_upstream", "next_upstream_tries", "next_upstream_timeout", "set_header",
	"hide_header", "pass_header", "http_version", "buffering", "request_buffering", "pass_request_body", "pass_request_headers", "method",
	"intercept_errors", "ignore_client_abort", "redirect", "cookie_domain", "cookie_path", "cookie_flags", "bind",
	"ssl_server_name", "ssl_name", "ssl_protocols", "ssl_ciphers", "ssl_certificate", "ssl_certificate_key", "ssl_password_file",
	"ssl_verify", "ssl_trusted_certificate", "ssl_crl", "ssl_verify_depth", "ssl_session_reuse", "ssl_conf_command",
)

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}
