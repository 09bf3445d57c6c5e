package contest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"example.com/meshtui/demo"
)

// slowRun is one slow request. It is guarded by the contest's mu.
type slowRun struct {
	begun time.Time
	of    time.Duration
	over  bool
	ended time.Time // zero before it is over
	err   string    // why there was no answer, when it is over
}

// slowly has always one slow request in flight, the first one shorter, so that
// those of all turns end one after the other.
func (w *world) slowly(ctx context.Context, number int) {
	of := thinks * time.Duration(number+1) / slows
	for {
		began := time.Now()
		if w.askSlowly(ctx, number, of) {
			of = thinks
		}
		if !pause(ctx, max(10*time.Millisecond, of/4-time.Since(began))) { // one that ends early is not asked at once again
			return
		}
	}
}

// askSlowly sends one; false when nobody listens.
func (w *world) askSlowly(ctx context.Context, number int, of time.Duration) bool {
	w.c.mu.Lock()
	base := w.c.base
	w.c.mu.Unlock()
	l, err := w.dial(ctx, w.at(base.bound))
	if err != nil {
		return false // the load says so
	}
	defer l.close()
	run := &slowRun{begun: w.c.o.Now(), of: of}
	w.c.mu.Lock()
	w.slow[number] = run
	w.c.mu.Unlock()
	text, r := plainAsk(fmt.Sprintf("%s: %s", demo.PauseHeader, of))
	got, err := l.ask(text, r.Method)
	if ctx.Err() != nil {
		return true
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	run.over, run.ended = true, w.c.o.Now()
	switch {
	case err != nil:
		run.err = "cut: " + err.Error()
	case got.status != http.StatusOK:
		run.err = fmt.Sprintf("answered %d", got.status)
	}
	return true
}

// upgradedRun is one connection that was taken out of HTTP. It is guarded by the
// contest's mu.
type upgradedRun struct {
	opened  time.Time
	ended   time.Time // zero while it is alive
	byUs    bool
	refused string // it never was
}

// beat is how often the upgraded connection is used.
const beat = 250 * time.Millisecond

// upgraded keeps one upgraded connection, and opens another one a while after
// each change: a worker that shuts down waits for it, for as long as it goes on.
func (w *world) upgraded(ctx context.Context) {
	for {
		w.c.mu.Lock()
		base := w.c.base
		w.c.mu.Unlock()
		if l, err := w.dial(ctx, w.at(base.bound)); err == nil {
			w.stayUpgraded(ctx, l)
			l.close()
		}
		if !pause(ctx, beat) {
			return
		}
	}
}

func (w *world) stayUpgraded(ctx context.Context, l *link) {
	run := &upgradedRun{opened: w.c.o.Now()}
	if err := l.upgrade(); err != nil {
		if ctx.Err() == nil {
			w.upgradedIs(run, func() { run.refused, run.ended = err.Error(), w.c.o.Now() })
			pause(ctx, time.Second)
		}
		return
	}
	w.upgradedIs(run, func() {})
	for pause(ctx, beat) {
		err := l.echoes()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.upgradedIs(run, func() { run.ended = w.c.o.Now() })
			return
		}
		if w.enough(run) {
			w.upgradedIs(run, func() { run.ended, run.byUs = w.c.o.Now(), true })
			return
		}
	}
}

func (w *world) upgradedIs(run *upgradedRun, change func()) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	change()
	w.up = run
}

// enough reports whether a connection has gone on long enough after a change.
func (w *world) enough(run *upgradedRun) bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	c := w.c.change
	return c != nil && run.opened.Before(c.at) && w.c.o.Now().Sub(c.at) >= lasting
}

// upgrade takes the connection out of HTTP.
func (l *link) upgrade() error {
	text, r := plainAsk("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: bWVzaHR1aSBtZXNodHVpIQ==")
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(l, text); err != nil {
		return fmt.Errorf("cut before it was upgraded: %w", err)
	}
	resp, err := http.ReadResponse(l.reader, &http.Request{Method: r.Method}) //nolint:bodyclose // what follows is no body
	if err != nil {
		return fmt.Errorf("cut before it was upgraded: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("refused with %d", resp.StatusCode)
	}
	return nil
}

// echoes sends a line and waits until it comes back.
func (l *link) echoes() error {
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	line := time.Now().Format(time.RFC3339Nano) + "\n"
	if _, err := io.WriteString(l, line); err != nil {
		return err
	}
	got, err := l.reader.ReadString('\n')
	if err == nil && !strings.HasSuffix(got, line) {
		err = fmt.Errorf("sent %q, got %q", line, got)
	}
	return err
}
