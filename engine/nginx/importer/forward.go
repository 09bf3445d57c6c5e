package importer

import (
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previousv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// forward adds to a route that proxies what the directives that hold in loc say
// of it: timeouts, retries, the Host and other headers, mirrors, hash policies.
func (im *importer) forward(loc, pass *conf.Directive, r *routev3.Route, q request) {
	a := r.GetRoute()
	if a == nil {
		return
	}
	f := &forwarding{loc: loc, pass: pass, family: familyOf(pass), requests: q, route: r, action: a, goal: im.goals[a]}
	if f.goal == nil {
		f.goal = &goal{}
	}
	im.waiting(f)
	im.retries(f)
	im.requestHeaders(f)
	im.hiddenHeaders(f)
	im.mirrors(f)
	im.trifles(f)
}

// forwarding is one route that proxies.
type forwarding struct {
	loc, pass *conf.Directive
	family    string // prefix of its directives: "proxy", "grpc"
	requests  request
	route     *routev3.Route
	action    *routev3.RouteAction
	goal      *goal
	emptied   []*corev3.HeaderValueOption // headers whose value may be empty
}

// one is the directive of the family that holds, nil for none.
func (im *importer) of(f *forwarding, name string) *conf.Directive {
	return im.one(f.loc, f.family+"_"+name)
}

// waiting is how long an upstream may be silent. nginx bounds the silence, Envoy
// by itself the whole answer, which is taken off.
func (im *importer) waiting(f *forwarding) {
	read, send := im.of(f, "read_timeout"), im.of(f, "send_timeout")
	wait := im.period(read, 60*time.Second)
	f.action.Timeout, f.action.IdleTimeout = lasting(0), lasting(max(wait, time.Millisecond))
	if read != nil {
		im.exact(read, at(f.action, "idle_timeout"))
	}
	if send == nil {
		return
	}
	if im.period(send, 60*time.Second) == wait {
		im.exact(send, at(f.action, "idle_timeout"))
		return
	}
	im.approx(send, at(f.action, "idle_timeout"), "Envoy has one time of silence for both directions: that of "+f.family+"_read_timeout", "")
}

// retryWords are what proxy_next_upstream may name besides statuses, and what
// Envoy retries on. What nginx does for every method stands first.
var retryWords = map[string]string{
	"error": "connect-failure,refused-stream,reset", "timeout": "connect-failure,refused-stream,reset",
	"invalid_header": "", "updating": "", "non_idempotent": "", "off": "",
}

// retryStatus are the statuses that it may name.
var retryStatus = map[string]uint32{"http_500": 500, "http_502": 502, "http_503": 503, "http_504": 504,
	"http_403": 403, "http_404": 404, "http_429": 429}

// retries is the next server for a request that failed on one. Without a second
// server there is none. What may have acted on a POST already is not tried again:
// see careful.
func (im *importer) retries(f *forwarding) {
	next, tries, limit := im.of(f, "next_upstream"), im.of(f, "next_upstream_tries"), im.of(f, "next_upstream_timeout")
	words := []string{"error", "timeout"}
	if next != nil {
		words = next.Args
		im.claimed[next] = true
	}
	if tries != nil {
		im.claimed[tries] = true
	}
	if limit != nil && limit.Arg(0) != "0" && f.goal.several {
		im.none(limit, "it bounds when the last try may begin; Envoy bounds one try, or all of the answer", "set per_try_timeout in the retry_policy, or a timeout of the route")
	} else if limit != nil {
		im.moot(limit)
	}
	most := uint32(max(1, f.goal.servers-1))
	if n := count(tries.Arg(0), 0); n > 0 {
		most = n - 1
	}
	if !f.goal.several || most == 0 || slices.Contains(words, "off") {
		return
	}
	rp := im.retryPolicy(words)
	if rp == nil {
		return
	}
	rp.NumRetries = wrapperspb.UInt32(most)
	f.action.RetryPolicy = rp
	if !slices.Contains(words, "non_idempotent") && (strings.Contains(rp.GetRetryOn(), "reset") || len(rp.GetRetriableStatusCodes()) > 0) {
		rp.RetriableRequestHeaders = []*routev3.HeaderMatcher{byMethod(once)} // spread makes two routes of it
	}
	if tries != nil {
		im.exact(tries, at(rp, "num_retries"))
	}
	im.retryNote(f, next, words, rp)
}

func (im *importer) retryPolicy(words []string) *routev3.RetryPolicy {
	rp := &routev3.RetryPolicy{HostSelectionRetryMaxAttempts: 5, RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
		Name: "envoy.retry_host_predicates.previous_hosts", ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: packed(&previousv3.PreviousHostsPredicate{})}}}}
	for _, w := range words {
		if on := retryWords[w]; on != "" {
			rp.RetryOn = on
		}
		if code, ok := retryStatus[w]; ok {
			rp.RetriableStatusCodes = append(rp.RetriableStatusCodes, code)
		}
	}
	if len(rp.GetRetriableStatusCodes()) > 0 {
		rp.RetryOn = strings.TrimPrefix(rp.GetRetryOn()+",retriable-status-codes", ",")
	}
	if rp.GetRetryOn() == "" {
		return nil
	}
	return rp
}

func (im *importer) retryNote(f *forwarding, next *conf.Directive, words []string, rp *routev3.RetryPolicy) {
	switch {
	case next == nil:
	case slices.Contains(words, "timeout"):
		im.approx(next, at(rp, "retry_on"), "a server that accepts and then stays silent is not left for the next one after "+f.family+"_read_timeout: the client gets the 504", "set per_try_idle_timeout in the retry_policy")
	case slices.Contains(words, "invalid_header"):
		im.approx(next, at(rp, "retry_on"), "an answer that is no HTTP is a reset to Envoy, which `error` covers", "")
	default:
		im.exact(next, at(rp, "retry_on"))
	}
}
