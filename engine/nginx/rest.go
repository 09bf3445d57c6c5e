package nginx

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// rest names the fields of m that are set and that no line says: nothing of
// the operator's may vanish without a word. said are those that have lines, or
// mean nothing to a request.
func (p *projection) rest(o Origin, m proto.Message, said ...string) {
	if m == nil || !m.ProtoReflect().IsValid() {
		return
	}
	known := map[string]bool{"name": true, "stat_prefix": true, "metadata": true}
	for _, s := range said {
		known[s] = true
	}
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if name := string(f.Name()); r.Has(f) && !known[name] {
			p.note(mark{from: o.at(name)}.none(lessonRest), "%s", fieldText(f, r.Get(f)))
		}
	}
}

// fieldText is a field with its value, where that is a short one.
func fieldText(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	name := string(f.Name())
	switch {
	case f.IsMap():
		return fmt.Sprintf("%s (%d)", name, v.Map().Len())
	case f.IsList():
		return fmt.Sprintf("%s (%d)", name, v.List().Len())
	case f.Kind() == protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return name + ": " + string(e.Name())
		}
		return name
	case f.Kind() != protoreflect.MessageKind:
		return fmt.Sprintf("%s: %v", name, v.Interface())
	}
	switch d := v.Message().Interface().(type) {
	case *durationpb.Duration:
		return name + ": " + d.AsDuration().String()
	case *wrapperspb.BoolValue:
		return fmt.Sprintf("%s: %v", name, d.GetValue())
	case *wrapperspb.UInt32Value:
		return fmt.Sprintf("%s: %v", name, d.GetValue())
	}
	return name
}

// filterLessons say what nginx has near an HTTP filter that guards nothing.
var filterLessons = map[string]string{
	"lua":             "The script does not run in nginx: Lua is a module of its own there.",
	"ratelimit":       "nginx limits nothing here: it has no counting service for many proxies.",
	"local_ratelimit": "nginx limits nothing here: limit_req is a leaky bucket for each key, where Envoy has a token bucket.",
	"fault":           "nginx injects no faults.",
	"cors":            "nginx has add_header and `if` for this, without a check of the origin.",
	"compressor":      "`gzip on` is the nearest: other types, ETag and Vary.",
	"ext_proc":        "nginx has no filter that asks another process about each request.",
	"wasm":            "The module does not run in nginx.",
}

// programs are the filters that run what the operator wrote: they may refuse
// requests, and nobody but they can tell which.
var programs = map[string]bool{"lua": true, "wasm": true, "ext_proc": true, "golang": true, "dynamic_modules": true, "composite": true}

