package forward

import (
	"net/http"
	"strconv"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match"
)

// local is an answer that no backend gave.
type local struct {
	status         int
	body           string
	flags, details string
	headers        func(http.Header) // what else it says; may be nil
}

// answerItself gives what the matcher says: there is no upstream to ask.
func (x *exchange) answerItself() {
	w := &x.way
	out := local{status: w.Status, body: w.Body, details: w.Detail}
	switch w.Action {
	case match.NotFound:
		out.flags = "NR"
		x.h.counters.add("http."+x.prefix+".no_route", 1)
	case match.Redirect, match.DirectResponse:
		x.h.counters.add("http."+x.prefix+".rq_direct_response", 1)
	}
	if w.Action == match.Refused && codecRefused(out.details) && out.body == "" {
		out.body = http.StatusText(out.status) // the codec says its status in words
	}
	if out.status == 0 { // Envoy closes the connection
		x.abort("DPE", out.details)
	}
	out.headers = func(h http.Header) {
		if w.Location != "" {
			h.Set("Location", w.Location)
		}
		if w.Action != match.Refused {
			x.finalize(h)
		}
	}
	x.closes = w.Action == match.Refused && out.status >= http.StatusBadRequest && out.status != http.StatusNotFound
	x.reply(out)
}

// codecRefused reports whether it was the HTTP codec that refused a request.
func codecRefused(details string) bool {
	return details == "low_version" || strings.HasPrefix(details, "http1.")
}

// finalize makes the changes that the route and those above it want in a
// response.
func (x *exchange) finalize(h http.Header) {
	if x.way.Entry == nil {
		return
	}
	x.values.Response = func(name string) (string, bool) { return joined(h, name) }
	for _, l := range x.responseLevels() {
		l.apply(h, &x.values)
	}
}

// reply sends an answer of the proxy's own. A gRPC client gets it in the form
// that it understands: status 200, and the error in two headers.
func (x *exchange) reply(a local) {
	x.flags, x.details = a.flags, a.details
	x.limits.global, x.limits.whole = 0, 0                // the request has ended; its answer alone is under way
	x.values.Flags, x.values.Details = a.flags, a.details // %RESPONSE_CODE% is 0 still, as in Envoy
	h := x.w.Header()
	if a.headers != nil {
		a.headers(h)
	}
	status, body := a.status, a.body
	switch {
	case x.isGRPC():
		status, body = http.StatusOK, ""
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", strconv.Itoa(grpcStatus(a.status)))
		if a.body != "" {
			h.Set("Grpc-Message", percent(a.body))
		}
	case body == "":
		if x.r.Method != http.MethodHead {
			h.Set("Content-Length", "0")
		}
	default:
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "text/plain")
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if bodiless(status) {
		h.Del("Content-Length")
		body = ""
	}
	x.manage(h)
	x.send(status)
	if x.r.Method != http.MethodHead && body != "" {
		_, _ = x.w.Write([]byte(body)) // who asked may be gone
	}
}

// send writes the status line.
func (x *exchange) send(status int) {
	x.status = status
	x.endsConnection(x.w.Header())
	at, _, _ := x.deadline()
	_ = http.NewResponseController(x.w).SetWriteDeadline(at) // net/http ends it with the answer
	x.w.WriteHeader(status)
}

// bodiless reports whether an answer of that status never has a body.
func bodiless(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// manage is what the connection manager does to every response.
func (x *exchange) manage(h http.Header) {
	m := x.way.Manager
	name := m.GetServerName()
	if name == "" {
		name = serverName
	}
	switch m.GetServerHeaderTransformation() {
	case hcmv3.HttpConnectionManager_PASS_THROUGH:
	case hcmv3.HttpConnectionManager_APPEND_IF_ABSENT:
		if h.Get("Server") == "" {
			h.Set("Server", name)
		}
	default:
		h.Set("Server", name)
	}
	if m.GetVia() != "" {
		appendTo(h, "Via", m.GetVia(), ", ")
	}
	id := x.header.Get("X-Request-Id")
	if id != "" && (m.GetAlwaysSetRequestIdInResponse() || x.header.Get("X-Envoy-Force-Trace") != "") {
		h.Set("X-Request-Id", id)
	}
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = nil // net/http would guess one
	}
}

func appendTo(h http.Header, name, value, separator string) {
	if old, ok := joined(h, name); ok && old != "" {
		value = old + separator + value
	}
	h.Set(name, value)
}

// isGRPC reports whether the client speaks gRPC.
func (x *exchange) isGRPC() bool {
	kind := x.r.Header.Get("Content-Type")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}

// grpcStatus is the gRPC status that stands for the HTTP one of an answer that
// the proxy makes itself: 200 is no success then, but unknown, as with Envoy.
func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest:
		return 13 // internal
	case http.StatusUnauthorized:
		return 16 // unauthenticated
	case http.StatusForbidden:
		return 7 // permission denied
	case http.StatusNotFound:
		return 12 // unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 14 // unavailable
	}
	return 2 // unknown
}

// percent escapes a grpc-message.
func percent(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
		}
	}
	return b.String()
}
