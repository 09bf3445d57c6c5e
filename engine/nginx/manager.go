package nginx

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	gzipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/gzip/compressor/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	compressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/compressor/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
)

// directive is a line that holds for all servers of a connection manager, with its
// name to tell it from others.
type directive struct {
	name, text string
	mark       mark
}

// directives are what a connection manager says for all of its servers.
func directives(o Origin, m *hcmv3.HttpConnectionManager) []directive {
	var out []directive
	say := func(name, value string, m mark) { out = append(out, directive{name, name + " " + value + ";", m}) }
	usual := exact(o)
	common, at := m.GetCommonHttpProtocolOptions(), o.at("common_http_protocol_options")
	if d := common.GetIdleTimeout(); d != nil {
		say("keepalive_timeout", idleTime(d), exact(at.at("idle_timeout")).with(lessonIdle))
	}
	if n := common.GetMaxRequestsPerConnection(); n != nil && n.GetValue() > 0 {
		say("keepalive_requests", fmt.Sprint(n.GetValue()), exact(at.at("max_requests_per_connection")).with(lessonRequests))
	}
	if d := m.GetRequestHeadersTimeout(); d != nil && d.AsDuration() > 0 {
		say("client_header_timeout", nginxTime(d), exact(o.at("request_headers_timeout")).with(lessonRequestHead))
	}
	if d := m.GetStreamIdleTimeout(); d != nil && d.AsDuration() > 0 {
		say("client_body_timeout", nginxTime(d), mark{from: o.at("stream_idle_timeout")}.approx(lessonStreamSilence))
	}
	out = append(out, bodyLimit(o, m), merging(o, m))
	underscore := directive{"underscores_in_headers", "underscores_in_headers on;", usual.with(lessonUnderscore)}
	if common.GetHeadersWithUnderscoresAction() == corev3.HttpProtocolOptions_DROP_HEADER {
		underscore.text, underscore.mark = "underscores_in_headers off;", exact(at.at("headers_with_underscores_action")).with(lessonUnderscore)
	}
	return append(append(out, underscore), compression(o, m)...)
}

func merging(o Origin, m *hcmv3.HttpConnectionManager) directive {
	if m.GetMergeSlashes() {
		return directive{"merge_slashes", "merge_slashes on;", exact(o.at("merge_slashes")).with(lessonSlashes)}
	}
	return directive{"merge_slashes", "merge_slashes off;", exact(o).with(lessonSlashes)}
}

// bodyLimit is what the buffer filter holds at the most.
func bodyLimit(o Origin, m *hcmv3.HttpConnectionManager) directive {
	for i, f := range m.GetHttpFilters() {
		if b, ok := unpack(f.GetTypedConfig()).(*bufferv3.Buffer); ok && !f.GetDisabled() {
			from := exact(o.at(fmt.Sprintf("http_filters[%d]", i))).with(lessonBodyLimit)
			return directive{"client_max_body_size", fmt.Sprintf("client_max_body_size %s;", byteSize(uint64(b.GetMaxRequestBytes().GetValue()))), from}
		}
	}
	return directive{"client_max_body_size", "client_max_body_size 0;", exact(o).with(lessonBody)}
}

// byteSize is a number of bytes as nginx writes it.
func byteSize(n uint64) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return fmt.Sprintf("%dm", n>>20)
	case n > 0 && n%(1<<10) == 0:
		return fmt.Sprintf("%dk", n>>10)
	}
	return fmt.Sprint(n)
}

// compression is the compressor filter with gzip.
func compression(o Origin, m *hcmv3.HttpConnectionManager) []directive {
	for i, f := range m.GetHttpFilters() {
		c, library := gzipOf(f)
		if library == nil {
			continue
		}
		from := mark{from: o.at(fmt.Sprintf("http_filters[%d]", i))}.approx(lessonGzip)
		on := "on"
		if f.GetDisabled() {
			on = "off"
		}
		out := []directive{{"gzip", "gzip " + on + ";", from}}
		common := c.GetResponseDirectionConfig().GetCommonConfig()
		var types []string
		for _, t := range common.GetContentType() {
			if t != "text/html" && literal(t) && !strings.ContainsAny(t, "\\\"") && len(t) < 40 {
				types = append(types, token(t))
			}
		}
		if len(types) > 0 && len(types) < 100 {
			out = append(out, directive{"gzip_types", "gzip_types " + strings.Join(types, " ") + ";", from})
		}
		if n := common.GetMinContentLength(); n != nil {
			out = append(out, directive{"gzip_min_length", fmt.Sprintf("gzip_min_length %d;", n.GetValue()), from})
		}
		if n := library.GetCompressionLevel(); n >= 1 && n <= 9 {
			out = append(out, directive{"gzip_comp_level", fmt.Sprintf("gzip_comp_level %d;", n), from})
		}
		return out
	}
	return nil
}

