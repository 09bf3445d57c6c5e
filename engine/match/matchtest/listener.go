package matchtest

import (
	"fmt"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ListenerName is what the one listener of every case is called.
const ListenerName = "web"

// The headers by which an answer tells its way: the first two are added by the
// virtual host and the route, the others to local replies.
const (
	vhostHeader      = "x-vhost"
	routeHeader      = "x-route"
	localVhostHeader = "x-local-vhost"
	localRouteHeader = "x-local-route"
	detailsHeader    = "x-details"
)

// listener is the listener that serves the table, which stands in it or beside
// it.
func (m *maker) listener(table *routev3.RouteConfiguration) []proto.Message {
	hcm := m.manager()
	out := []proto.Message{nil}
	if m.may("inline routes", 50) {
		hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table}
	} else {
		hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: table.Name, ConfigSource: ads()}}
		out = append(out, table)
	}
	out[0] = &listenerv3.Listener{
		Name: ListenerName, Address: address(m.o.Address, m.o.Port),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{managerFilter(hcm)}}},
	}
	return out
}

func managerFilter(hcm *hcmv3.HttpConnectionManager) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name:       "envoy.filters.network.http_connection_manager",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(hcm)},
	}
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// packed panics on invalid UTF-8 alone, which is never generated.
func packed(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(fmt.Sprintf("matchtest: %v", err))
	}
	return a
}

func boolean(b bool) *wrapperspb.BoolValue { return wrapperspb.Bool(b) }

// manager is a connection manager with random options and no routes yet.
func (m *maker) manager() *hcmv3.HttpConnectionManager {
	hcm := m.plainManager()
	m.paths(hcm)
	m.hosts(hcm)
	m.protocol(hcm)
	return hcm
}

// plainManager is one with Envoy's own defaults.
func (m *maker) plainManager() *hcmv3.HttpConnectionManager {
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: "s", GenerateRequestId: boolean(false),
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "envoy.filters.http.router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
		}},
	}
	if m.o.LocalReplies {
		hcm.LocalReplyConfig = localReplies()
	}
	return hcm
}

// paths sets how paths are normalised.
func (m *maker) paths(hcm *hcmv3.HttpConnectionManager) {
	if m.may("normalize_path", 60) {
		hcm.NormalizePath = boolean(m.chance(75))
	}
	hcm.MergeSlashes = m.may("merge_slashes", 35)
	if m.may("escaped slashes", 50) {
		hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_PathWithEscapedSlashesAction(1 + m.IntN(4))
	}
}

// hosts sets what is taken off the Host.
func (m *maker) hosts(hcm *hcmv3.HttpConnectionManager) {
	if m.may("strip port", 40) {
		if m.chance(50) {
			hcm.StripMatchingHostPort = true
		} else {
			hcm.StripPortMode = &hcmv3.HttpConnectionManager_StripAnyHostPort{StripAnyHostPort: true}
		}
	}
	hcm.StripTrailingHostDot = m.may("strip_trailing_host_dot", 25)
}

// protocol sets what of HTTP is allowed.
func (m *maker) protocol(hcm *hcmv3.HttpConnectionManager) {
	one := &corev3.Http1ProtocolOptions{}
	if m.may("accept_http_10", 35) {
		one.AcceptHttp_10 = true
		if m.chance(60) {
			one.DefaultHostForHttp_10 = pick(m, hostWords...)
		}
	}
	if m.may("allow_absolute_url", 10) {
		one.AllowAbsoluteUrl = boolean(m.chance(30))
	}
	if proto.Size(one) > 0 {
		hcm.HttpProtocolOptions = one
	}
	if m.may("underscores", 30) {
		hcm.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_HeadersWithUnderscoresAction(m.IntN(3)),
		}
	}
	if m.may("use_remote_address", 20) {
		hcm.UseRemoteAddress = boolean(true)
	}
	if m.may("scheme_to_overwrite", 8) {
		hcm.SchemeHeaderTransformation = &corev3.SchemeHeaderTransformation{
			Transformation: &corev3.SchemeHeaderTransformation_SchemeToOverwrite{SchemeToOverwrite: pick(m, "http", "https")},
		}
	}
	for _, kind := range []string{"websocket", "CONNECT"} {
		if m.may("upgrades", 20) {
			hcm.UpgradeConfigs = append(hcm.UpgradeConfigs, &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: kind})
		}
	}
}

// localReplies adds to every answer that the connection manager gives itself
// why it does.
func localReplies() *hcmv3.LocalReplyConfig {
	always := &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op: accesslogv3.ComparisonFilter_GE, Value: &corev3.RuntimeUInt32{RuntimeKey: "matchtest.least_status"},
		}},
	}}
	return &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{Filter: always, HeadersToAdd: []*corev3.HeaderValueOption{
		put(detailsHeader, "%RESPONSE_CODE_DETAILS%"), put(localRouteHeader, "%ROUTE_NAME%"), put(localVhostHeader, "%CEL(xds.virtual_host_name)%"),
	}}}}
}

// put sets a header, over one that is there.
func put(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
