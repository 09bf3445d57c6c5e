package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
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
	first    [1]*host // where tried begins
	attempts int
	retrying bool // a retry of the breaker's is held

	mu      sync.Mutex
	all     bool        // the client has sent all of its request
	then    func()      // that it has done so is told to; may be nil
	timeout *time.Timer // of the whole answer; nil until then
	idle    *time.Timer
	over    bool
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
			return x.fail(causeOf(x.ctx), "", "")
		}
	}
}

// begin sets the clocks.
func (c *Cluster) begin(r *http.Request, call Call) *exchange {
	x := &exchange{
		c: c, s: c.settings.Load(), r: r, call: call, priority: priorityIndex(call.Priority),
		retry: readRetries(call.Retry, r), random: rand.Uint64(),
	}
	x.gate, x.tried = &c.gates[x.priority], x.first[:0]
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
	limit := call.BufferLimit
	if limit <= 0 {
		limit = defaultBufferLimit
	}
	x.body = newReplay(r.Body, limit, x.complete, x.moved)
	return x
}

// complete says that all of the request has come: from now on the whole
// timeout runs.
func (x *exchange) complete() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = true
	if x.then != nil {
		x.then()
	}
	if x.call.Timeout > 0 && !x.over && x.timeout == nil {
		x.timeout = time.AfterFunc(x.call.Timeout, func() { x.cancel(errTimeout) })
	}
}

// whenComplete has f called when all of the request has come, in place of what
// was to be called before.
func (x *exchange) whenComplete(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.then = f; x.all {
		f()
	}
}

func (x *exchange) isComplete() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all
}

// stopTimeout ends the whole timeout: what was upgraded has no end to wait for.
func (x *exchange) stopTimeout() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timeout != nil {
		x.timeout.Stop()
	}
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
	var avoid func(*host) bool
	tries := 0
	if x.attempts > 1 {
		if x.call.Hash == nil {
			x.random = rand.Uint64()
		}
		if x.retry.avoid {
			tries, avoid = x.retry.tries, x.wasTried
		}
	}
	h, panicked := x.c.current().choose(x.random, tries, avoid)
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
	t := &attempt{exchange: x, host: h, ctx: x.ctx, cancel: func(error) {}}
	if x.retry != nil { // else the end of the try is that of the request
		t.ctx, t.cancel = context.WithCancelCause(x.ctx)
	}
	pass, err := x.c.admit(t.ctx, h, x.priority)
	if err != nil {
		if errors.Is(err, errOverflow) {
			x.tried = x.tried[:len(x.tried)-1] // it was never asked
		}
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
	if err := examine(resp); err != nil {
		t.gotConnection()
		_ = resp.Body.Close() // what there is of it is not read
		return t.failed(err)
	}
	x.moved()
	return t.answered(resp)
}

// fail ends the request with an answer of ours.
func (x *exchange) fail(why reset, transport, flag string) Answer {
	a := x.answer()
	a.Failure = why.local(transport, x.attempts > 1, flag)
	if why == idleTimeout && !x.isComplete() {
		a.Failure.Status = http.StatusRequestTimeout // it was the client's turn
	}
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
