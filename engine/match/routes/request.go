package routes

import (
	"math"
	"strings"
	"time"
)

// view is a request as conditions look at it. It is made once for each
// question and stays on the stack.
type view struct {
	r    *Request
	path string // without query and fragment
	bare string // and without path parameters, where the configuration ignores them
	// pathless is a CONNECT without a path: only a connect_matcher can take it.
	pathless bool
}

// look makes the view of a request for this table.
func (t *Table) look(r *Request) view {
	v := view{r: r, path: r.Path, pathless: r.Path == ""}
	for i := range len(v.path) {
		if v.path[i] == '?' || v.path[i] == '#' {
			v.path = v.path[:i]
			break
		}
	}
	v.bare = v.path
	if t.ignoreParameters {
		v.bare = withoutParameters(v.path)
	}
	return v
}

// connect reports whether the request is a CONNECT, or an upgrade to
// connect-udp, which Envoy takes for one.
func (v *view) connect() bool {
	return v.r.Method == "CONNECT" && v.r.Protocol == "" || equalFold(v.upgrade(), "connect-udp")
}

// withoutParameters is a path without what stands in each of its segments from a
// semicolon on.
func withoutParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	out := strings.Builder{}
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			out.WriteByte('/')
		}
		segment, _, _ = strings.Cut(segment, ";")
		out.WriteString(segment)
	}
	return out.String()
}

// method is the request's method. An extended CONNECT is a GET with an upgrade
// header once it has passed Envoy's codec.
func (v *view) method() string {
	switch {
	case v.r.Method == "CONNECT" && v.r.Protocol != "":
		return "GET"
	case v.r.Method == "":
		return "GET"
	}
	return v.r.Method
}

// upgrade is what the connection is to become, "" for an ordinary request.
func (v *view) upgrade() string {
	if v.r.Protocol != "" {
		return v.r.Protocol
	}
	value, _ := v.listed("upgrade")
	return value
}

// single is the value of what a request has only once: pseudo-headers, "host",
// which is another name of ":authority", and headers that Envoy joins as they
// arrive. once is false for any other header. The name must be in lower case.
func (v *view) single(name string) (value string, there, once bool) {
	switch name {
	case ":path":
		return v.r.Path, !v.pathless, true
	case ":authority", "host":
		return v.r.Authority, true, true
	case ":method":
		return v.method(), true, true
	case ":scheme":
		return v.scheme(), true, true
	case "upgrade":
		u := v.upgrade()
		return u, u != "", true
	}
	if !joined(name) {
		return "", false, false
	}
	value, there = v.listed(name)
	return value, there, true
}

// joined reports whether Envoy makes one value, with commas, of all that a
// request has for this header. It does so for those that it knows; of others
// every value stands for itself.
func joined(name string) bool {
	switch name {
	case "accept", "accept-encoding", "access-control-request-headers", "access-control-request-method",
		"access-control-request-private-network", "authorization", "cache-control", "connection", "content-encoding",
		"content-length", "content-type", "expect", "grpc-accept-encoding", "grpc-timeout", "if-match",
		"if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "origin", "pragma",
		"proxy-connection", "proxy-status", "referer", "te", "transfer-encoding", "upgrade", "user-agent", "via",
		"x-client-trace-id", "x-envoy-attempt-count", "x-envoy-decorator-operation",
		"x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node", "x-envoy-expected-rq-timeout-ms",
		"x-envoy-external-address", "x-envoy-force-trace", "x-envoy-hedge-on-per-try-timeout", "x-envoy-internal",
		"x-envoy-ip-tags", "x-envoy-is-timeout-retry", "x-envoy-max-retries", "x-envoy-original-host",
		"x-envoy-original-path", "x-envoy-retriable-header-names", "x-envoy-retriable-status-codes",
		"x-envoy-retry-grpc-on", "x-envoy-retry-on", "x-envoy-upstream-alt-stat-name",
		"x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-upstream-rq-timeout-ms", "x-forwarded-client-cert",
		"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-request-id":
		return true
	}
	return false
}

// listed is all that the request's own headers say under a name, with commas.
func (v *view) listed(name string) (string, bool) {
	value, found := "", false
	for i := range v.r.Headers {
		switch h := &v.r.Headers[i]; {
		case !equalFold(h.Name, name):
		case !found:
			value, found = h.Value, true
		default:
			value += "," + h.Value
		}
	}
	return value, found
}

// number is what a header says that Envoy reads a number from.
func (v *view) number(header string) (uint64, bool) {
	value, there := v.listed(header)
	n, ok := unsigned(value)
	return n, there && ok
}

// milliseconds is what a header says that Envoy reads a duration from.
func (v *view) milliseconds(header string) (time.Duration, bool) {
	n, ok := v.number(header)
	return time.Duration(min(n, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond, ok
}

// first is the first value of a header, and how often it stands there. Envoy
// takes the first where it trusts a client to name something.
func (v *view) first(name string) (value string, times int) {
	if value, there, once := v.single(name); once {
		if there {
			times = 1
		}
		return value, times
	}
	for i := range v.r.Headers {
		if equalFold(v.r.Headers[i].Name, name) {
			if times++; times == 1 {
				value = v.r.Headers[i].Value
			}
		}
	}
	return value, times
}

// parameter is the first value of a query parameter, as it stands: nothing is
// decoded.
func (v *view) parameter(name string) (string, bool) {
	_, rest, ok := strings.Cut(v.r.Path, "?")
	for ok && rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, "&")
		if key, value, _ := strings.Cut(one, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// cookie is the first value of a cookie, without the quotes it may stand in.
func (v *view) cookie(name string) (string, bool) {
	for i := range v.r.Headers {
		if !equalFold(v.r.Headers[i].Name, "cookie") {
			continue
		}
		rest := v.r.Headers[i].Value
		for rest != "" {
			var one string
			one, rest, _ = strings.Cut(rest, ";")
			key, value, ok := strings.Cut(one, "=")
			if !ok || strings.TrimLeft(key, " ") != name {
				continue
			}
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value, true
		}
	}
	return "", false
}

// grpc reports whether the request is one of gRPC.
func (v *view) grpc() bool {
	const kind = "application/grpc"
	value, _ := v.listed("content-type")
	return !v.pathless && strings.HasPrefix(value, kind) && (len(value) == len(kind) || value[len(kind)] == '+')
}

// forwardedProto is the scheme that the client used as far as is known: Envoy
// goes by x-forwarded-proto, which its connection manager sets. Where that says
// nothing, Envoy looks at no route at all.
func (v *view) forwardedProto() string {
	if p, ok := v.listed("x-forwarded-proto"); ok {
		return p
	}
	return v.scheme()
}

// scheme is the request's scheme; one that says none came by the connection's.
func (v *view) scheme() string {
	switch {
	case v.r.Scheme != "":
		return v.r.Scheme
	case v.r.TLS:
		return "https"
	}
	return "http"
}