// httpFilters names the filters besides the router, which is what nginx does
// anyway.
func (p *projection) httpFilters(o Origin, m *hcmv3.HttpConnectionManager) {
	for i, f := range m.GetHttpFilters() {
		at := o.at(fmt.Sprintf("http_filters[%d]", i))
		kind := typeOf(f.GetTypedConfig())
		if strings.HasSuffix(kind, ".router.v3.Router") || strings.HasSuffix(kind, ".buffer.v3.Buffer") {
			continue
		}
		if _, library := gzipOf(f); library != nil {
			continue
		}
		name, lesson := f.GetName(), lessonFilter
		if _, rest, ok := strings.Cut(kind, ".filters.http."); ok {
			kind, _, _ = strings.Cut(rest, ".")
			lesson = orElse(closedLessons[kind], orElse(filterLessons[kind], lesson))
			if short := strings.TrimPrefix(name, "envoy.filters.http."); short == kind {
				name = kind
			} else {
				name = kind + " " + name
			}
		}
		if unset(f) {
			p.note(exact(at).with(lessonGuardUnset), "http filter %s: where a route says so", name)
			continue
		}
		none := mark{from: at}.none(lesson)
		if programs[kind] && !f.GetDisabled() {
			p.openings = append(p.openings, opening{none, name})
		}
		p.note(none, "http filter %s: not in nginx", name)
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// perFilter names the filters that are set apart at this place.
func perFilter[V any](p *projection, o Origin, config map[string]V) {
	for _, name := range sortedKeys(config) {
		a, ok := any(config[name]).(*anypb.Any)
		if ok && (p.bodyLimitOf(o, a) || setsGuard(name, a)) {
			continue // access has lines with each route
		}
		p.note(mark{from: o.at("typed_per_filter_config")}.none(lessonPerRoute), "here too %s", strings.TrimPrefix(name, "envoy.filters.http."))
	}
}

// bodyLimitOf writes the limit of a body that holds at this place alone.
func (p *projection) bodyLimitOf(o Origin, a *anypb.Any) bool {
	b, ok := unpack(a).(*bufferv3.BufferPerRoute)
	if !ok {
		return false
	}
	m := exact(o.at("typed_per_filter_config")).with(lessonBodyLimit)
	if b.GetDisabled() {
		p.add(m, "client_max_body_size 0;")
		return true
	}
	p.add(m, "client_max_body_size %s;", byteSize(uint64(b.GetBuffer().GetMaxRequestBytes().GetValue())))
	return true
}

// routeRest names what else a route says.
func (p *projection) routeRest(pl *place) {
	perFilter(p, pl.origin, pl.route.GetTypedPerFilterConfig())
	p.rest(pl.origin, pl.route, "match", "route", "redirect", "direct_response", "typed_per_filter_config", "request_headers_to_add",
		"request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove", "decorator")
	ra := pl.route.GetRoute()
	if ra == nil {
		return
	}
	o := pl.origin.at("route")
	p.rest(o, ra, "cluster", "weighted_clusters", "cluster_header", "prefix_rewrite", "regex_rewrite", "path_rewrite", "path_rewrite_policy",
		"host_rewrite_literal", "auto_host_rewrite", "host_rewrite_header", "host_rewrite_path_regex", "host_rewrite", "timeout", "idle_timeout", "retry_policy",
		"request_mirror_policies", "hash_policy", "upgrade_configs")
	if ra.GetIdleTimeout() != nil && (ra.GetTimeout() == nil || ra.GetTimeout().AsDuration() > 0) {
		p.note(mark{from: o.at("idle_timeout")}.none(lessonRest), "idle_timeout: %s", ra.GetIdleTimeout().AsDuration())
	}
	for i, u := range ra.GetUpgradeConfigs() {
		if !strings.EqualFold(u.GetUpgradeType(), "websocket") {
			p.note(mark{from: o.at(fmt.Sprintf("upgrade_configs[%d]", i))}.none(lessonRest), "upgrade: %s", u.GetUpgradeType())
		}
	}
	for i, w := range ra.GetWeightedClusters().GetClusters() {
		at := o.at(fmt.Sprintf("weighted_clusters.clusters[%d]", i))
		perFilter(p, at, w.GetTypedPerFilterConfig())
		p.rest(at, w, "weight", "typed_per_filter_config")
	}
	p.rest(o.at("weighted_clusters"), ra.GetWeightedClusters(), "clusters", "total_weight", "use_hash_policy")
	p.rest(o.at("retry_policy"), ra.GetRetryPolicy(), "retry_on", "num_retries", "retriable_status_codes")
}

// hostRest names what else a virtual host says.
func (p *projection) hostRest(sc *scope) {
	perFilter(p, sc.origin, sc.host.GetTypedPerFilterConfig())
	p.rest(sc.origin, sc.host, "domains", "routes", "require_tls", "retry_policy", "typed_per_filter_config", "request_headers_to_add",
		"request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove")
	p.rest(sc.origin.at("retry_policy"), sc.host.GetRetryPolicy(), "retry_on", "num_retries", "retriable_status_codes")
}

// configRest names what else a route configuration says.
func (p *projection) configRest(o Origin, rc *routev3.RouteConfiguration) {
	perFilter(p, o, rc.GetTypedPerFilterConfig())
	p.rest(o, rc, "virtual_hosts", "ignore_port_in_host_matching", "typed_per_filter_config", "request_headers_to_add", "request_headers_to_remove",
		"response_headers_to_add", "response_headers_to_remove", "validate_clusters")
}

// managerRest names what else a connection manager says.
func (p *projection) managerRest(s *site) {
	o, m := s.origin, s.manager
	p.httpFilters(o, m)
	said := []string{"codec_type", "rds", "route_config", "http_filters", "merge_slashes", "common_http_protocol_options", "request_headers_timeout",
		"upgrade_configs", "use_remote_address", "skip_xff_append", "strip_matching_host_port", "strip_any_host_port", "generate_request_id",
		"strip_trailing_host_dot"}
	if s.trusted() != nil {
		said = append(said, "original_ip_detection_extensions")
	}
	for field, is := range map[string]bool{"normalize_path": m.GetNormalizePath().GetValue(), "stream_idle_timeout": m.GetStreamIdleTimeout().AsDuration() > 0,
		"http_protocol_options": m.GetHttpProtocolOptions().GetAcceptHttp_10()} {
		if is {
			said = append(said, field)
		}
	}
	if all := m.GetLocalReplyConfig().GetMappers(); len(all) == 1 && badGateway(all[0]) && m.GetLocalReplyConfig().GetBodyFormat() == nil {
		said = append(said, "local_reply_config")
	}
	p.rest(o, m, said...)
	p.rest(o.at("http_protocol_options"), m.GetHttpProtocolOptions(), "accept_http_10", "default_host_for_http_10")
	p.rest(o.at("common_http_protocol_options"), m.GetCommonHttpProtocolOptions(), "idle_timeout", "max_requests_per_connection", "headers_with_underscores_action")
	for i, u := range m.GetUpgradeConfigs() {
		if !strings.EqualFold(u.GetUpgradeType(), "websocket") {
			p.note(mark{from: o.at(fmt.Sprintf("upgrade_configs[%d]", i))}.none(lessonRest), "upgrade: %s", u.GetUpgradeType())
		}
	}
}
