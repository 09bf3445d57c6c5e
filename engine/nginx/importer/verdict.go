package importer

import "strings"

// verdict is why a directive has no counterpart, and what to do.
type verdict struct{ reason, instead string }

// refusals are directives without one. Families of them share a sentence.
var refusals = spelledOut(map[string]verdict{
	"root alias index try_files autoindex autoindex_exact_size autoindex_format autoindex_localtime random_index autoindex_html": {
		"Envoy serves no files", "keep a web server for them, and give it a cluster and a route"},
	"fastcgi_pass": {"Envoy speaks no FastCGI", "put a web server that does before it, and pass on to that"},
	"uwsgi_pass":   {"Envoy speaks no uwsgi", "let the application listen on HTTP (uwsgi --http-socket)"},
	"scgi_pass":    {"Envoy speaks no SCGI", "put a web server that does before it, and pass on to that"},
	"memcached_pass memcached_bind memcached_connect_timeout memcached_read_timeout memcached_send_timeout memcached_next_upstream memcached_gzip_flag": {
		"Envoy asks no memcached for pages", "let the application ask it"},
	"proxy_cache proxy_cache_path proxy_cache_valid": {
		"Envoy as it is keeps no cache on disk", "put a cache (Varnish, nginx itself) behind it as a cluster; Envoy's cache filter holds a little in memory"},
	"proxy_store": {"Envoy writes no files", ""},
	"map":         {"Envoy has no variables: what hangs on this one and cannot be said otherwise is listed at its own line", "say the choice in the routes: match by the header or the query parameter"},
	"geo":         {"Envoy has no variables: what hangs on this one and cannot be said otherwise is listed at its own line", "rbac knows networks; else let a service decide (ext_authz)"},
	"set":         {"Envoy has no variables", ""},
	"if":          {"Envoy's routes have conditions of their own, and this one is not carried over", "make it a route with a match of its own (headers, query_parameters)"},
	"userid userid_service userid_domain userid_expires userid_flags userid_mark userid_name userid_p3p userid_path": {
		"Envoy sets no such cookie", ""},
	"geoip_country geoip_city geoip_org geoip_proxy geoip_proxy_recursive geoip2 geoip2_proxy": {
		"the variables of this module are not carried over", "the geoip filter adds headers from a MaxMind file"},
	"sub_filter sub_filter_once sub_filter_types sub_filter_last_modified addition_types add_before_body add_after_body": {
		"Envoy does not edit bodies", "let the upstream do it; or the lua filter"},
	"ssi ssi_types ssi_silent_errors ssi_value_length ssi_last_modified ssi_min_file_chunk": {"Envoy has no server side includes", "let the upstream put the page together"},
	"charset override_charset source_charset charset_map":                                   {"Envoy adds no charset to a Content-Type", "let the upstream name it"},
	"gunzip gunzip_buffers": {"it is the decompressor filter, which is not set up here", "add envoy.filters.http.decompressor"},
	"gzip_static":           {"Envoy serves no files", ""},
	"dav_methods dav_access create_full_put_path min_delete_depth":               {"Envoy serves no files", ""},
	"image_filter image_filter_buffer image_filter_jpeg_quality xslt_stylesheet": {"Envoy does not edit bodies", "let a service do it"},
	"secure_link secure_link_md5 secure_link_secret":                             {"Envoy does not check such links: whoever has the address comes in", "let a service check them (ext_authz)"},
	"valid_referers referer_hash_bucket_size referer_hash_max_size":              {"Envoy does not judge the Referer by itself", "match the header referer in the routes"},
	"stub_status": {"Envoy's counters are on its admin interface", "ask /stats there"},
	"perl perl_set perl_modules perl_require js_import js_content js_set js_header_filter js_body_filter lua_shared_dict lua_package_path content_by_lua_block rewrite_by_lua_block header_filter_by_lua_block body_filter_by_lua_block log_by_lua_block init_by_lua_block set_by_lua_block": {
		"the script does not run in Envoy", "write it for the lua filter, or let a service decide (ext_authz, ext_proc)"},
	"more_set_headers more_clear_headers more_set_input_headers more_clear_input_headers": {
		"it is a module's own", "say it in response_headers_to_add and response_headers_to_remove"},
	"modsecurity modsecurity_rules modsecurity_rules_file": {"the firewall does not come along: requests go in unchecked", "Coraza runs in Envoy as a wasm filter"},
	"health_check":           {"the check of nginx Plus", "write it into health_checks of the cluster: path, interval, thresholds"},
	"match":                  {"it belongs to a health_check", "expected_statuses in the cluster's health_checks"},
	"status_zone api status": {"Envoy's counters are on its admin interface", "ask /stats there"},
	"auth_jwt_key_file auth_jwt_key_request auth_jwt_claim_set auth_jwt_require": {
		"it belongs to auth_jwt, the check of tokens in nginx Plus", "add envoy.filters.http.jwt_authn with the keys in local_jwks or remote_jwks"},
	"keyval keyval_zone": {"nginx Plus's table of variables", ""},
	"hls flv mp4 mp4_buffer_size mp4_max_buffer_size mp4_limit_rate f4f": {"Envoy serves no files", ""},
	"empty_gif":                              {"Envoy makes no picture", "a direct_response can hold its bytes"},
	"browser ancient_browser modern_browser": {"the variables of this module are not carried over", "match the header user-agent in the routes"},
	"post_action":                            {"Envoy sends no request after another", "mirror sends a copy beside it"},
	"slice":                                  {"Envoy has no cache to slice for", ""},
	"proxy_limit_rate":                       {"nginx bounds the rate of one answer, Envoy that of all of a route together", "add the bandwidth_limit filter if one bound for all will do"},
	"proxy_ignore_headers grpc_ignore_headers": {"Envoy gives no headers of an answer a meaning (X-Accel-…)", ""},
	"proxy_set_body":            {"Envoy sends the body that came", "the lua filter can set another"},
	"upstream_conf":             {"in Envoy EDS is what changes endpoints", ""},
	"http2_push":                {"Envoy pushes nothing, and browsers take nothing pushed any more", ""},
	"gzip_disable":              {"Envoy compresses for every client that accepts it", ""},
	"keepalive_time":            {"nginx ends a client's connection after that time, Envoy keeps it while it is used", "set max_connection_duration in common_http_protocol_options"},
	"proxy_force_ranges":        {"Envoy cuts no ranges out of an answer", "let the upstream do it"},
	"chunked_transfer_encoding": {"Envoy sends a body of unknown length in chunks", ""},
	"http2_max_field_size http2_max_header_size": {"Envoy bounds all headers together, at 60 KiB by itself", "set max_request_headers_kb"},
	"include": {"it could not be read", ""},
	"mail":    {"Envoy speaks neither SMTP nor IMAP nor POP3", "a server of stream {} passes such connections on, and the mail server asks for the password itself"},
})

// spelledOut spells the families out.
func spelledOut(families map[string]verdict) map[string]verdict {
	out := map[string]verdict{}
	for names, why := range families {
		for name := range strings.FieldsSeq(names) {
			out[name] = why
		}
	}
	return out
}
