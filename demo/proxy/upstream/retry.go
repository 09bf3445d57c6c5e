package upstream

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// The only retry host predicate that is done, as people call it and its type, by
// which alone Envoy goes.
const (
	previousHosts     = "envoy.retry_host_predicates.previous_hosts"
	previousHostsType = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
)

// retries are what is left of a request's retry policy.
type retries struct {
	on          map[string]bool
	codes       []uint32
	headers     []matcher
	left        uint32
	tries       int // to choose a host that was not asked before
	avoid       bool
	tryTimeout  time.Duration
	base, limit time.Duration // of the pause; base doubles
}

// readRetries reads a policy; nil for none, or one that does not apply to r.
func readRetries(p *routev3.RetryPolicy, r *http.Request) *retries {
	if p == nil || !applies(p.GetRetriableRequestHeaders(), r) {
		return nil
	}
	out := &retries{
		on: map[string]bool{}, codes: p.GetRetriableStatusCodes(), left: uint32Or(p.GetNumRetries(), 1),
		tries: 1, tryTimeout: p.GetPerTryTimeout().AsDuration(),
		avoid: len(p.GetRetryHostPredicate()) > 0, base: 25 * time.Millisecond,
	}
	for _, word := range strings.Split(p.GetRetryOn(), ",") {
		out.on[strings.TrimSpace(word)] = true
	}
	if n := p.GetHostSelectionRetryMaxAttempts(); n > 0 {
		out.tries = int(min(n, 1<<10))
	}
	if b := p.GetRetryBackOff(); b != nil {
		out.base = max(time.Millisecond, b.GetBaseInterval().AsDuration())
	}
	out.limit = durationOr(p.GetRetryBackOff().GetMaxInterval(), 10*out.base)
	for _, m := range p.GetRetriableHeaders() {
		if compiled, err := compileMatcher(m); err == nil { // CheckRetry has refused the others
			out.headers = append(out.headers, compiled)
		}
	}
	return out
}

// applies reports whether a request is one of those that may be retried: any
// where the policy asks for no headers.
func applies(asked []*routev3.HeaderMatcher, r *http.Request) bool {
	if len(asked) == 0 {
		return true
	}
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h[":method"], h[":authority"], h[":path"] = []string{r.Method}, []string{r.Host}, []string{r.URL.RequestURI()}
	return slices.ContainsFunc(asked, func(m *routev3.HeaderMatcher) bool {
		compiled, err := compileMatcher(m)
		return err == nil && compiled(h)
	})
}

// afterAnswer reports whether an answer is one to try again.
func (p *retries) afterAnswer(r *http.Response) bool {
	if p == nil {
		return false
	}
	if _, limited := r.Header["X-Envoy-Ratelimited"]; limited {
		return p.on["envoy-ratelimited"]
	}
	s := r.StatusCode
	switch {
	case s >= 500 && s < 600 && p.on["5xx"],
		(s == 502 || s == 503 || s == 504) && p.on["gateway-error"],
		s == http.StatusConflict && p.on["retriable-4xx"],
		p.on["retriable-status-codes"] && slices.Contains(p.codes, uint32(s)):
		return true
	}
	if word := grpcStatus[r.Header.Get("Grpc-Status")]; word != "" && p.on[word] {
		return true
	}
	return p.on["retriable-headers"] && slices.ContainsFunc(p.headers, func(m matcher) bool { return m(r.Header) })
}

// grpcStatus are the gRPC statuses that can be asked to be retried.
var grpcStatus = map[string]string{
	"1": "cancelled", "4": "deadline-exceeded", "8": "resource-exhausted", "13": "internal", "14": "unavailable",
}

// afterReset reports whether an attempt that came to no answer is to be made
// again. sent says that something of the request had reached the host.
func (p *retries) afterReset(r reset, sent bool) bool {
	if p == nil {
		return false
	}
	switch r {
	case overflow, routeTimeout, idleTimeout, clientGone, noReset:
		return false
	case refusedStream:
		if p.on["refused-stream"] {
			return true
		}
	case connectFailure, connectTimeout:
		if p.on["connect-failure"] {
			return true
		}
	}
	return p.on["5xx"] || p.on["gateway-error"] || p.on["reset"] || (!sent && p.on["reset-before-request"])
}

// pause is how long to wait before the next attempt: anything up to the base,
// which doubles until it reaches the limit.
func (p *retries) pause() time.Duration {
	upTo := p.base
	p.base = min(2*p.base, p.limit)
	return rand.N(max(upTo, time.Millisecond))
}