func gzipOf(f *hcmv3.HttpFilter) (*compressorv3.Compressor, *gzipv3.Gzip) {
	c, ok := unpack(f.GetTypedConfig()).(*compressorv3.Compressor)
	if !ok {
		return nil, nil
	}
	library, _ := unpack(c.GetCompressorLibrary().GetTypedConfig()).(*gzipv3.Gzip)
	return c, library
}

// gather looks at all connection managers: what they have alike nginx says once,
// and the routes within them count like others.
func (p *projection) gather() {
	p.everywhere = map[string]*agreed{}
	first := true
	for _, r := range p.mesh.List(mesh.Listener) {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			continue
		}
		chains := l.GetFilterChains()
		if c := l.GetDefaultFilterChain(); c != nil {
			chains = append(chains[:len(chains):len(chains)], c)
		}
		for i, c := range chains {
			at := Origin{Key: r.Key}.at(fmt.Sprintf("filter_chains[%d]", i))
			if i == len(l.GetFilterChains()) {
				at = Origin{Key: r.Key}.at("default_filter_chain")
			}
			for j, f := range c.GetFilters() {
				m, ok := unpack(f.GetTypedConfig()).(*hcmv3.HttpConnectionManager)
				if !ok {
					continue
				}
				o := at.at(fmt.Sprintf("filters[%d].typed_config", j))
				p.alike(directives(o, m), first)
				first = false
				if rc := m.GetRouteConfig(); rc != nil {
					p.shared.survey(p, o.at("route_config"), rc)
				}
			}
		}
	}
}

// alike takes in one more connection manager's directives. One that some lack is
// none of all.
func (p *projection) alike(ds []directive, first bool) {
	said := map[string]bool{}
	for _, d := range ds {
		said[d.name] = true
		a := p.everywhere[d.name]
		if a == nil {
			a = &agreed{differs: !first}
			p.everywhere[d.name] = a
		}
		a.say(d.text, d.mark)
	}
	for name, a := range p.everywhere {
		a.differs = a.differs || !said[name]
	}
}

// manager writes what the connection manager says for its servers and not for all
// of nginx; what has no counterpart is noted in the first only.
func (p *projection) manager(s *site) {
	if s.manager == nil {
		return // that of routes that no listener asks for
	}
	for _, d := range directives(s.origin, s.manager) {
		if a := p.everywhere[d.name]; a == nil || !a.is(d.text) {
			p.add(d.mark, "%s", d.text)
		}
	}
	p.forwardedFor(s)
	p.realIP(s)
	if s.introduced {
		return
	}
	s.introduced = true
	p.cleartextHTTP2(s)
	p.byDefault(s)
	p.managerRest(s)
}

// byDefault says what of the connection manager's settings nginx does without being
// told.
func (p *projection) byDefault(s *site) {
	m := s.manager
	said := func(field, what, lesson string) {
		p.note(exact(s.origin.at(field)).with(lesson), "%s: nginx by itself", what)
	}
	if m.GetNormalizePath().GetValue() {
		said("normalize_path", "normalize_path", lessonNormalize)
	}
	if m.GetStripTrailingHostDot() {
		said("strip_trailing_host_dot", "strip_trailing_host_dot", lessonTrailingDot)
	}
	if h := m.GetHttpProtocolOptions(); h.GetAcceptHttp_10() {
		said("http_protocol_options.accept_http_10", "accept_http_10", lessonHTTP10)
	}
	if m.GetUseRemoteAddress().GetValue() && m.GetSkipXffAppend() {
		said("skip_xff_append", "no X-Forwarded-For", lessonNoForwarded)
	}
	if all := m.GetLocalReplyConfig().GetMappers(); len(all) == 1 && badGateway(all[0]) {
		said("local_reply_config", "502 for an upstream that fails", lessonBadGateway)
	}
}

// badGateway reports whether Envoy's own answers for an upstream that fails become
// 502, which is nginx's.
func badGateway(m *hcmv3.ResponseMapper) bool {
	flags := m.GetFilter().GetResponseFlagFilter().GetFlags()
	return m.GetStatusCode().GetValue() == 502 && len(flags) > 0 && m.GetBody() == nil && m.GetBodyFormatOverride() == nil && len(m.GetHeadersToAdd()) == 0
}
