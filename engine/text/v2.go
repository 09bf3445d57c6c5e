package text

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const v2Hint = "rewrite the file for v3 (Envoy's v2 to v3 migration guide), or open one that an Envoy of 1.18 or newer takes"

func v2Message(name string) string {
	return fmt.Sprintf("%s is of Envoy's v2 API, which was removed in Envoy 1.18", name)
}

// isV2 reports whether a message name belongs to Envoy's v2 API.
func isV2(name string) bool {
	if !strings.HasPrefix(name, "envoy.") {
		return false
	}
	for _, part := range strings.Split(name, ".") {
		if part == "v2" || strings.HasPrefix(part, "v2alpha") {
			return true
		}
	}
	return false
}

// v2Fields says, by message and by field that v2 had, what v3 has in its place.
var v2Fields = map[protoreflect.Name]map[string]string{
	"Cluster": {
		"hosts":                      "write the addresses as load_assignment: endpoints: lb_endpoints",
		"tls_context":                "write it as transport_socket with the typed_config UpstreamTlsContext",
		"extension_protocol_options": "write it as typed_extension_protocol_options",
	},
	"FilterChain": {"tls_context": "write it as transport_socket with the typed_config DownstreamTlsContext"},
	"Listener":    {"use_proxy_proto": "add the listener filter envoy.filters.listener.proxy_protocol"},
	"RouteMatch":  {"regex": "write it as safe_regex: regex"},
	"HeaderMatcher": {
		"regex_match": "write it as string_match: safe_regex: regex",
	},
	"VirtualHost":     {"per_filter_config": "write it as typed_per_filter_config"},
	"Route":           {"per_filter_config": "write it as typed_per_filter_config"},
	"ClusterWeight":   {"per_filter_config": "write it as typed_per_filter_config"},
	"CorsPolicy":      {"allow_origin": "write it as allow_origin_string_match", "allow_origin_regex": "write it as allow_origin_string_match"},
	"Bootstrap":       {"runtime": "write it as layered_runtime"},
	"HealthCheck":     {"http_health_check.use_http2": "write codec_client_type: HTTP2"},
	"HttpHealthCheck": {"use_http2": "write codec_client_type: HTTP2", "service_name": "write it as service_name_matcher: prefix"},
}

// v2Field is what to write in place of a field that only v2 had, or "".
func v2Field(md protoreflect.MessageDescriptor, name string) string {
	if hint := v2Fields[md.Name()][snake(name)]; hint != "" {
		return hint
	}
	if name == "config" && md.Fields().ByName("typed_config") != nil {
		return "write it as typed_config with an \"@type\" line"
	}
	return ""
}
