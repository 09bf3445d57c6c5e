package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request of a client on its way through a cluster.
type exchange struct {
	c        *Cluster
	s        *settings
	r        *http.Request
	call     Call
	priority int
	gate     *gate
	ctx      context.Context // the client's, ended too by our timeouts
	cancel   context.CancelCauseFunc
	body     *replay // nil for none
	retry    *retries
	random   uint64
	tried    []*host
	attempts int
	retrying bool // a retry of the breaker's is held

	mu      sync.Mutex
	timeout *time.Timer // of the whole answer; nil until the request has been read
	idle    *time.Timer
	over    bool
}

// attempt is one try at one host.
type attempt struct {
	*exchange
	host   *host
	pass   *pass
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   atomic.Bool // there was a connection
	timer  *time.Timer // of this try
	mu     sync.Mutex  // guards timer
}

// Do sends a request to one of the cluster's hosts, and to others where the
// retry policy says so. It returns when the headers of an answer are there, or
// when it is certain that none will come. The request is not changed: its URL's
// path and query, its Host and its headers go out as they are.
func (c *Cluster) Do(r *http.Request, call Call) Answer {
	x := c.begin(r, call)
	for {
		x.attempts++
		h := x.choose()
		if h == nil {
			return x.noHost()
		}
		x.tried = append(x.tried, h)
		answer, again := x.try(h)
		if !again {
			return answer
		}
		if !sleep(x.ctx, x.retry.pause()) {
			return x.fail(h, causeOf(x.ctx), "", "")
		}
	}
}

// begin sets the clocks.
func (c *Cluster) begin(r *http.Request, call Call) *exchange {
	x := &exchange{
		c: c, s: c.settings.Load(), r: r, call: call, priority: priorityIndex(call.Priority),
		retry: readRetries(call.Retry, r), random: rand.Uint64(),
	}
	x.gate = &c.gates[x.priority]
	if call.Hash != nil {
		x.random = *call.Hash
	}
	x.ctx, x.cancel = context.WithCancelCause(r.Context())
	if call.Idle > 0 {
		x.idle = time.AfterFunc(call.Idle, func() { x.cancel(errIdle) })
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		x.complete()
		return x
	}
	x.body = newReplay(r.Body, x.s.bufferLimit, x.complete, x.moved)
	return x
}

// complete says that all of the request has come: from now on the whole
// timeout runs. An upgraded connection has none, for its request never ends.
func (x *exchange) complete() {
	if x.call.Timeout <= 0 || isUpgrade(x.r) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.over && x.timeout == nil {
		x.timeout = time.AfterFunc(x.call.Timeout, func() { x.cancel(errTimeout) })
	}
}

func isUpgrade(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" || r.Method == http.MethodConnect
}

// moved says that a byte went by, which puts the idle timeout off.
func (x *exchange) moved() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.idle != nil && !x.over {
		x.idle.Reset(x.call.Idle)
	}
}

// end stops the clocks and lets everything go that the request held.
func (x *exchange) end() {
	x.mu.Lock()
	if x.over {
		x.mu.Unlock()
		return
	}
	x.over = true
	if x.timeout != nil {
		x.timeout.Stop()
	}
	if x.idle != nil {
		x.idle.Stop()
	}
	x.mu.Unlock()
	x.endRetry()
	x.body.close()
	x.cancel(nil)
}

// choose picks a host; nil when there is none.
func (x *exchange) choose() *host {
	tries := 0
	if x.attempts > 1 {
		if x.call.Hash == nil {
			x.random = rand.Uint64()
		}
		if x.retry.avoid {
			tries = x.retry.tries
		}
	}
	h, panicked := x.c.view.Load().choose(x.random, tries, x.wasTried)
	if panicked {
		x.c.stats.panics.Add(1)
	}
	return h
}

func (x *exchange) wasTried(h *host) bool {
	for _, t := range x.tried {
		if t == h {
			return true
		}
	}
	return false
}

// noHost answers that there is nobody to ask.
func (x *exchange) noHost() Answer {
	x.c.stats.noneHealthy.Add(1)
	x.c.stats.codes.add(http.StatusServiceUnavailable)
	a := x.answer()
	a.Failure = noHealthy("")
	x.end()
	return a
}

