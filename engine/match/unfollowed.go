package match

import (
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

const uuidRequestIDType = "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"

// managerCaveats are settings of a connection manager that may change what
// becomes of a request and are not followed here, by field.
var managerCaveats = []struct {
	field, says string
	set         func(*hcmv3.HttpConnectionManager, *Request) bool
}{
	{
		"add_user_agent", "add_user_agent writes the cluster of Envoy's own node into the headers x-envoy-downstream-service-cluster and user-agent, which is not known here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool { return m.GetAddUserAgent().GetValue() },
	},
	{
		"set_current_client_cert_details", "x-forwarded-client-cert says which certificate the client showed (forward_client_cert_details), which is not known here",
		func(m *hcmv3.HttpConnectionManager, r *Request) bool {
			how := m.GetForwardClientCertDetails()
			return r.TLS && r.Presented &&
				(how == hcmv3.HttpConnectionManager_SANITIZE_SET || how == hcmv3.HttpConnectionManager_APPEND_FORWARD)
		},
	},
	{
		"forward_client_cert_matcher", "forward_client_cert_matcher decides what becomes of x-forwarded-client-cert, which is not followed here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool { return m.GetForwardClientCertMatcher() != nil },
	},
	{
		"forward_proto_config", "forward_proto_config sets x-forwarded-proto by the port in the PROXY protocol, which is not followed here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool { return m.GetForwardProtoConfig() != nil },
	},
	{
		"proxy_status_config", "proxy_status_config gives Envoy's own answers the status that RFC 9209 recommends, which is not followed here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool {
			return m.GetProxyStatusConfig().GetSetRecommendedResponseCode()
		},
	},
	{
		"request_id_extension", "an extension makes x-request-id (request_id_extension), which is not known here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool {
			kind := typeIn(m.GetRequestIdExtension().GetTypedConfig())
			return kind != "" && kind != uuidRequestIDType
		},
	},
	{
		"typed_header_validation_config", "an extension checks and may refuse the headers (typed_header_validation_config), which is not known here",
		func(m *hcmv3.HttpConnectionManager, _ *Request) bool {
			return m.GetTypedHeaderValidationConfig() != nil
		},
	},
	{
		"use_balsa_parser", "use_balsa_parser false has requests read by Envoy's older HTTP/1 parser, which is not followed here",
		func(m *hcmv3.HttpConnectionManager, r *Request) bool {
			b := m.GetHttpProtocolOptions().GetUseBalsaParser()
			return !r.HTTP2 && b != nil && !b.GetValue()
		},
	},
	{
		"http2_protocol_options", "an extended CONNECT needs http2_protocol_options.allow_connect, without which Envoy may reset it",
		func(m *hcmv3.HttpConnectionManager, r *Request) bool {
			return r.HTTP2 && (&headers{r.Headers}).has(":protocol") && !m.GetHttp2ProtocolOptions().GetAllowConnect()
		},
	},
}

// unfollowed says what of a connection manager's settings may change what
// becomes of a request and is not followed.
func unfollowed(m *hcmv3.HttpConnectionManager, r *Request) []string {
	var out []string
	for _, c := range managerCaveats {
		if c.set(m, r) {
			out = append(out, c.says)
		}
	}
	for _, e := range m.GetEarlyHeaderMutationExtensions() {
		out = append(out, "early header mutation "+filterCalled(e.GetName(), typeIn(e.GetTypedConfig()))+" changes the headers before the route is chosen")
	}
	for _, e := range m.GetOriginalIpDetectionExtensions() {
		out = append(out, "the client's address is detected by "+filterCalled(e.GetName(), typeIn(e.GetTypedConfig()))+", which is not followed here")
	}
	return out
}
