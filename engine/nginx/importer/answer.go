package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/nginx/conf"
)

// answer adds to any route what the directives that hold in loc say of its
// requests and answers whatever its action: add_header, limits, access rules,
// filters of its own.
func (im *importer) answer(loc *conf.Directive, r *routev3.Route, q request) {
	im.addedHeaders(loc, r, q)
	im.expires(loc, r)
	im.contentType(loc, r)
	im.limits(loc, r)
	im.gate(loc, r)
	im.body(loc, r)
	im.compression(loc, r)
	im.connectionsPerKey(loc)
	im.pages(loc)
}

// Names of the HTTP filters, as Envoy's documentation writes them.
const (
	filterLimit    = "envoy.filters.http.local_ratelimit"
	filterRBAC     = "envoy.filters.http.rbac"
	filterAuthz    = "envoy.filters.http.ext_authz"
	filterForget   = "envoy.filters.http.header_mutation"
	filterCompress = "envoy.filters.http.compressor"
	filterBuffer   = "envoy.filters.http.buffer"
	filterRouter   = "envoy.filters.http.router"
)

// perRoute gives a route settings of its own for a filter.
func (im *importer) perRoute(r *routev3.Route, filter string, m proto.Message) {
	im.packed[m] = at(r, fmt.Sprintf("typed_per_filter_config[%q]", filter))
	if r.TypedPerFilterConfig == nil {
		r.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	r.TypedPerFilterConfig[filter] = packed(m)
	im.spend(len(r.GetTypedPerFilterConfig()[filter].GetValue()))
}

// addedHeaders is add_header, all of a level or none.
func (im *importer) addedHeaders(loc *conf.Directive, r *routev3.Route, q request) {
	for _, d := range im.inherited(loc, "add_header") {
		value, status := q.spoken(d.Arg(1)), r.GetDirectResponse().GetStatus()
		if value == "" || status != 0 && d.Arg(2) != "always" && !decorated[status] {
			im.moot(d)
			continue
		}
		text := im.format(loc, value, "")
		if len(text.missing) > 0 {
			im.none(d, "Envoy has nothing for "+strings.Join(text.missing, ", "), "")
			continue
		}
		h := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: d.Arg(0), Value: text.text}, AppendAction: corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD}
		r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, h)
		switch {
		case len(text.notes) > 0:
			im.approx(d, at(h, "header.value"), text.notes[0], "")
		case r.GetRoute() != nil && im.replaces(loc, value):
			im.approx(d, at(h, "header.value"), "of a header that proxy_set_header replaces Envoy says the new value, nginx the client's", "")
		case d.Arg(2) == "always":
			im.exact(d, at(h, ""))
		default:
			im.approx(d, at(h, ""), "nginx adds it to 200, 201, 204, 206 and redirects alone, Envoy to every answer", "`always` says in nginx what Envoy does")
		}
	}
	for _, d := range im.inherited(loc, "add_trailer") {
		im.none(d, "Envoy adds no trailers", "the header_mutation filter has response_trailers_mutations")
	}
}

// replaces reports whether a text says a header of the request that the upstream gets
// with another value.
func (im *importer) replaces(loc *conf.Directive, text string) bool {
	return slices.ContainsFunc(im.inherited(loc, "proxy_set_header"), func(d *conf.Directive) bool {
		name := "http_" + strings.ReplaceAll(strings.ToLower(d.Arg(0)), "-", "_")
		return slices.ContainsFunc(parse(text), func(p part) bool { return p.variable == name && single(d.Arg(1)) != name })
	})
}

// decorated are the answers that nginx adds headers to without `always`.
var decorated = map[uint32]bool{200: true, 201: true, 204: true, 206: true, 301: true, 302: true, 303: true, 304: true, 307: true, 308: true}

// addedAlways is add_header of a server for what is answered before any location is
// found, or for want of one.
func (im *importer) addedAlways(server *conf.Directive, r *routev3.Route) {
	for _, d := range im.inherited(server, "add_header") {
		if text := im.format(server, d.Arg(1), ""); d.Arg(1) != "" && d.Arg(2) == "always" && len(text.missing) == 0 {
			r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, &corev3.HeaderValueOption{
				Header: &corev3.HeaderValue{Key: d.Arg(0), Value: text.text}, AppendAction: corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD})
		}
	}
}

// expires are the headers that tell caches how long an answer lives.
func (im *importer) expires(loc *conf.Directive, r *routev3.Route) {
	d := im.one(loc, "expires")
	if d == nil {
		return
	}
	var control, date string
	switch v := d.Arg(0); v {
	case "off":
		im.moot(d)
		return
	case "epoch":
		control, date = "no-cache", "Thu, 01 Jan 1970 00:00:01 GMT"
	case "max":
		control, date = "max-age=315360000", "Thu, 31 Dec 2037 23:55:55 GMT"
	default:
		age, ok := duration(strings.TrimLeft(v, "+-"))
		switch {
		case !ok:
			im.none(d, "Envoy's headers know neither the file's time nor the type of the answer", "set cache-control in response_headers_to_add")
			return
		case strings.HasPrefix(v, "-"):
			control = "no-cache"
		default:
			control = fmt.Sprintf("max-age=%d", int64(age/time.Second))
		}
	}
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, overwrite("cache-control", control))
	if date != "" {
		r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, overwrite("expires", date))
	}
	im.approx(d, at(r.ResponseHeadersToAdd[len(r.ResponseHeadersToAdd)-1], ""), "it goes with every answer, errors too; of a moving Expires only max-age is said, which caches prefer", "")
}

func overwrite(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
}

// contentType is the type of a text that is answered without an upstream.
func (im *importer) contentType(loc *conf.Directive, r *routev3.Route) {
	d := im.one(loc, "default_type")
	if d == nil {
		return
	}
	if f := r.GetDirectResponse().GetBodyFormat(); f != nil && d.Arg(0) != "" {
		f.ContentType = d.Arg(0)
		im.exact(d, at(f, "content_type"))
		return
	}
	if r.GetDirectResponse().GetBody() == nil || d.Arg(0) == "text/plain" || d.Arg(0) == "" {
		im.claimed[d] = true // of files, which Envoy does not have
		return
	}
	h := overwrite("content-type", d.Arg(0))
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, h)
	im.exact(d, at(h, ""))
}