func (x *exchange) answer() Answer {
	a := Answer{Attempts: x.attempts}
	if n := len(x.tried); n > 0 {
		a.Endpoint = x.tried[n-1].address
	}
	return a
}

// try asks one host. again says that another attempt is to be made.
func (x *exchange) try(h *host) (a Answer, again bool) {
	t := &attempt{exchange: x, host: h}
	t.ctx, t.cancel = context.WithCancelCause(x.ctx)
	pass, err := x.gate.admit(t.ctx, x.c.pool(h, x.priority))
	if err != nil {
		return t.failed(err)
	}
	t.pass = pass
	x.c.stats.active.Add(1)
	h.active.Add(1)
	resp, err := pass.pool.transport.RoundTrip(t.request())
	if err != nil {
		return t.failed(err)
	}
	t.stopTimer()
	x.moved()
	return t.answered(resp)
}

// request is what is sent: the client's, with another URL, context and body.
func (t *attempt) request() *http.Request {
	ctx := t.ctx
	if t.pass.connecting || t.tryTimeout() > 0 || t.s.outlier != nil {
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
	switch {
	case t.body != nil:
		out.Body = t.body.attempt()
	case t.s.http2:
		out.Body = nil
	default:
		out.Body, out.ContentLength = nobody{}, 0
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
	if agent && !t.call.CountAttempts {
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
}

func (t *attempt) tryTimeout() time.Duration {
	if t.retry == nil {
		return 0
	}
	return t.retry.tryTimeout
}

// connected is called when the attempt has its connection, by which the time of
// a try begins.
func (t *attempt) connected(httptrace.GotConnInfo) {
	t.gotConnection()
	if d := t.tryTimeout(); d > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.timer == nil {
			t.timer = time.AfterFunc(d, func() { t.cancel(errTryTimeout) })
		}
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
	return t.fail(t.host, why, transport, flag), false
}

// count charges a failed attempt to its host.
func (t *attempt) count(why reset) {
	s := &t.c.stats
	switch why {
	case overflow:
		return
	case clientGone:
		if t.sent.Load() {
			s.sent.Add(1)
		} else {
			s.cancelled.Add(1)
		}
		return
	case routeTimeout, tryTimeout:
		t.host.stats.timeouts.Add(1)
		s.sent.Add(1)
		t.c.judge(t.host, noAnswer, 0)
	case idleTimeout:
		s.sent.Add(1)
		return
	default:
		if why.onConnecting() {
			s.pendingFailed.Add(1)
		} else {
			s.received.Add(1)
		}
		t.c.judge(t.host, notConnected, 0)
	}
	t.host.stats.errors.Add(1)
	switch why {
	case tryTimeout:
		s.tryTimeouts.Add(1)
	case routeTimeout:
		s.timeouts.Add(1)
	}
}

// fail ends the request with an answer of ours.
func (x *exchange) fail(h *host, why reset, transport, flag string) Answer {
	a := x.answer()
	a.Endpoint = h.address
	if why == overflow {
		a.Endpoint = ""
	}
	a.Failure = why.local(transport, x.attempts > 1, flag)
	if a.Failure.Status != 0 && !errors.Is(context.Cause(x.ctx), errIdle) {
		x.c.stats.codes.add(a.Failure.Status)
	}
	x.end()
	return a
}

// mayRetry takes what another attempt needs. When it may not be made, flag says
// why where Envoy has a flag for that.
func (x *exchange) mayRetry() (flag string, ok bool) {
	x.endRetry()
	s := &x.c.stats
	switch {
	case x.retry.left == 0:
		s.retryExhausted.Add(1)
		return "URX", false
	case !x.body.sendable() || x.ctx.Err() != nil:
		return "", false
	}
	x.retry.left--
	if !x.gate.retry() {
		s.retryOverflow.Add(1)
		return "UO", false
	}
	x.retrying = true
	s.retries.Add(1)
	return "", true
}

// retrySucceeded counts an answer that needs no further attempt, and is not the
// first.
func (x *exchange) retrySucceeded() {
	if x.retrying {
		x.c.stats.retrySuccess.Add(1)
	}
}

func (x *exchange) endRetry() {
	if x.retrying {
		x.retrying = false
		x.gate.endRetry()
	}
}
