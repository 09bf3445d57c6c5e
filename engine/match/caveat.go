package match

import (
	"fmt"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	csrfv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/csrf/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/match/routes"
)

// filterCaveat is what a filter may do to a request, as the rest of a sentence
// that begins with its name.
type filterCaveat struct {
	does string
	// when looks closer: at the filter's configuration and what the route says in
	// its place (each nil when there is none or it cannot be read). It answers ""
	// where the filter lets this request pass for certain.
	when func(p *passage, config, own proto.Message, does string) string
}

const httpFilters = "envoy.extensions.filters.http."

// silentFilters neither answer requests nor change what a route is chosen by.
var silentFilters = map[string]bool{
	httpFilters + "grpc_stats.v3.FilterConfig":                               true,
	httpFilters + "grpc_web.v3.GrpcWeb":                                      true,
	httpFilters + "compressor.v3.Compressor":                                 true,
	httpFilters + "decompressor.v3.Decompressor":                             true,
	httpFilters + "gzip.v3.Gzip":                                             true,
	httpFilters + "tap.v3.Tap":                                               true,
	taggingType:                                                              true, // followed, see trip.tag
	httpFilters + "geoip.v3.Geoip":                                           true,
	httpFilters + "original_src.v3.OriginalSrc":                              true,
	httpFilters + "on_demand.v3.OnDemand":                                    true,
	httpFilters + "upstream_codec.v3.UpstreamCodec":                          true,
	httpFilters + "alternate_protocols_cache.v3.FilterConfig":                true,
	httpFilters + "file_system_buffer.v3.FileSystemBufferFilterConfig":       true,
	httpFilters + "set_metadata.v3.Config":                                   true,
	httpFilters + "header_to_metadata.v3.Config":                             true,
	httpFilters + "credential_injector.v3.CredentialInjector":                true,
	httpFilters + "aws_request_signing.v3.AwsRequestSigning":                 true,
	httpFilters + "bandwidth_limit.v3.BandwidthLimit":                        true,
	httpFilters + "grpc_field_extraction.v3.GrpcFieldExtractionConfig":       true,
	httpFilters + "proto_message_extraction.v3.ProtoMessageExtractionConfig": true,
	httpFilters + "thrift_to_metadata.v3.ThriftToMetadata":                   true,
	httpFilters + "json_to_metadata.v3.JsonToMetadata":                       true,
	httpFilters + "gcp_authn.v3.GcpAuthnFilterConfig":                        true,
	"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig":              true,
	"io.istio.http.peer_metadata.Config":                                     true,
	"stats.PluginConfig":                                                     true,
}

