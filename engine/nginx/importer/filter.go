package importer

import (
	"fmt"
	"math"
	"strings"
	"time"

	compressv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/gzip/compressor/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	compressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/compressor/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	forgetv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// manage adds to the connection manager of a site what its servers say together:
// HTTP filters, access logs, idle times, upgrades, answers of its own. It stands
// in im.packed already.
func (im *importer) manage(s *site) {
	im.clientTimes(s)
	im.clientAddress(s)
	im.heads(s)
	im.ownAnswers(s)
	im.accessLogs(s)
	im.filters(s)
	im.upgrades(s)
}

// configs are the settings for each filter that the site's routes have.
func (s *site) configs() map[string]proto.Message {
	out := map[string]proto.Message{}
	for _, vh := range s.routes.GetVirtualHosts() {
		for _, r := range vh.GetRoutes() {
			for name, packed := range r.GetTypedPerFilterConfig() {
				if m, err := packed.UnmarshalNew(); err == nil && out[name] == nil {
					out[name] = m
				}
			}
		}
	}
	return out
}

// filters is the chain, in the order of nginx's phases: limits, access, then what
// touches bodies. A filter that is only there for some routes says nothing by
// itself.
func (im *importer) filters(s *site) {
	used := s.configs()
	if used[filterLimit] != nil {
		im.filter(s, filterLimit, &localv3.LocalRateLimit{StatPrefix: "limit_req"})
	}
	if used[filterRBAC] != nil {
		im.filter(s, filterRBAC, &rbacfilterv3.RBAC{})
	}
	if used[filterForget] != nil {
		im.filter(s, filterForget, &forgetv3.HeaderMutation{})
	}
	if m, ok := used[filterAuthz].(*authzv3.ExtAuthzPerRoute); ok {
		im.filter(s, filterAuthz, authorization(m)).Disabled = true
	}
	im.compressor(s, used[filterCompress] != nil)
	im.buffer(s, used[filterBuffer] != nil)
	// nginx adds no headers of its own to what it passes on.
	im.filter(s, filterRouter, &routerv3.Router{SuppressEnvoyHeaders: true})
}

// filter appends one.
func (im *importer) filter(s *site, name string, m proto.Message) *hcmv3.HttpFilter {
	im.packed[m] = at(s.manager, fmt.Sprintf("http_filters[%d].typed_config", len(s.manager.HttpFilters)))
	f := &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(m)}}
	s.manager.HttpFilters = append(s.manager.HttpFilters, f)
	return f
}

// authorization is what the routes that ask a service share: all of the client's
// headers are shown to it, as nginx does.
func authorization(m *authzv3.ExtAuthzPerRoute) *authzv3.ExtAuthz {
	service := proto.CloneOf(m.GetCheckSettings().GetHttpService())
	return &authzv3.ExtAuthz{Services: &authzv3.ExtAuthz_HttpService{HttpService: service},
		AllowedHeaders: &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{safeRegex(".*")}},
		StatusOnError:  internalError()}
}

// compressor is gzip: on where http {} says so, else for the routes that do.
func (im *importer) compressor(s *site, some bool) {
	http := enclosing(s.first.d, "http")
	usual := im.turned(http, "gzip", false)
	if !usual && !some {
		return
	}
	from := http
	if !usual {
		from = s.first.d
	}
	gzip := &compressv3.Gzip{}
	if d := im.one(from, "gzip_comp_level"); d != nil {
		gzip.CompressionLevel = compressv3.Gzip_CompressionLevel(min(count(d.Arg(0), 1), 9))
		im.claimed[d] = true
	} else {
		gzip.CompressionLevel = compressv3.Gzip_COMPRESSION_LEVEL_1
	}
	common := &compressorv3.Compressor_CommonDirectionConfig{MinContentLength: wrapperspb.UInt32(20), ContentTypeMatcher: []*matcherv3.StringMatcher{mediaType("text/html")}}
	m := &compressorv3.Compressor{
		CompressorLibrary:       &corev3.TypedExtensionConfig{Name: "envoy.compression.gzip.compressor", TypedConfig: packed(gzip)},
		ResponseDirectionConfig: &compressorv3.Compressor_ResponseDirectionConfig{CommonConfig: common, WeakenEtagOnCompress: true},
	}
	if d := im.one(from, "gzip_min_length"); d != nil {
		common.MinContentLength = wrapperspb.UInt32(count(d.Arg(0), 20))
		im.exact(d, at(m, "response_direction_config.common_config.min_content_length"))
	}
	if d := im.one(from, "gzip_types"); d != nil {
		im.compressible(d, common, m)
	}
	f := im.filter(s, filterCompress, m)
	f.Disabled = !usual
	im.packed[gzip] = at(m, "compressor_library.typed_config")
	if d := im.one(from, "gzip_comp_level"); d != nil {
		im.exact(d, at(gzip, "compression_level"))
	}
	im.compressorNotes(s, from, m)
}

// compressible are the types of gzip_types, beside text/html which is always one.
func (im *importer) compressible(d *conf.Directive, common *compressorv3.Compressor_CommonDirectionConfig, m proto.Message) {
	for _, t := range d.Args {
		if t == "*" {
			common.ContentTypeMatcher = nil
			im.approx(d, at(m, "response_direction_config.common_config"), "Envoy compresses its own list of types instead of all", "name the types in content_type_matcher")
			return
		}
		if t != "text/html" {
			common.ContentTypeMatcher = append(common.ContentTypeMatcher, mediaType(t))
		}
	}
	im.exact(d, at(m, "response_direction_config.common_config.content_type_matcher"))
}

