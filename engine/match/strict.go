package match

import (
	"slices"
	"strconv"
	"strings"

	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
)

// strictly is what a router with strict_check_headers does to a request whose
// headers set no timeout or retry that Envoy understands; nil where all do.
func (t *trip) strictly() *refusal {
	for _, name := range t.router.GetStrictCheckHeaders() {
		value, there := t.headers.get(name)
		if !there || understood(name, value) {
			continue
		}
		r := refuse(400, "request_headers_failed_strict_check{"+name+"}",
			"the router's strict_check_headers refuses "+name+" "+strconv.Quote(value)+", which Envoy does not understand")
		r.body = "invalid header '" + name + "' with value '" + value + "'"
		return r
	}
	return nil
}

// The retry conditions that the request headers may name.
var (
	retryConditions = strings.Fields(`5xx gateway-error reset reset-before-request connect-failure retriable-4xx
		refused-stream retriable-status-codes retriable-headers envoy-ratelimited http3-post-connect-failure`)
	grpcConditions = strings.Fields("cancelled deadline-exceeded internal resource-exhausted unavailable")
)

// understood reports whether a header that strict_check_headers may name has a
// value that Envoy takes.
func understood(name, value string) bool {
	known := retryConditions
	switch strings.ToLower(name) {
	case "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-max-retries":
		_, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		return err == nil
	case "x-envoy-retry-grpc-on":
		known = grpcConditions
	case "x-envoy-retry-on":
	default:
		return true
	}
	for each := range strings.SplitSeq(value, ",") {
		if !slices.Contains(known, strings.TrimSpace(each)) {
			return false
		}
	}
	return true
}

// routerOf reads the router's configuration, nil when it cannot be read.
func routerOf(f filter) *routerv3.Router {
	r, _ := unpack(f.config).(*routerv3.Router)
	return r
}
