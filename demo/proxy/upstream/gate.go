package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Why a circuit breaker lets a request not pass.
var (
	errOverflow = errors.New("too many requests wait for a connection")
	errTooMany  = errors.New("too many requests are under way")
)

// errRetired is why a pool takes no more requests: another is to be asked for.
var errRetired = errors.New("the connections were given up")

// gate is the circuit breakers of one routing priority of a cluster. It decides
// whether a request may go to a host at once, has to wait for a connection, or
// is turned away.
type gate struct {
	counts *gateCounts

	mu                                     sync.Mutex
	lim                                    limits
	connections, pending, active, retrying uint64
	waiting                                []*waiter // in the order in which they came
}

// usage is what a gate knows of one pool; guarded by its mu.
type usage struct {
	open, using uint64
	shared      bool // HTTP/2: one connection bears all requests
	leaving     bool // it is given up when the last request has left it
	retired     bool // it takes no more requests
}

// waiter is a request that waits until its pool may use or open a connection.
type waiter struct {
	pool  *pool
	ready chan struct{} // closed when it may go on
	pass  *pass
}

// pass is the right of one request to use a connection of a pool. It must be
// released.
type pass struct {
	pool       *pool
	connecting bool // counted as pending until connected; guarded by gate.mu
	over       bool
}

// reckoned is how many connections the pool has or is about to open.
func (u *usage) reckoned() uint64 {
	if u.shared {
		return max(u.open, min(1, u.using))
	}
	return max(u.open, u.using)
}

func (u *usage) idle() bool {
	if u.shared {
		return u.open > 0
	}
	return u.using < u.open
}

// admit waits until a request may use a connection of p. It fails with
// errOverflow, errTooMany or errRetired, or with the cause of ctx's end.
func (g *gate) admit(ctx context.Context, p *pool) (*pass, error) {
	g.mu.Lock()
	switch {
	case p.retired:
		g.mu.Unlock()
		return nil, errRetired
	case g.active >= g.lim.requests:
		g.mu.Unlock()
		return nil, errTooMany
	case !p.idle() && g.pending >= g.lim.pending:
		g.mu.Unlock()
		g.counts.overflow.Add(1)
		return nil, errOverflow
	}
	if p.idle() {
		defer g.mu.Unlock()
		return g.take(p, false), nil
	}
	g.pend(p, 1)
	g.counts.pendingTotal.Add(1)
	if g.mayConnect(p) {
		defer g.mu.Unlock()
		return g.take(p, true), nil
	}
	g.counts.connectionOverflow.Add(1)
	w := &waiter{pool: p, ready: make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return w.pass, nil
	case <-ctx.Done():
		g.giveUp(w)
		return nil, context.Cause(ctx)
	}
}

// mayConnect reports whether p may open a connection: while the limit is not
// reached, and one in any case.
func (g *gate) mayConnect(p *pool) bool {
	return p.reckoned() == 0 || g.connections < g.lim.connections
}

func (g *gate) take(p *pool, connecting bool) *pass {
	g.active++
	g.change(p, 0, 1)
	return &pass{pool: p, connecting: connecting}
}

// change moves the numbers of p, and with them the sum of connections.
func (g *gate) change(p *pool, open, using int) {
	before := p.reckoned()
	p.open += uint64(open)
	p.using += uint64(using)
	g.connections += p.reckoned() - before
}

func (g *gate) pend(p *pool, by int) {
	g.pending += uint64(by)
	p.host.stats.pending.Add(int64(by))
}

// giveUp takes a waiter out of the queue, or gives back what it was given
// meanwhile.
func (g *gate) giveUp(w *waiter) {
	g.mu.Lock()
	i := slices.Index(g.waiting, w)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.pend(w.pool, -1)
	}
	g.mu.Unlock()
	if i < 0 {
		g.release(w.pass)
	}
}

// connected says that the request has got its connection.
func (g *gate) connected(t *pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(t)
}

func (g *gate) settle(t *pass) {
	if t.connecting {
		t.connecting = false
		g.pend(t.pool, -1)
	}
}

// release ends a request's use of its pool. It may be called again.
func (g *gate) release(t *pass) {
	g.mu.Lock()
	if t.over {
		g.mu.Unlock()
		return
	}
	t.over = true
	g.settle(t)
	g.active--
	g.change(t.pool, 0, -1)
	g.wake()
	over := g.leave(t.pool)
	g.mu.Unlock()
	if over {
		t.pool.closeAll()
	}
}

// leave retires a pool that is to go when no request uses it; true when it has
// come to that. It needs mu.
func (g *gate) leave(p *pool) bool {
	if p.leaving && p.using == 0 {
		p.retired = true
	}
	return p.retired
}

// retire gives a pool up as soon as no request uses it; true when that is now.
func (g *gate) retire(p *pool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.leaving = true
	return g.leave(p)
}

// opened and closed count p's connections.
func (g *gate) opened(p *pool) { g.moved(p, 1) }
func (g *gate) closed(p *pool) { g.moved(p, -1) }

func (g *gate) moved(p *pool, by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change(p, by, 0)
	g.wake()
}

// wake lets every waiter go on that may.
func (g *gate) wake() {
	g.waiting = slices.DeleteFunc(g.waiting, func(w *waiter) bool {
		if g.active >= g.lim.requests {
			return false
		}
		switch {
		case w.pool.idle():
			g.pend(w.pool, -1)
			w.pass = g.take(w.pool, false)
		case g.mayConnect(w.pool):
			w.pass = g.take(w.pool, true)
		default:
			return false
		}
		close(w.ready)
		return true
	})
}

// retry takes one of the retries that may be under way at a time; false when
// there is none left. endRetry gives it back.
func (g *gate) retry() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retrying >= g.lim.retries {
		return false
	}
	g.retrying++
	return true
}

func (g *gate) endRetry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retrying--
}

// setLimits puts new limits in force.
func (g *gate) setLimits(l limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lim = l
	g.wake()
}

// tell writes the gauges of the breakers into stats, under prefix.
func (g *gate) tell(stats map[string]uint64, prefix string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range []struct {
		name       string
		used, most uint64
	}{
		{"cx", g.connections, g.lim.connections}, {"rq_pending", g.pending, g.lim.pending},
		{"rq", g.active, g.lim.requests}, {"rq_retry", g.retrying, g.lim.retries},
	} {
		open := uint64(0)
		if x.most > 0 && x.used >= x.most { // Envoy tells nothing of one that is never closed
			open = 1
		}
		stats[prefix+x.name+"_open"] = open
		if g.lim.track {
			name := map[string]string{"cx": "cx", "rq_pending": "pending", "rq": "rq", "rq_retry": "retries"}[x.name]
			stats[prefix+"remaining_"+name] = x.most - min(x.used, x.most)
		}
	}
}