func mediaType(t string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t}, IgnoreCase: true}
}

// compressorNotes accounts for the rest of gzip_.
func (im *importer) compressorNotes(s *site, from *conf.Directive, m proto.Message) {
	for _, v := range s.servers {
		for _, d := range im.inherited(v.d, "gzip") {
			if im.turned(v.d, "gzip_vary", false) {
				im.exact(d, at(m, ""))
				continue
			}
			im.approx(d, at(m, ""), "Envoy sends Vary: Accept-Encoding too, as nginx does with gzip_vary on", "")
		}
		for _, name := range []string{"gzip_types", "gzip_min_length", "gzip_comp_level"} {
			if d := im.one(v.d, name); d != nil && d != im.one(from, name) {
				im.none(d, "a listener of Envoy's compresses one list of types in one way: that of http {}, or of its default server", "")
			}
		}
	}
	if d := im.one(from, "gzip_vary"); d != nil {
		im.moot(d) // Envoy always sends it
	}
	if d := im.one(from, "gzip_proxied"); d != nil && !d.Flag("any") {
		im.approx(d, at(m, ""), "Envoy compresses for a proxy (Via) as for anybody", "")
	} else if d != nil {
		im.moot(d)
	}
}

// buffer holds client_max_body_size: 413 at the same byte.
func (im *importer) buffer(s *site, some bool) {
	limit, d := im.bodyLimit(enclosing(s.first.d, "http"))
	if limit > math.MaxUint32 || limit == 0 {
		if !some {
			if d != nil {
				im.claimed[d] = true
			}
			return
		}
		limit = 0
	}
	m := &bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(uint32(max(limit, 1)))}
	f := im.filter(s, filterBuffer, m)
	f.Disabled = limit == 0
	im.bodyNote(d, limit, at(m, "max_request_bytes"))
}

// upgrades lets a connection become a WebSocket, where a route allows it, on a
// chain without the buffer: it would wait for the end of what never ends.
func (im *importer) upgrades(s *site) {
	some, others := false, false
	for _, vh := range s.routes.GetVirtualHosts() {
		for _, r := range vh.GetRoutes() {
			some = some || len(r.GetRoute().GetUpgradeConfigs()) > 0
			others = others || len(r.GetRoute().GetUpgradeConfigs()) == 0 && !strings.HasPrefix(r.GetName(), "nginx: ")
		}
	}
	if !some { // nginx answers as if nobody had asked for it
		s.manager.HttpProtocolOptions.IgnoreHttp_11Upgrade = []*matcherv3.StringMatcher{safeRegex(".*")}
		return
	}
	if others && s.first.listen != nil {
		im.approx(s.first.listen, at(s.manager, "upgrade_configs"), "a request with Upgrade: websocket to a location that does not pass it on is answered by nginx as if it had not asked, by Envoy with 403", "")
	}
	u := &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: "websocket", Enabled: wrapperspb.Bool(false)}
	for _, f := range s.manager.GetHttpFilters() {
		if f.GetName() != filterBuffer && f.GetName() != filterCompress {
			u.Filters = append(u.Filters, proto.CloneOf(f))
		}
	}
	s.manager.UpgradeConfigs = append(s.manager.UpgradeConfigs, u)
}

// clientTimes is how long a client may take.
func (im *importer) clientTimes(s *site) {
	of := func(name string, otherwise time.Duration) (time.Duration, *conf.Directive) {
		d := im.one(s.first.d, name)
		for _, v := range s.servers {
			if other := im.one(v.d, name); other != nil && other != d {
				im.approx(other, at(s.manager, ""), "a listener of Envoy's has one value: that of its default server", "give the server an address of its own")
			}
		}
		return im.period(d, otherwise), d
	}
	link := func(d *conf.Directive, path string) {
		if d != nil {
			im.exact(d, at(s.manager, path))
		}
	}
	common := &corev3.HttpProtocolOptions{}
	s.manager.CommonHttpProtocolOptions = common
	idle, d := of("keepalive_timeout", 75*time.Second)
	if idle == 0 {
		common.MaxRequestsPerConnection = wrapperspb.UInt32(1)
		idle = 75 * time.Second
		link(d, "common_http_protocol_options.max_requests_per_connection")
	} else {
		link(d, "common_http_protocol_options.idle_timeout")
	}
	common.IdleTimeout = lasting(idle)
	if d := im.one(s.first.d, "keepalive_requests"); d != nil {
		common.MaxRequestsPerConnection = wrapperspb.UInt32(max(count(d.Arg(0), 1000), 1))
		link(d, "common_http_protocol_options.max_requests_per_connection")
	}
	head, d := of("client_header_timeout", 60*time.Second)
	s.manager.RequestHeadersTimeout = lasting(head)
	link(d, "request_headers_timeout")
	body, d := of("client_body_timeout", 60*time.Second)
	s.manager.StreamIdleTimeout = lasting(body)
	if d != nil {
		im.approx(d, at(s.manager, "stream_idle_timeout"), "where a route passes on, its idle_timeout (proxy_read_timeout) holds for the request's body too", "")
	}
	if d := im.one(s.first.d, "send_timeout"); d != nil {
		im.approx(d, at(s.manager, "stream_idle_timeout"), "a client that reads nothing is bounded by the same times of silence as one that sends nothing", "")
	}
}
