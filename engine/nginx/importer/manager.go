package importer

import (
	"math"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

const (
	managerFilter = "envoy.filters.network.http_connection_manager"
	routerFilter  = "envoy.filters.http.router"
)

// manager is a connection manager that reads requests as nginx does.
func manager(s *site) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: s.name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: s.routes.GetName(), ConfigSource: &corev3.ConfigSource{
			ResourceApiVersion: corev3.ApiVersion_V3, ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}}},
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 s.mergesSlashes(),
		StripTrailingHostDot:         true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED,
		HttpProtocolOptions:          &corev3.Http1ProtocolOptions{AcceptHttp_10: true, DefaultHostForHttp_10: noHost},
	}
}

// mergesSlashes is what nginx does on the address: the default server says.
func (s *site) mergesSlashes() bool {
	d := s.merge
	return d == nil || d.Arg(0) != "off"
}

// uriRules reports once where the two read paths apart.
func (im *importer) uriRules(s *site) {
	if d := s.merge; d != nil {
		im.exact(d, at(s.manager, "merge_slashes"))
	}
	for _, sv := range s.servers {
		for _, d := range sv.d.Children("merge_slashes") {
			if (d.Arg(0) != "off") != s.manager.MergeSlashes {
				im.approx(d, at(s.manager, "merge_slashes"), "Envoy merges slashes for an address as a whole, as its default server says", "")
			}
		}
	}
	if l := s.first.listen; l != nil && s.first.tls && !im.plain {
		im.plain = true
		im.approx(l, at(s.listener, ""), "plain HTTP to this port gets a page with 400 from nginx; Envoy closes the connection", "")
	}
	switch l := s.first.listen; {
	case l == nil:
	case im.slashed: // once is enough
		im.near(l, at(s.manager, "path_with_escaped_slashes_action"))
	default:
		im.slashed = true
		im.approx(l, at(s.manager, "path_with_escaped_slashes_action"),
			"nginx looks for a location with %2F read as a slash; Envoy keeps it, so that APIs which have one in a name go on working",
			"set path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD for nginx's way")
		im.approx(l, at(s.manager, "normalize_path"),
			"nginx refuses a path that climbs above the root (/../x, /%2e%2e/x: 400), Envoy takes it for /x; and where proxy_pass has no URI nginx sends .. and // on as they came, Envoy resolved", "")
		im.approx(l, at(s.manager, ""), oddlyRefused, "")
		im.approx(l, at(s.manager, ""), oddlyRead, "")
	}
}

// What two parsers of requests make otherwise of what no browser sends.
const (
	oddlyRefused = "of odd requests Envoy alone refuses bytes above 0x7F, and a comma, a second colon or an odd port in the Host, and, of a server that keeps requests out of some paths, %0A and .. beside %2F; nginx alone %zz before an escape or .., " +
		"a bad Host beside an absolute target, an empty one before another, and 8 KB; refusals may differ in add_header"
	oddlyRead = "Envoy takes a backslash for a slash, as it takes %2F in expressions beside a location that keeps requests out, /.; for /., .. before //, the dot off the Host, and nohost.invalid for no Host; it decodes letters, digits and -._~ alone, " +
		"keeps a bare ?, drops a #; a PUT that no location takes gets 404, not 405"
)

// runtime lets a request through whose target has a "#", which nginx cuts off, and
// takes expressions of any length, as nginx does: Envoy by itself refuses the whole
// route configuration for one whose program is larger than 100.
func runtime() *runtimev3.Runtime {
	return &runtimev3.Runtime{Name: mesh.RuntimeLayer, Layer: &structpb.Struct{Fields: map[string]*structpb.Value{
		"envoy.reloadable_features.http_reject_path_with_fragment": structpb.NewBoolValue(false),
		"re2.max_program_size.error_level":                         structpb.NewNumberValue(math.MaxUint32)}}}
}

// routed puts the filter last that sends requests on, where nobody has yet.
func routed(s *site) {
	if fs := s.manager.HttpFilters; len(fs) == 0 || fs[len(fs)-1].Name != routerFilter {
		s.manager.HttpFilters = append(s.manager.HttpFilters, &hcmv3.HttpFilter{Name: routerFilter, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})}})
	}
}

func packed(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return &anypb.Any{} // cannot be: it is of a linked type, and its strings are valid UTF-8
	}
	return a
}
