package forward

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/demo/proxy/upstream"
)

// errTooLong is why a request ended whose stream lived for as long as it may.
var errTooLong = errors.New("max_stream_duration has passed")

// forward sends the request on and passes the answer back.
func (x *exchange) forward() {
	route := x.way.Entry.GetRoute()
	x.cluster = x.way.Cluster
	c := x.h.world.Cluster(x.cluster)
	if x.cluster == "" || c == nil {
		x.noCluster(route)
		return
	}
	plain := x.h.manager(x.way.Manager).plain
	for i, l := range x.requestLevels() {
		l.apply(x.header, &x.values)
		if host := x.way.Weight.GetHostRewriteLiteral(); i == 0 && host != "" {
			x.authority = host // what follows sees it already
		}
	}
	call, t := x.call(route, plain)
	x.limits = t
	ctx := x.r.Context()
	if t.whole > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, t.whole, errTooLong)
		defer cancel()
		ctx = limited
	}
	x.ctx = ctx
	out := x.outgoing(ctx, plain)
	x.mirror(route, out, t)
	answer := c.Do(out, call)
	x.endpoint, x.attempts, x.values.UpstreamHost, x.values.Attempts = answer.Endpoint, answer.Attempts, answer.Endpoint, answer.Attempts
	switch {
	case answer.Response == nil && errors.Is(context.Cause(ctx), errTooLong):
		x.reply(local{status: x.timeoutStatus(), body: "downstream duration timeout", details: "max_duration_timeout", headers: x.finalize})
	case answer.Failure != nil:
		x.failed(answer.Failure, plain)
	default:
		x.respond(answer, plain)
	}
}

// noCluster answers for a route whose cluster is not there: Envoy has no body
// for it.
func (x *exchange) noCluster(route *routev3.RouteAction) {
	status := http.StatusServiceUnavailable
	switch route.GetClusterNotFoundResponseCode() {
	case routev3.RouteAction_NOT_FOUND:
		status = http.StatusNotFound
	case routev3.RouteAction_INTERNAL_SERVER_ERROR:
		status = http.StatusInternalServerError
	}
	x.h.counters.add("http."+x.prefix+".no_cluster", 1)
	x.cluster, x.values.Cluster = "", ""
	x.reply(local{status: status, flags: "NC", details: "cluster_not_found", headers: x.finalize})
}

// failed gives the answer of a cluster that had none.
func (x *exchange) failed(f *upstream.Failure, plain bool) {
	if f.Status == 0 { // the client went away
		x.abort(f.Flags, f.Details)
	}
	status := f.Status
	if f.Details == "stream_idle_timeout" {
		status = x.timeoutStatus()
	}
	x.reply(local{status: status, body: f.Body, flags: f.Flags, details: f.Details, headers: func(h http.Header) {
		if f.Overloaded && !plain {
			h.Set("X-Envoy-Overloaded", "true")
		}
		x.attemptsIn(h)
		x.finalize(h)
	}})
}

// call is how the cluster is to send the request. It takes the headers off that
// say so.
func (x *exchange) call(route *routev3.RouteAction, plain bool) (upstream.Call, timeouts) {
	retry := x.retryPolicy(route)
	t := x.takeTimeouts(route, retry)
	if d := t.expected(); d > 0 && !plain {
		if t.global > 0 {
			d = max(time.Millisecond, min(d, t.global))
		}
		x.header.Set("X-Envoy-Expected-Rq-Timeout-Ms", strconv.FormatInt(d.Milliseconds(), 10))
	}
	return upstream.Call{
		Timeout: t.global, Idle: t.idle, Retry: withPerTry(retry, t.perTry), Priority: route.GetPriority(),
		Hash:     x.hash(route.GetHashPolicy()),
		AutoHost: route.GetAutoHostRewrite().GetValue(), BufferLimit: x.bufferLimit(),
		CountAttempts: x.way.VHost.GetIncludeRequestAttemptCount(),
	}, t
}

// bufferLimit is how much of a body is kept to be sent again, 0 for the
// cluster's own limit.
func (x *exchange) bufferLimit() int {
	for _, of := range []interface {
		GetPerRequestBufferLimitBytes() *wrapperspb.UInt32Value
		GetRequestBodyBufferLimit() *wrapperspb.UInt64Value
	}{x.way.Entry, x.way.VHost} {
		if n := of.GetRequestBodyBufferLimit(); n != nil {
			return int(min(n.GetValue(), math.MaxInt32))
		}
		if n := of.GetPerRequestBufferLimitBytes(); n != nil {
			return int(n.GetValue())
		}
	}
	return 0
}

// outgoing is the request as it goes upstream, with exactly the host and the
// path of the way.
func (x *exchange) outgoing(ctx context.Context, plain bool) *http.Request {
	if x.way.Path != x.way.Seen.Path && !plain {
		x.header.Set("X-Envoy-Original-Path", x.way.Seen.Path)
	}
	route := x.way.Entry.GetRoute()
	if (x.way.Host != x.authority || route.GetAutoHostRewrite().GetValue()) && !plain {
		x.header.Set("X-Envoy-Original-Host", x.authority)
	}
	if route.GetAppendXForwardedHost() && x.way.Host != x.way.Seen.Authority {
		appendTo(x.header, "X-Forwarded-Host", x.way.Seen.Authority, ",")
	}
	x.header.Del("Expect") // net/http has answered it
	if x.header.Get("User-Agent") == "" {
		x.header["User-Agent"] = []string{""} // none, instead of net/http's own
	}
	out := (&http.Request{
		Method: x.r.Method, URL: target(x.way.Path), Host: x.way.Host, Header: x.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: x.body, ContentLength: x.r.ContentLength,
	}).WithContext(ctx)
	if trailers(x.way.Manager, x.r) {
		out.Trailer = x.r.Trailer
	}
	if x.r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

// target is a URL that goes upstream as the path that it was made of, byte by
// byte.
func target(path string) *url.URL {
	if strings.HasPrefix(path, "//") { // as opaque it would be taken for a host
		if u, err := url.ParseRequestURI(path); err == nil {
			return u
		}
	}
	if path == "" {
		path = "/"
	}
	return &url.URL{Opaque: path}
}

// attemptsIn tells the client how often a backend was tried, where that is
// wanted.
func (x *exchange) attemptsIn(h http.Header) {
	if x.way.VHost.GetIncludeAttemptCountInResponse() {
		h.Set("X-Envoy-Attempt-Count", strconv.Itoa(max(1, x.attempts)))
	}
}

// trailers reports whether the client may be sent trailers: always in HTTP/2, in
// HTTP/1 only when the configuration says so.
func trailers(m *hcmv3.HttpConnectionManager, r *http.Request) bool {
	return r.ProtoMajor == 2 || m.GetHttpProtocolOptions().GetEnableTrailers()
}
