package importer

import (
	"math"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	xffv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/original_ip_detection/xff/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// clientAddress is whom the request comes from: who connected, or who a trusted
// proxy says.
func (im *importer) clientAddress(s *site) {
	s.manager.GenerateRequestId = wrapperspb.Bool(im.asksFor("request_id"))
	// A map that takes the client's own before $request_id finds it in one header.
	s.manager.PreserveExternalRequestId = im.asksFor("request_id") && im.asksFor("http_x_request_id")
	im.beliefs(s)
	header := im.one(s.believer, "real_ip_header")
	trusted := im.inherited(s.believer, "set_real_ip_from")
	if header == nil && len(trusted) > 0 {
		for _, d := range trusted {
			im.none(d, "without real_ip_header nginx believes X-Real-IP, which Envoy cannot tie to the sender", "let the proxy before send X-Forwarded-For, and name that in real_ip_header")
		}
	}
	switch {
	case header != nil && len(trusted) > 0 && im.realAddress(s, header, trusted):
	case im.keepsProto(s):
		im.peerAlone(s)
	default:
		// The peer is the client; X-Forwarded-For is neither believed nor changed.
		s.manager.UseRemoteAddress = wrapperspb.Bool(true)
		s.manager.SkipXffAppend = true
		im.overwrittenProto(s)
	}
}

// keepsProto reports whether the site's requests keep the X-Forwarded-Proto that
// they come with: where a proxy before it is believed, or the file looks at that
// header. Envoy sets it anew with use_remote_address, and takes the scheme from it
// without.
func (im *importer) keepsProto(s *site) bool {
	if im.asksFor("http_x_forwarded_proto") {
		return true
	}
	header := im.one(s.believer, "real_ip_header")
	return strings.EqualFold(header.Arg(0), "x-forwarded-for") &&
		slices.ContainsFunc(im.inherited(s.believer, "set_real_ip_from"), func(d *conf.Directive) bool { return cidrOf(d.Arg(0)) != nil })
}

// peerAlone takes the peer for the client without use_remote_address: Envoy looks
// for the address in X-Forwarded-For so many places from its end that there is
// none.
func (im *importer) peerAlone(s *site) {
	config := &xffv3.XffConfig{XffNumTrustedHops: math.MaxUint32, SkipXffAppend: wrapperspb.Bool(true)}
	im.detect(s, config)
	if l := s.first.listen; l != nil {
		im.approx(l, at(config, ""), "the file looks at X-Forwarded-Proto, which Envoy here keeps as it came; a request without it has it with the scheme that it came by, and redirects to a path alone take the scheme from it", "")
	}
}

// overwrittenProto says what becomes of the header where a route passes it on.
func (im *importer) overwrittenProto(s *site) {
	if im.overwritten || s.first.listen == nil {
		return
	}
	for _, vh := range s.routes.GetVirtualHosts() {
		for _, r := range vh.GetRoutes() {
			if r.GetRoute() != nil && !setsProto(r) {
				im.overwritten = true
				im.approx(s.first.listen, at(s.manager, "use_remote_address"),
					"nginx passes on the X-Forwarded-Proto that came, Envoy its own scheme in it: behind a proxy that ends TLS the upstreams hear http",
					"name that proxy in set_real_ip_from, with real_ip_header X-Forwarded-For; or set the header with proxy_set_header")
				return
			}
		}
	}
}

func setsProto(r *routev3.Route) bool {
	return slices.ContainsFunc(r.GetRequestHeadersToAdd(), func(h *corev3.HeaderValueOption) bool {
		return strings.EqualFold(h.GetHeader().GetKey(), "x-forwarded-proto")
	}) || slices.Contains(r.GetRequestHeadersToRemove(), "x-forwarded-proto")
}

// detect has an extension say who the client is.
func (im *importer) detect(s *site, config *xffv3.XffConfig) {
	im.packed[config] = at(s.manager, "original_ip_detection_extensions[0].typed_config")
	s.manager.OriginalIpDetectionExtensions = []*corev3.TypedExtensionConfig{{Name: "envoy.http.original_ip_detection.xff", TypedConfig: packed(config)}}
}

// realAddress is set_real_ip_from with real_ip_header. ok is false for what
// cannot be said.
func (im *importer) realAddress(s *site, header *conf.Directive, trusted []*conf.Directive) (ok bool) {
	switch strings.ToLower(header.Arg(0)) {
	case "proxy_protocol":
		im.moot(header) // the listener filter sees to it
		for _, d := range trusted {
			im.approx(d, at(s.manager, ""), "Envoy believes whoever speaks the PROXY protocol at that address", "bind the listener where only the proxy can reach it")
		}
		return false
	case "x-forwarded-for":
	default:
		im.none(header, "Envoy believes such a header of anybody, where nginx asks who sends it", "let the proxy before send X-Forwarded-For; or the custom_header detection where nobody else reaches Envoy")
		for _, d := range trusted {
			im.moot(d)
		}
		return false
	}
	cidrs := &xffv3.XffTrustedCidrs{}
	config := &xffv3.XffConfig{XffTrustedCidrs: cidrs, SkipXffAppend: wrapperspb.Bool(true)}
	for _, d := range trusted {
		c := cidrOf(d.Arg(0))
		if c == nil {
			im.none(d, "Envoy trusts addresses and networks alone", "")
			continue
		}
		cidrs.Cidrs = append(cidrs.Cidrs, c)
		im.exact(d, at(config, "xff_trusted_cidrs"))
	}
	if len(cidrs.GetCidrs()) == 0 {
		return false
	}
	im.detect(s, config)
	recursive := im.one(s.believer, "real_ip_recursive")
	if recursive != nil && recursive.Arg(0) == "on" {
		im.exact(recursive, at(config, "xff_trusted_cidrs"))
		im.exact(header, at(config, ""))
		return true
	}
	if recursive != nil {
		im.moot(recursive)
	}
	im.approx(header, at(config, ""), "Envoy goes on from a trusted address to the one before it, as nginx does with real_ip_recursive on", "")
	return true
}

// asksFor reports whether something in the file looks at the variable. What gives
// it its value does not.
func (im *importer) asksFor(variable string) bool {
	if im.uses == nil {
		im.uses = map[string]bool{}
		for d := range im.conf.All() {
			args := d.Args
			switch n := len(args); {
			case n == 0:
			case d.Name == "set" || d.Name == "auth_request_set":
				args = args[1:]
			case d.Name == "map" || d.Name == "geo" || d.Name == "split_clients":
				args = args[:n-1]
			}
			for _, a := range args {
				for _, p := range pieces(a) {
					im.uses[p.variable] = true
				}
			}
		}
	}
	return im.uses[variable]
}

// heads is what nginx takes of a request's head.
func (im *importer) heads(s *site) {
	common := s.manager.GetCommonHttpProtocolOptions()
	common.HeadersWithUnderscoresAction = corev3.HttpProtocolOptions_DROP_HEADER
	if d := im.one(s.first.d, "underscores_in_headers"); d != nil {
		if d.Arg(0) == "on" {
			common.HeadersWithUnderscoresAction = corev3.HttpProtocolOptions_ALLOW
		}
		im.exact(d, at(s.manager, "common_http_protocol_options.headers_with_underscores_action"))
	}
	if d := im.one(s.first.d, "ignore_invalid_headers"); d != nil && d.Arg(0) == "off" {
		common.HeadersWithUnderscoresAction = corev3.HttpProtocolOptions_ALLOW
		im.approx(d, at(s.manager, "common_http_protocol_options.headers_with_underscores_action"), "Envoy lets names with underscores through; one with a byte that HTTP forbids is still refused", "")
	} else if d != nil {
		im.moot(d)
	}
	if d := im.one(s.first.d, "large_client_header_buffers"); d != nil {
		if each, ok := size(d.Arg(1)); ok {
			kib := min(max(each*uint64(count(d.Arg(0), 4))>>10, 1), 8192)
			s.manager.MaxRequestHeadersKb = wrapperspb.UInt32(uint32(kib))
			im.approx(d, at(s.manager, "max_request_headers_kb"), "nginx bounds each line, and answers 400 or 414 for one that is too long; Envoy bounds all of them together, in whole KiB, and answers 431: a single long line goes through", "")
		}
	}
	if d := im.one(s.first.d, "http2_max_concurrent_streams"); d != nil {
		if s.manager.Http2ProtocolOptions == nil {
			s.manager.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{}
		}
		s.manager.Http2ProtocolOptions.MaxConcurrentStreams = wrapperspb.UInt32(max(count(d.Arg(0), 128), 1))
		im.exact(d, at(s.manager, "http2_protocol_options.max_concurrent_streams"))
	}
}
