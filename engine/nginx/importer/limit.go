package importer

import (
	"math"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	localv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// limits is limit_req: a token bucket for each value of the key, where Envoy can
// tell the values apart, else one for all.
func (im *importer) limits(loc *conf.Directive, r *routev3.Route) {
	all := im.inherited(loc, "limit_req")
	if len(all) == 0 {
		return
	}
	out := &localv3.LocalRateLimit{StatPrefix: "limit_req", Status: &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		FilterEnabled: always(), FilterEnforced: always()}
	if d := im.one(loc, "limit_req_status"); d != nil {
		out.Status.Code = typev3.StatusCode(count(d.Arg(0), 503))
		im.exact(d, at(out, "status"))
	}
	if d := im.one(loc, "limit_req_dry_run"); d != nil {
		if d.Arg(0) == "on" {
			out.FilterEnforced.DefaultValue.Numerator = 0
		}
		im.exact(d, at(out, "filter_enforced"))
	}
	for _, d := range all {
		im.limit(loc, d, out)
	}
	if out.GetTokenBucket() == nil && len(out.GetDescriptors()) == 0 {
		return
	}
	if out.GetTokenBucket() == nil {
		// The filter wants a bucket for those whom no descriptor takes: there are none.
		out.TokenBucket = &typev3.TokenBucket{MaxTokens: math.MaxUint32, TokensPerFill: wrapperspb.UInt32(math.MaxUint32), FillInterval: out.GetDescriptors()[0].GetTokenBucket().GetFillInterval()}
		out.AlwaysConsumeDefaultTokenBucket = wrapperspb.Bool(false)
	}
	im.perRoute(r, filterLimit, out)
}

func always() *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
}

// limit is one of them.
func (im *importer) limit(loc, d *conf.Directive, out *localv3.LocalRateLimit) {
	zone, _ := d.Parameter("zone")
	z := im.zone(enclosing(loc, "http"), "limit_req_zone", zone)
	if z == nil {
		im.none(d, "there is no limit_req_zone "+zone, "")
		return
	}
	im.claimed[z] = true
	rate, _ := z.Parameter("rate")
	burst, _ := d.Parameter("burst")
	bucket, ok := tokens(rate, count(burst, 0))
	if !ok {
		im.none(z, "it has no rate", "")
		return
	}
	note := "beyond the rate nginx lets requests of the burst wait, Envoy takes them at once; past the burst both refuse"
	if d.Flag("nodelay") || burst == "" {
		note = "nginx's bucket leaks by the millisecond, Envoy's is filled every 50 ms at the most often"
	}
	if action := keyAction(single(z.Arg(0))); action != nil && len(out.GetRateLimits()) == 0 {
		action.descriptor("key")
		out.RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{action.action}}}
		out.Descriptors = []*ratelimitv3.LocalRateLimitDescriptor{{Entries: []*ratelimitv3.RateLimitDescriptor_Entry{{Key: action.key}}, TokenBucket: bucket}}
		out.MaxDynamicDescriptors = wrapperspb.UInt32(10_000)
		im.approx(d, at(out, "descriptors[0].token_bucket"), note, "")
		im.approx(z, at(out, "descriptors[0]"), "Envoy keeps a bucket for each of the last 10,000 values, in each Envoy and for each route of its own", "a ratelimit service counts for many Envoys")
		return
	}
	if out.GetTokenBucket() != nil {
		im.none(d, "a route of Envoy's has one such limit", "")
		return
	}
	out.TokenBucket = bucket
	im.approx(d, at(out, "token_bucket"), "one bucket for all requests of the route, not one for each "+z.Arg(0), "a ratelimit service, or descriptors, count by key")
	im.moot(z)
}

// zone finds the limit_req_zone or limit_conn_zone of that name.
func (im *importer) zone(http *conf.Directive, directive, name string) *conf.Directive {
	if http == nil {
		return nil
	}
	for _, z := range im.children(http)[directive] {
		value, _ := z.Parameter("zone")
		if own, _, _ := strings.Cut(value, ":"); own == name {
			return z
		}
	}
	return nil
}

// shortestFill is how often Envoy fills a bucket at the most.
const shortestFill = 50 * time.Millisecond

// tokens is a rate with its burst as a bucket: "10r/s", "30r/m".
func tokens(rate string, burst uint32) (*typev3.TokenBucket, bool) {
	n, unit, ok := strings.Cut(rate, "r/")
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute}[unit]
	v, err := strconv.ParseUint(n, 10, 31)
	if !ok || per == 0 || err != nil || v == 0 {
		return nil, false
	}
	fill, every := uint32(1), per/time.Duration(v)
	if every < shortestFill {
		fill = uint32(max(1, (uint64(shortestFill)*v+uint64(per)/2)/uint64(per)))
		every = shortestFill
	}
	return &typev3.TokenBucket{MaxTokens: max(burst+1, fill), TokensPerFill: wrapperspb.UInt32(fill), FillInterval: lasting(every)}, true
}

// keyed is what tells the values of a key apart.
type keyed struct {
	action *routev3.RateLimit_Action
	key    string
}

func (k *keyed) descriptor(key string) {
	if h := k.action.GetRequestHeaders(); h != nil {
		h.DescriptorKey, k.key = key, key
	}
}

func keyAction(variable string) *keyed {
	header := func(name string) *keyed {
		return &keyed{action: &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
			RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: name}}}}
	}
	switch variable {
	case "binary_remote_addr", "remote_addr":
		return &keyed{key: "remote_address", action: &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RemoteAddress_{RemoteAddress: &routev3.RateLimit_Action_RemoteAddress{}}}}
	case "host", "http_host":
		return header(":authority")
	case "request_uri", "uri":
		return header(":path")
	}
	if name, ok := strings.CutPrefix(variable, "http_"); ok {
		return header(strings.ReplaceAll(name, "_", "-"))
	}
	return nil
}

// connectionsPerKey is limit_conn: nothing in Envoy counts requests in flight by
// a key.
func (im *importer) connectionsPerKey(loc *conf.Directive) {
	for _, d := range im.inherited(loc, "limit_conn") {
		im.none(d, "Envoy counts no requests in flight by a key", "max_requests in the cluster's circuit_breakers bounds them for the upstream, the connection_limit filter connections to the listener")
		if z := im.zone(enclosing(loc, "http"), "limit_conn_zone", d.Arg(0)); z != nil {
			im.moot(z)
		}
	}
	for _, name := range []string{"limit_conn_status", "limit_conn_dry_run", "limit_conn_log_level", "limit_req_log_level"} {
		if d := im.one(loc, name); d != nil {
			im.moot(d)
		}
	}
	if d := im.one(loc, "limit_rate"); d != nil && d.Arg(0) != "0" {
		im.none(d, "nginx bounds the rate of one answer, Envoy that of all of a route together", "add the bandwidth_limit filter if one bound for all will do")
	}
	if d := im.one(loc, "limit_rate_after"); d != nil {
		im.moot(d)
	}
}
