package contest

import "time"

// Crash is that a server, or one of its workers, ended although nobody asked it to.
type Crash struct {
	At   time.Time // zero for none
	Says string    // how it ended, in its own last words where it had some
}

// crashGrace is how far from the moment of a crash what is due to it may be seen:
// a client feels it before we hear of it, and some only at their next turn.
const crashGrace = 250 * time.Millisecond

// crashes are the last crash of a side and what is booked to it. What its clients
// feel of that is not booked to the change. It is guarded by the contest's mu.
type crashes struct {
	seen   time.Time // of the newest that is known
	last   Crash     // since the change; zero for none
	down   bool      // it has not answered since
	back   time.Time // when it answered again
	failed int
	closed int
	recent []felt // of the last crashGrace, not booked to a crash
}

// felt is a request that failed, or a connection that was closed.
type felt struct {
	at     time.Time
	closed bool
}

// forget forgets what the last change's crash did; one that it is still down from
// goes on.
func (c *crashes) forget() {
	c.failed, c.closed, c.recent = 0, 0, nil
	if !c.down {
		c.last = Crash{}
	}
}

// began notes a crash, and returns which of the failures and closed connections
// before it are due to it.
func (c *crashes) began(of Crash) (failed, closed int) {
	if of.At.IsZero() || !of.At.After(c.seen) {
		return 0, 0
	}
	c.seen, c.last, c.down, c.back = of.At, of, true, time.Time{}
	for _, f := range c.recent {
		switch {
		case f.at.Before(of.At.Add(-crashGrace)):
		case f.closed:
			closed++
		default:
			failed++
		}
	}
	c.failed, c.closed, c.recent = c.failed+failed, c.closed+closed, nil
	return failed, closed
}

// feels books what a client felt, and reports whether it is due to a crash.
func (c *crashes) feels(f felt) bool {
	if due := c.down || !c.last.At.IsZero() && f.at.Before(c.back.Add(crashGrace)); due {
		if f.closed {
			c.closed++
		} else {
			c.failed++
		}
		return true
	}
	for len(c.recent) > 0 && c.recent[0].at.Before(f.at.Add(-2*crashGrace)) {
		c.recent = c.recent[1:]
	}
	c.recent = append(c.recent, f)
	return false
}

// answered notes an answer, which a server that is down does not give.
func (c *crashes) answered(at time.Time) {
	if c.down && at.After(c.last.At) {
		c.down, c.back = false, at
	}
}

// due reports whether what ended then ended by the crash.
func (c *crashes) due(at time.Time) bool {
	return !c.last.At.IsZero() && at.After(c.last.At.Add(-crashGrace)) && (c.down || at.Before(c.back.Add(crashGrace)))
}

// lookAtCrash notes whether this side has died, or a worker of it.
func (w *world) lookAtCrash() {
	var of Crash
	switch {
	case w.nginx:
		c := w.c.o.Twin.State().Crash
		of = Crash(c)
	case w.c.o.Crash != nil:
		of = w.c.o.Crash()
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	failed, closed := w.crashes.began(of)
	w.failed, w.closed = w.failed-failed, w.closed-closed
}
