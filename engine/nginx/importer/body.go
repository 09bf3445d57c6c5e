package importer

import (
	"math"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	compressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/compressor/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// defaultBody is client_max_body_size where nobody says another.
const defaultBody = 1 << 20

// bodyLimit is the largest body that nginx takes where block is, 0 for any, and
// the directive that says so, nil for the default.
func (im *importer) bodyLimit(block *conf.Directive) (uint64, *conf.Directive) {
	d := im.one(block, "client_max_body_size")
	if d == nil {
		return defaultBody, nil
	}
	v, ok := size(d.Arg(0))
	if !ok {
		im.none(d, "it is no size", "")
		return defaultBody, nil
	}
	return v, d
}

// body is client_max_body_size where it is not that of http {}, which the filter
// itself says. The filter holds the whole body, so that a stream of gRPC must not
// meet it.
func (im *importer) body(loc *conf.Directive, r *routev3.Route) {
	limit, d := im.bodyLimit(loc)
	usual, _ := im.bodyLimit(enclosing(loc, "http"))
	if grpc := len(im.children(loc)["grpc_pass"]) > 0; grpc {
		im.perRoute(r, filterBuffer, &bufferv3.BufferPerRoute{Override: &bufferv3.BufferPerRoute_Disabled{Disabled: true}})
		if d != nil && limit > 0 {
			im.none(d, "the buffer filter would hold back a stream of gRPC, so that nothing bounds the body there", "let the server bound its messages")
		}
		return
	}
	if limit > math.MaxUint32 {
		im.none(d, "Envoy holds a body in memory, and takes 4 GiB at the most: there is no limit here", "")
		limit = 0
	}
	if limit == usual {
		return
	}
	m := &bufferv3.BufferPerRoute{Override: &bufferv3.BufferPerRoute_Disabled{Disabled: true}}
	if limit > 0 {
		m.Override = &bufferv3.BufferPerRoute_Buffer{Buffer: &bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(uint32(limit))}}
	}
	im.perRoute(r, filterBuffer, m)
	im.bodyNote(d, limit, at(m, ""))
}

// bodyNote accounts for the directive.
func (im *importer) bodyNote(d *conf.Directive, limit uint64, to place) {
	switch {
	case d == nil:
	case limit > 16<<20:
		im.approx(d, to, "nginx keeps a large body in a file, Envoy in memory until all of it is there", "a limit at the upstream alone, with the filter disabled, spares the memory")
	default:
		im.exact(d, to)
	}
}

// compression is gzip where it is not what http {} says.
func (im *importer) compression(loc *conf.Directive, r *routev3.Route) {
	on := im.turned(loc, "gzip", false)
	usual := im.turned(enclosing(loc, "http"), "gzip", false)
	d := im.one(loc, "gzip")
	if on == usual || d == nil {
		return
	}
	m := &compressorv3.CompressorPerRoute{Override: &compressorv3.CompressorPerRoute_Disabled{Disabled: true}}
	if on {
		m.Override = &compressorv3.CompressorPerRoute_Overrides{Overrides: &compressorv3.CompressorOverrides{
			ResponseDirectionConfig: &compressorv3.ResponseDirectionOverrides{}}}
	}
	im.perRoute(r, filterCompress, m)
	im.exact(d, at(m, ""))
}
