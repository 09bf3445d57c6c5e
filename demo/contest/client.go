package contest

import (
	"context"
	"errors"
	"syscall"
	"time"

	"example.com/meshtui/engine/match"
)

// client keeps one connection alive and asks through it, again and again.
func (w *world) client(ctx context.Context, number int) {
	const period = time.Second * clients / rate
	next := time.Now().Add(period * time.Duration(number) / clients)
	var l *link
	defer func() { w.left(l, false) }()
	for pause(ctx, time.Until(next)) {
		next = next.Add(period)
		if late := time.Now(); next.Before(late) {
			next = late // a side that is slow is not asked twice at once
		}
		l = w.turnOf(ctx, l)
		if l != nil && !l.idle(next) && ctx.Err() == nil {
			w.left(l, true)
			l = nil
		}
	}
}

// turnOf asks once, over the connection where there is one, and returns it as
// far as it can be used again.
func (w *world) turnOf(ctx context.Context, l *link) *link {
	t := w.c.target()
	text := encode(t.request)
	for {
		var err error
		if l == nil {
			if l, err = w.enter(ctx, t); err != nil {
				w.missed(ctx, err)
				return nil
			}
		}
		got, err := l.ask(text, t.request.Method)
		switch {
		case err == nil:
			who := w.c.identity(got)
			w.count(answer{at: w.c.o.Now(), opened: l.opened, who: who, failed: t.fails(got.status, who)})
			if !got.closes {
				return l
			}
			w.left(l, true)
			return nil
		case ctx.Err() != nil:
			return l
		case l.wasClosed(err):
			w.left(l, true)
			l = nil
			continue
		}
		w.left(l, false)
		w.missed(ctx, err)
		return nil
	}
}

// enter opens one of the connections that are kept alive.
func (w *world) enter(ctx context.Context, t target) (*link, error) {
	l, err := w.dial(ctx, w.at(t.bound))
	if err != nil {
		return nil, err
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.open++
	return l, nil
}

// left closes one of them; byServer says that the server did so.
func (w *world) left(l *link, byServer bool) {
	if l == nil {
		return
	}
	l.close()
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.open--
	if byServer && !w.crashes.feels(felt{at: w.c.o.Now(), closed: true}) {
		w.closed++
	}
}

// missed counts a request without an answer.
func (w *world) missed(ctx context.Context, err error) {
	w.c.mu.Lock()
	begun := w.begun
	w.c.mu.Unlock()
	if ctx.Err() != nil || !begun && errors.Is(err, syscall.ECONNREFUSED) {
		return
	}
	w.count(answer{at: w.c.o.Now(), failed: true})
}

// findFirst asks over one new connection after the other until this side answers
// as it does after the change, and notes when.
func (w *world) findFirst(ctx context.Context, of *change) {
	began := time.Now()
	old := w.workers()
	for w.wanting(of) {
		if w.askFirst(ctx, of, old) {
			return
		}
		// At once again; but one that never comes is not asked for for ever.
		if !pause(ctx, max(time.Millisecond, time.Since(began)/50)) {
			return
		}
	}
}

// wanting reports whether a change is still the last one and has not shown.
func (w *world) wanting(of *change) bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.change == of && w.effective.IsZero() && w.refused == ""
}

// askFirst asks once; true when the answer was a new one.
func (w *world) askFirst(ctx context.Context, of *change, old []int) bool {
	if !of.target.visible() && !w.nginx {
		return false // its ACK says when
	}
	l, err := w.dial(ctx, w.at(of.target.bound))
	if err != nil {
		return false
	}
	defer l.close()
	got, err := l.ask(encode(of.target.request), of.target.request.Method)
	if err != nil {
		return false
	}
	at := w.c.o.Now()
	if of.target.visible() {
		if !of.target.answers[w.c.identity(got)] {
			return false
		}
	} else if !servedByNew(l, w.workers(), old) {
		return false
	}
	w.changed(of, at)
	return true
}

// plainAsk is the plain request with more header lines.
func plainAsk(more ...string) (text string, r match.Request) {
	r = plainRequest()
	return encode(r, more...), r
}