// filterCaveats are the filters that may decide on a request.
var filterCaveats = map[string]filterCaveat{
	httpFilters + "lua.v3.Lua":                                 {does: "runs a script, which may answer, change or reroute the request"},
	httpFilters + "wasm.v3.Wasm":                               {does: "runs WebAssembly, which may answer, change or reroute the request"},
	httpFilters + "golang.v3alpha.Config":                      {does: "runs a Go plugin, which may answer, change or reroute the request"},
	httpFilters + "dynamic_modules.v3.DynamicModuleFilter":     {does: "runs a module, which may answer, change or reroute the request"},
	httpFilters + "ext_proc.v3.ExternalProcessor":              {does: "asks an external processor, which may answer, change or reroute the request"},
	httpFilters + "ext_authz.v3.ExtAuthz":                      {does: "asks an authorisation service, which may deny the request (403 unless it says otherwise) or change its headers", when: authz},
	httpFilters + "composite.v3.Composite":                     {does: "runs another filter, chosen by a matcher"},
	"envoy.extensions.common.matching.v3.ExtensionWithMatcher": {does: "runs, or does not, by a matcher that is not followed here"},

	httpFilters + "rbac.v3.RBAC":                                   {does: "answers 403 where its policies do not allow the request", when: rbac},
	httpFilters + "jwt_authn.v3.JwtAuthentication":                 {does: "answers 401 or 403 without a valid token where its rules ask for one"},
	httpFilters + "basic_auth.v3.BasicAuth":                        {does: "answers 401 without a user name and password that it knows"},
	httpFilters + "api_key_auth.v3.ApiKeyAuth":                     {does: "answers 401 or 403 without an API key that it knows"},
	httpFilters + "oauth2.v3.OAuth2":                               {does: "redirects (302) whoever has not signed in to the authorisation endpoint"},
	httpFilters + "csrf.v3.CsrfPolicy":                             {does: "answers 403 where Origin and Host of a changing request differ", when: csrf},
	httpFilters + "cors.v3.Cors":                                   {does: "answers this preflight request itself (200)", when: cors},
	httpFilters + "ratelimit.v3.RateLimit":                         {does: "asks a rate limit service, which may have the request answered 429"},
	httpFilters + "rate_limit_quota.v3.RateLimitQuotaFilterConfig": {does: "may answer 429 beyond its quota"},
	httpFilters + "local_ratelimit.v3.LocalRateLimit":              {does: "answers 429 beyond its rate", when: localLimit},
	httpFilters + "admission_control.v3.AdmissionControl":          {does: "answers 503 to some requests when many have failed"},
	httpFilters + "adaptive_concurrency.v3.AdaptiveConcurrency":    {does: "answers 503 beyond the concurrency that it has measured"},
	httpFilters + "buffer.v3.Buffer":                               {does: "answers 413 to a body that is too large", when: buffer},
	httpFilters + "fault.v3.HTTPFault":                             {does: "injects faults", when: fault},
	httpFilters + "kill_request.v3.KillRequest":                    {does: "ends the Envoy process when a request asks for it"},
	httpFilters + "health_check.v3.HealthCheck":                    {does: "answers this request itself, as a health check of Envoy (200, or 503 while it drains)", when: health},

	httpFilters + "set_filter_state.v3.Config":                 {does: "sets filter state and has the route chosen anew (clear_route_cache)", when: filterState},
	httpFilters + "custom_response.v3.CustomResponse":          {does: "may give the answer another status and body, or have the request made anew, by a matcher that is not followed here"},
	httpFilters + "transform.v3.TransformConfig":               {does: "changes the request's headers or body, and may have the route chosen anew"},
	httpFilters + "mcp.v3.Mcp":                                 {does: "reads MCP messages, may refuse what is none and have the route chosen anew"},
	httpFilters + "mcp_json_rest_bridge.v3.McpJsonRestBridge":  {does: "turns MCP messages into REST calls, with another path and a new choice of the route"},
	httpFilters + "header_mutation.v3.HeaderMutation":          {does: "changes request headers after the route was chosen"},
	httpFilters + "grpc_json_transcoder.v3.GrpcJsonTranscoder": {does: "turns REST calls of its services into gRPC, with another path and a new choice of the route"},
	httpFilters + "grpc_http1_bridge.v3.Config":                {does: "turns gRPC requests over HTTP/1.1 into HTTP/2 ones"},
	httpFilters + "grpc_http1_reverse_bridge.v3.FilterConfig":  {does: "turns gRPC requests into HTTP/1.1 ones"},
	httpFilters + "stateful_session.v3.StatefulSession":        {does: "may choose the endpoint by the request's session"},
	httpFilters + "dynamic_forward_proxy.v3.FilterConfig":      {does: "resolves the Host by DNS; without an address the answer is 503"},
	httpFilters + "aws_lambda.v3.Config":                       {does: "turns the request into an invocation of a function, with another path"},
	httpFilters + "cache.v3.CacheConfig":                       {does: "may answer from its cache"},
	httpFilters + "cdn_loop.v3.CdnLoopConfig":                  {does: "answers 502 to requests that went in a circle"},
	httpFilters + "file_server.v3.FileServerConfig":            {does: "may answer with a file"},
}

func authz(_ *passage, config, _ proto.Message, does string) string {
	c, ok := config.(*authzv3.ExtAuthz)
	if ok && c.GetFilterEnabled() != nil && !fires(c.GetFilterEnabled(), nil, true) && c.GetFilterEnabled().GetRuntimeKey() == "" {
		return ""
	}
	if ok && c.GetClearRouteCache() {
		return does + " and have the route chosen anew"
	}
	return does
}

// rbac lets everything pass without rules, be it in shadow or not at all.
func rbac(_ *passage, config, own proto.Message, does string) string {
	if o, ok := own.(*rbacv3.RBACPerRoute); ok {
		config = o.GetRbac()
	}
	c, ok := config.(*rbacv3.RBAC)
	if ok && (c == nil || c.GetRules() == nil && c.GetMatcher() == nil) {
		return ""
	}
	return does
}

// csrf asks only requests that change something.
func csrf(p *passage, config, own proto.Message, does string) string {
	if slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"}, p.seen.Method) {
		return ""
	}
	if own != nil {
		config = own
	}
	if c, ok := config.(*csrfv3.CsrfPolicy); ok && !fires(c.GetFilterEnabled(), p.seen.Runtime, false) {
		return ""
	}
	return does
}

