package forward

import (
	"strconv"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Envoy's defaults.
const (
	defaultTimeout    = 15 * time.Second
	defaultStreamIdle = 5 * time.Minute
)

// timeouts are those in force for one request; zero is none.
type timeouts struct {
	global, perTry time.Duration
	idle           time.Duration
	whole          time.Duration // max_stream_duration
}

// takeTimeouts reads the timeouts in force, and takes the headers off that set
// them for this request alone.
func (x *exchange) takeTimeouts(route *routev3.RouteAction, retry *routev3.RetryPolicy) timeouts {
	t := timeouts{global: defaultTimeout, perTry: retry.GetPerTryTimeout().AsDuration()}
	switch {
	case route.GetMaxStreamDuration() != nil: // it takes the timeout's place
		t.global = 0
	//nolint:staticcheck // deprecated, and done by every Envoy
	case x.isGRPC() && route.GetMaxGrpcTimeout() != nil:
		//nolint:staticcheck // as above
		t.global = x.grpcTimeout(route.GetMaxGrpcTimeout().AsDuration(), route.GetGrpcTimeoutOffset().AsDuration())
	case route.GetTimeout() != nil:
		t.global = route.GetTimeout().AsDuration()
	}
	t.whole = x.streamDuration(route)
	t.idle = x.streamIdle()
	if d := route.GetIdleTimeout(); d != nil {
		t.idle = d.AsDuration()
	}
	if d, ok := x.takeMilliseconds("X-Envoy-Upstream-Rq-Timeout-Ms"); ok {
		t.global = d
	}
	if d, ok := x.takeMilliseconds("X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms"); ok {
		t.perTry = d
	}
	if t.global > 0 && t.perTry >= t.global {
		t.perTry = 0
	}
	return t
}

// streamIdle is how long nothing may move, as the connection manager has it.
func (x *exchange) streamIdle() time.Duration {
	if d := x.way.Manager.GetStreamIdleTimeout(); d != nil {
		return d.AsDuration()
	}
	return defaultStreamIdle
}

// streamDuration is how long the stream may live in all.
func (x *exchange) streamDuration(route *routev3.RouteAction) time.Duration {
	own := route.GetMaxStreamDuration()
	if limit := own.GetGrpcTimeoutHeaderMax(); limit != nil && x.header.Get("Grpc-Timeout") != "" {
		return max(0, x.grpcTimeout(limit.AsDuration(), own.GetGrpcTimeoutHeaderOffset().AsDuration()))
	}
	if d := own.GetMaxStreamDuration(); d != nil {
		return d.AsDuration()
	}
	return x.way.Manager.GetCommonHttpProtocolOptions().GetMaxStreamDuration().AsDuration()
}

// grpcTimeout is what the client asks for in grpc-timeout, at most limit where
// there is one, and shortened by the offset.
func (x *exchange) grpcTimeout(limit, offset time.Duration) time.Duration {
	asked, ok := parseGRPCTimeout(x.header.Get("Grpc-Timeout"))
	if !ok {
		asked = 0 // the client would wait for ever
	}
	if limit > 0 && (asked == 0 || asked > limit) {
		asked = limit
	}
	if offset > 0 && offset < asked {
		asked -= offset
	}
	return asked
}

// parseGRPCTimeout reads "100m": up to eight digits and a unit.
func parseGRPCTimeout(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit, ok := units[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	const most = time.Duration(1<<63 - 1)
	if n > 0 && unit > most/time.Duration(n) {
		return most, true
	}
	return time.Duration(n) * unit, true
}

// takeMilliseconds reads and removes a header that holds milliseconds. One that
// is no number is left where it is.
func (x *exchange) takeMilliseconds(name string) (time.Duration, bool) {
	n, err := strconv.ParseUint(x.header.Get(name), 10, 32)
	if err != nil {
		return 0, false
	}
	x.header.Del(name)
	return time.Duration(n) * time.Millisecond, true
}

// expected is the timeout that the upstream is told: of one try, else of all.
func (t timeouts) expected() time.Duration {
	if t.perTry > 0 {
		return t.perTry
	}
	return t.global
}

// retryPolicy is the policy in force: the route's, else its virtual host's, with
// what an internal client adds in headers, which are taken off.
func (x *exchange) retryPolicy(route *routev3.RouteAction) *routev3.RetryPolicy {
	p := route.GetRetryPolicy()
	if p == nil {
		p = x.way.VHost.GetRetryPolicy()
	}
	on := x.takeHeader("X-Envoy-Retry-On")
	grpcOn := x.takeHeader("X-Envoy-Retry-Grpc-On")
	times := x.takeHeader("X-Envoy-Max-Retries")
	codes := x.takeHeader("X-Envoy-Retriable-Status-Codes")
	names := x.takeHeader("X-Envoy-Retriable-Header-Names")
	if on == "" && grpcOn == "" && (p == nil || p.GetRetryOn() == "") {
		return p
	}
	if on == "" && grpcOn == "" && times == "" && codes == "" && names == "" {
		return p
	}
	out := &routev3.RetryPolicy{}
	if p != nil {
		out = proto.CloneOf(p)
	}
	out.RetryOn = strings.Join(append(nonEmpty(out.GetRetryOn()), nonEmpty(on, grpcOn)...), ",")
	if n, err := strconv.ParseUint(times, 10, 32); err == nil {
		out.NumRetries = wrapperspb.UInt32(uint32(n))
	}
	for code := range strings.SplitSeq(codes, ",") {
		if n, err := strconv.ParseUint(strings.TrimSpace(code), 10, 32); err == nil {
			out.RetriableStatusCodes = append(out.RetriableStatusCodes, uint32(n))
		}
	}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out.RetriableHeaders = append(out.RetriableHeaders, &routev3.HeaderMatcher{
				Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
			})
		}
	}
	return out
}

// withPerTry is the policy with another timeout for each try.
func withPerTry(p *routev3.RetryPolicy, perTry time.Duration) *routev3.RetryPolicy {
	if p.GetPerTryTimeout().AsDuration() == perTry {
		return p
	}
	out := &routev3.RetryPolicy{}
	if p != nil {
		out = proto.CloneOf(p)
	}
	out.PerTryTimeout = nil
	if perTry > 0 {
		out.PerTryTimeout = durationpb.New(perTry)
	}
	return out
}

func (x *exchange) takeHeader(name string) string {
	v, ok := joined(x.header, name)
	if ok {
		x.header.Del(name)
	}
	return v
}

func nonEmpty(all ...string) []string {
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
