package match

import (
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// treatment is what the matcher makes of a message's fields: each is followed,
// bears on no answer, or is told as a caveat, with a value that brings it.
type treatment struct {
	message            proto.Message
	followed, harmless string
	caveats            map[string]string
}

// Nothing that Envoy's HTTP connection manager can be told goes unnoticed: a
// field that a new version brings belongs into one of the lists.
var treatments = []treatment{
	{
		message: &hcmv3.HttpConnectionManager{},
		followed: `codec_type rds route_config scoped_routes http_filters common_http_protocol_options http_protocol_options
			http2_protocol_options scheme_header_transformation max_request_headers_kb use_remote_address xff_num_trusted_hops internal_address_config
			skip_xff_append via generate_request_id preserve_external_request_id forward_client_cert_details upgrade_configs
			normalize_path merge_slashes path_with_escaped_slashes_action local_reply_config strip_matching_host_port
			strip_any_host_port strip_trailing_host_dot append_x_forwarded_port`,
		// Among these are fields that Envoy does not implement, and HTTP/3's, which is
		// not followed at all.
		harmless: `stat_prefix tracing http1_safe_max_connection_duration http3_protocol_options
			server_name server_header_transformation stream_idle_timeout stream_flush_timeout request_timeout
			request_headers_timeout drain_timeout drain_timeout_jitter delayed_close_timeout access_log
			access_log_flush_interval flush_access_log_on_new_request access_log_options always_set_request_id_in_response
			proxy_100_continue represent_ipv4_remote_address_as_ipv4_mapped_ipv6 stream_error_on_invalid_http_message
			path_normalization_options append_local_overload add_proxy_protocol_connection_state record_route_resolution_stats`,
		caveats: map[string]string{
			"add_user_agent":                   `{"addUserAgent": true}`,
			"original_ip_detection_extensions": `{"originalIpDetectionExtensions": [{"name": "x"}]}`,
			"early_header_mutation_extensions": `{"earlyHeaderMutationExtensions": [{"name": "x"}]}`,
			"set_current_client_cert_details":  `{"forwardClientCertDetails": "SANITIZE_SET", "setCurrentClientCertDetails": {"cert": true}}`,
			"forward_client_cert_matcher":      `{"forwardClientCertMatcher": {}}`,
			"request_id_extension":             `{"requestIdExtension": {"typedConfig": {"@type": "type.googleapis.com/google.protobuf.Empty"}}}`,
			"proxy_status_config":              `{"proxyStatusConfig": {"setRecommendedResponseCode": true}}`,
			"typed_header_validation_config":   `{"typedHeaderValidationConfig": {"name": "x"}}`,
			"forward_proto_config":             `{"forwardProtoConfig": {"httpsDestinationPorts": [443]}}`,
		},
	},
	{
		message: &corev3.Http1ProtocolOptions{},
		followed: `allow_absolute_url accept_http_10 default_host_for_http_10 allow_chunked_length allow_custom_methods
			ignore_http_11_upgrade`,
		harmless: `header_key_format enable_trailers override_stream_error_on_invalid_http_message send_fully_qualified_url`,
		caveats:  map[string]string{"use_balsa_parser": `{"httpProtocolOptions": {"useBalsaParser": false}}`},
	},
	{
		message:  &corev3.HttpProtocolOptions{},
		followed: `max_headers_count headers_with_underscores_action`,
		harmless: `idle_timeout max_connection_duration max_connection_duration_jitter max_response_headers_kb
			max_stream_duration max_requests_per_connection`,
	},
	{
		message:  &hcmv3.LocalReplyConfig{},
		followed: `mappers body_format`,
	},
	{
		message:  &hcmv3.ResponseMapper{},
		followed: `filter status_code body body_format_override headers_to_add`,
	},
}

func TestEachFieldOfTheManagerIsAccountedFor(t *testing.T) {
	r := &Request{TLS: true, Presented: true}
	if said := unfollowed(&hcmv3.HttpConnectionManager{}, r); len(said) > 0 {
		t.Errorf("a manager without settings has caveats: %q", said)
	}
	for _, tr := range treatments {
		message := tr.message.ProtoReflect().Descriptor()
		listed := append(strings.Fields(tr.followed), strings.Fields(tr.harmless)...)
		for name, value := range tr.caveats {
			listed = append(listed, name)
			m := &hcmv3.HttpConnectionManager{}
			if err := protojson.Unmarshal([]byte(value), m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(unfollowed(m, r)) != 1 {
				t.Errorf("%s.%s: caveats %q, want one", message.Name(), name, unfollowed(m, r))
			}
		}
		for i := range message.Fields().Len() {
			name := string(message.Fields().Get(i).Name())
			at := slices.Index(listed, name)
			if at < 0 {
				t.Errorf("%s.%s is neither followed, nor harmless, nor a caveat", message.Name(), name)
				continue
			}
			listed = slices.Delete(listed, at, at+1)
		}
		if len(listed) > 0 {
			t.Errorf("%s: %q are listed twice, or are no fields", message.Name(), listed)
		}
	}
}