// cors answers only preflights, and only where a policy is set on the way.
func cors(p *passage, _, own proto.Message, does string) string {
	if p.seen.Method != "OPTIONS" || !p.headers.has("origin") || !p.headers.has("access-control-request-method") {
		return ""
	}
	_, set := own.(*corsv3.CorsPolicy)
	if !set && p.route.GetRoute().GetCors() == nil && p.host.GetCors() == nil {
		return ""
	}
	return does
}

// localLimit is off until filter_enabled and filter_enforced say otherwise.
func localLimit(p *passage, config, own proto.Message, does string) string {
	if own != nil {
		config = own
	}
	c, ok := config.(*limitv3.LocalRateLimit)
	switch {
	case !ok:
		return does
	case c.GetTokenBucket() == nil && len(c.GetDescriptors()) == 0:
		return ""
	case !fires(c.GetFilterEnabled(), p.seen.Runtime, false) || !fires(c.GetFilterEnforced(), p.seen.Runtime, false):
		return ""
	case c.GetStatus().GetCode() != 0:
		return fmt.Sprintf("answers %d beyond its rate", c.GetStatus().GetCode())
	}
	return does
}

func buffer(_ *passage, config, own proto.Message, does string) string {
	c, _ := config.(*bufferv3.Buffer)
	if o, ok := own.(*bufferv3.BufferPerRoute); ok && o.GetBuffer() != nil {
		c = o.GetBuffer()
	}
	if c.GetMaxRequestBytes() == nil {
		return does
	}
	return fmt.Sprintf("answers 413 to a body of more than %d bytes", c.GetMaxRequestBytes().GetValue())
}

// filterState bears on routes that ask for filter state, if they are asked again.
func filterState(_ *passage, config, _ proto.Message, does string) string {
	if c, ok := config.(*statev3.Config); ok && !c.GetClearRouteCache() {
		return ""
	}
	return does
}

// aimed reports whether a fault is meant for the request: for its headers, its
// cluster and the node that sends it.
func aimed(p *passage, c *faultv3.HTTPFault) bool {
	if len(c.GetHeaders()) > 0 && !asks(c.GetHeaders(), p.seen) {
		return false
	}
	if c.GetUpstreamCluster() != "" && !slices.Contains(p.to, c.GetUpstreamCluster()) {
		return false
	}
	return len(c.GetDownstreamNodes()) == 0 ||
		slices.Contains(c.GetDownstreamNodes(), p.headers.value("x-envoy-downstream-service-node"))
}

// fault says which share of requests it ends. A delay changes no answer.
func fault(p *passage, config, own proto.Message, does string) string {
	if own != nil {
		config = own
	}
	c, ok := config.(*faultv3.HTTPFault)
	if !ok {
		return does
	}
	if !aimed(p, c) {
		return ""
	}
	said := ""
	if share := routes.Percent(c.GetAbort().GetPercentage()); c.GetAbort() != nil && share != "0%" {
		how := fmt.Sprintf("with %d", c.GetAbort().GetHttpStatus())
		switch {
		case c.GetAbort().GetHeaderAbort() != nil:
			how = "as x-envoy-fault-abort-request says"
		case c.GetAbort().GetHttpStatus() == 0:
			how = fmt.Sprintf("with gRPC status %d", c.GetAbort().GetGrpcStatus())
		}
		said = "aborts " + share + " of the requests " + how
	}
	if share := routes.Percent(c.GetDelay().GetPercentage()); c.GetDelay() != nil && share != "0%" {
		if said != "" {
			said += " and "
		}
		said += "delays " + share + " of them"
	}
	return said
}

// health answers the requests whose headers its configuration names.
func health(p *passage, config, _ proto.Message, does string) string {
	c, ok := config.(*healthv3.HealthCheck)
	switch {
	case !ok:
		return does
	case !asks(c.GetHeaders(), p.seen):
		return ""
	case c.GetPassThroughMode().GetValue():
		return "passes this health check on, and answers it itself while Envoy drains or from its cache"
	}
	return does
}

// asks reports whether a request meets header conditions, by the same machine
// that routes meet theirs.
func asks(conditions []*routev3.HeaderMatcher, r *routes.Request) bool {
	t, wrong := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "any", Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}, Headers: conditions},
			Action: &routev3.Route_NonForwardingAction{NonForwardingAction: &routev3.NonForwardingAction{}},
		}},
	}}})
	return len(wrong) > 0 || t.Match(r).Route != nil
}
