package forward

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"example.com/meshtui/engine/match"
)

// clientBody is the body of a client's request. It knows when all of it has
// been read.
type clientBody struct {
	io.ReadCloser
	left  int64                     // of a length that was told; below zero where none was
	ended atomic.Pointer[time.Time] // nil while more is to come
}

// newBody is the body of a request; one without a body has ended already, but
// for one that asks for an upgrade, or a tunnel, and so has no end.
func newBody(r *http.Request) *clientBody {
	b := &clientBody{ReadCloser: r.Body, left: max(r.ContentLength, -1)}
	if r.ProtoMajor == 1 && (r.Method == http.MethodConnect || asksUpgrade(r.Header)) {
		return b
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		b.end()
	}
	return b
}

// asksUpgrade reports whether a request asks for another protocol; one for
// HTTP/2 in clear text is not listened to.
func asksUpgrade(h http.Header) bool {
	to := h.Get("Upgrade")
	if to == "" || strings.EqualFold(to, "h2c") {
		return false
	}
	for _, line := range h["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "upgrade") {
				return true
			}
		}
	}
	return false
}

func (b *clientBody) end() {
	now := time.Now()
	b.ended.Store(&now)
}

// Read reads on, and notes the end: of a body whose length was told that is its last
// byte, since an upstream may answer that before the end itself has been read.
func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	last := b.left > 0 && b.left == int64(n)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if (last || err == io.EOF) && b.ended.Load() == nil { //nolint:errorlint // a reader's end is io.EOF itself
		b.end()
	}
	return n, err
}

// complete reports whether all of the request has been read.
func (x *exchange) complete() bool { return x.body.ended.Load() != nil }

// timeoutStatus is the status of a request that took too long: it is the
// client's fault as long as its body has not come.
func (x *exchange) timeoutStatus() int {
	if x.complete() {
		return http.StatusGatewayTimeout
	}
	return http.StatusRequestTimeout
}

// proceed tells a client that waits for it to send its body. As in an Envoy,
// that comes before any route is asked.
func (x *exchange) proceed() {
	waits := x.r.ProtoMajor == 1 && x.r.ProtoAtLeast(1, 1) && strings.EqualFold(x.r.Header.Get("Expect"), "100-continue")
	if waits && (x.way.Action != match.Refused || !codecRefused(x.way.Detail)) {
		x.w.WriteHeader(http.StatusContinue)
	}
}

// endsConnection says so in an answer after which the connection closes: those
// of the codec, and those that are sent before the request has come.
func (x *exchange) endsConnection(h http.Header) {
	if x.r.ProtoMajor == 1 && (x.closes || !x.complete()) {
		h.Set("Connection", "close")
	}
}

// deadline is the time by which something must have been written, and what it
// means when that has passed; zero for none.
func (x *exchange) deadline() (at time.Time, flags, details string) {
	sooner := func(from time.Time, d time.Duration, f, why string) {
		if d > 0 && (at.IsZero() || from.Add(d).Before(at)) {
			at, flags, details = from.Add(d), f, why
		}
	}
	sooner(time.Now(), x.limits.idle, "SI", "stream_idle_timeout")
	sooner(x.start, x.limits.whole, "", "max_duration_timeout")
	if ended := x.body.ended.Load(); ended != nil {
		sooner(*ended, x.limits.global, "UT", "response_timeout")
	}
	return at, flags, details
}

// patient writes to a client, and gives up when that takes until the deadline.
// A client that does not read would hold its request, and the upstream's, for
// ever else.
type patient struct {
	x  *exchange
	to io.Writer
}

// Write ends the request when the client is gone or takes nothing.
func (p patient) Write(b []byte) (int, error) {
	at, flags, details := p.x.deadline()
	_ = http.NewResponseController(p.x.w).SetWriteDeadline(at)
	n, err := p.to.Write(b)
	if err == nil {
		return n, nil
	}
	if at.IsZero() || time.Now().Before(at) {
		flags, details = "DC", "downstream_remote_disconnect"
	}
	p.x.flags, p.x.details = flags, details
	return n, err
}
