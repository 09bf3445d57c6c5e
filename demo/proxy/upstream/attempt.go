package upstream

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attempt is one try at one host.
type attempt struct {
	*exchange
	host   *host
	pass   *pass
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   atomic.Bool // there was a connection
	body   *replayed   // nil for none
	timer  *time.Timer // of this try
	ended  bool        // what timer was for
	mu     sync.Mutex  // guards timer and ended
}

// request is what is sent: the client's, with another URL, context and body.
func (t *attempt) request() *http.Request {
	ctx := t.ctx
	if t.pass.connecting || t.exchange.body != nil || t.tryTimeout() > 0 || (t.s.outlier != nil && t.s.outlier.split) {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: t.connected})
	} else {
		t.gotConnection()
	}
	out := t.r.WithContext(ctx)
	out.URL = &url.URL{
		Scheme: "http", Host: poolAuthority, Opaque: t.r.URL.Opaque, Path: t.r.URL.Path, RawPath: t.r.URL.RawPath,
		RawQuery: t.r.URL.RawQuery, ForceQuery: t.r.URL.ForceQuery,
	}
	out.RequestURI = ""
	out.GetBody = nil
	if !t.s.trailers {
		out.Trailer = nil
	}
	switch {
	case t.exchange.body != nil:
		t.body = t.exchange.body.attempt()
		out.Body = t.body
	case t.s.http2:
		out.Body = nil
	case sentAgain(out.Method):
		// Without a length, and so without a header that speaks of one.
		out.Body, out.ContentLength, out.TransferEncoding = nobody{}, 0, identity
	case out.Method == http.MethodDelete:
		out.Body, out.ContentLength = nil, 0
	default:
		// Envoy says that the length is 0.
		out.Body, out.ContentLength, out.TransferEncoding = http.NoBody, 0, identity
	}
	if t.call.AutoHost && t.host.hostname != "" {
		out.Host = t.host.hostname
	}
	t.headers(out)
	return out
}

// headers sets what goes out beside the client's own headers.
func (t *attempt) headers(out *http.Request) {
	_, agent := out.Header["User-Agent"]
	if agent && !t.call.CountAttempts && !hasAny(out.Header, idempotencyKeys) {
		return
	}
	out.Header = out.Header.Clone()
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if !agent {
		out.Header["User-Agent"] = nil // else the transport names itself
	}
	if t.call.CountAttempts {
		out.Header.Set("X-Envoy-Attempt-Count", strconv.Itoa(t.attempts))
	}
	for _, name := range idempotencyKeys {
		if values, is := out.Header[name]; is {
			delete(out.Header, name)
			out.Header[strings.ToLower(name)] = values
		}
	}
}

func (t *attempt) tryTimeout() time.Duration {
	if t.retry == nil {
		return 0
	}
	return t.retry.tryTimeout
}

// connected is called when the attempt has its connection. By that, and by the
// end of the client's request, the time of a try begins.
func (t *attempt) connected(got httptrace.GotConnInfo) {
	t.gotConnection()
	if c, ours := got.Conn.(*conn); ours && t.body != nil && !t.s.http2 {
		// The transport does not give up before the body's reader does.
		c.whenClosed(t.body.abandon)
	}
	if d := t.tryTimeout(); d > 0 {
		t.whenComplete(func() { t.startTimer(d) })
	}
}

// startTimer begins the time of this try, once and not after its end.
func (t *attempt) startTimer(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil && !t.ended {
		t.timer = time.AfterFunc(d, func() { t.cancel(errTryTimeout) })
	}
}

// gotConnection counts the request as one of the host's.
func (t *attempt) gotConnection() {
	if t.sent.Swap(true) {
		return
	}
	t.gate.connected(t.pass)
	t.c.stats.requests.Add(1)
	t.host.stats.requests.Add(1)
	t.c.judge(t.host, connectedTo, 0)
}

// stopTimer ends the time of this try, for its answer has come.
func (t *attempt) stopTimer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.timer != nil {
		t.timer.Stop()
	}
}

// release gives back what the attempt held of its host. Its context is ended
// with it.
func (t *attempt) release() {
	t.stopTimer()
	t.cancel(errAbandoned)
	if t.pass == nil {
		return
	}
	t.gate.release(t.pass)
	t.c.stats.active.Add(-1)
	t.host.active.Add(-1)
}

// answered takes an answer's headers in.
func (t *attempt) answered(resp *http.Response) (a Answer, again bool) {
	t.gotConnection()
	t.c.judge(t.host, answered, resp.StatusCode)
	flag := ""
	if t.retry.afterAnswer(resp) {
		if flag, again = t.mayRetry(); again {
			t.host.stats.errors.Add(1)
			t.c.stats.retried.add(resp.StatusCode)
			resp.Body.Close()
			t.release()
			return Answer{}, true
		}
	} else {
		t.retrySucceeded()
	}
	if resp.StatusCode >= 500 {
		t.host.stats.errors.Add(1)
	} else {
		t.host.stats.success.Add(1)
	}
	t.c.stats.codes.add(resp.StatusCode)
	a = t.answer()
	a.Response, a.Flags, a.Details = resp, flag, "via_upstream"
	t.endRetry()
	t.wrap(resp)
	return a, false
}

// failed takes in that no answer came.
func (t *attempt) failed(err error) (a Answer, again bool) {
	why, transport := classify(t.ctx, err)
	if t.exchange.ctx.Err() != nil && why == clientGone {
		why = causeOf(t.exchange.ctx)
	}
	t.count(why)
	t.release()
	flag := ""
	if t.retry.afterReset(why, t.sent.Load()) {
		if flag, again = t.mayRetry(); again {
			return Answer{}, true
		}
	}
	return t.fail(why, transport, flag), false
}

// count charges a failed attempt to its host.
func (t *attempt) count(why reset) {
	s := &t.c.stats
	switch why {
	case overflow:
		return
	case clientGone, idleTimeout:
		if !t.sent.Load() {
			s.cancelled.Add(1)
		}
		t.countReset()
		return
	case tryTimeout, routeTimeout:
		t.host.stats.timeouts.Add(1)
		if why == tryTimeout {
			s.tryTimeouts.Add(1)
		} else {
			s.timeouts.Add(1)
		}
		t.countReset()
		t.c.judge(t.host, noAnswer, 0)
	default:
		if why.onConnecting() {
			s.pendingFailed.Add(1)
		} else if why == remoteReset || why == refusedStream {
			s.received.Add(1)
		} else if why == protocolError {
			t.countReset()
		} else if t.s.http2 {
			s.pendingFailed.Add(1)
		}
		t.c.judge(t.host, notConnected, 0)
	}
	t.host.stats.errors.Add(1)
}

// countReset counts that we end a request under way. In HTTP/1 that is the end
// of its connection, which Envoy does not count as a reset.
func (t *attempt) countReset() {
	if t.s.http2 && t.sent.Load() {
		t.c.stats.sent.Add(1)
	}
}
