package contest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is the picture at one moment.
type State struct {
	On     bool
	What   string // the last change, one sentence
	Next   string // what Change does now; "" where it can do nothing
	At     time.Time
	Nginx  Side
	Envoy  Side
	Missed string // why there is no nginx to see
}

// Side is one world's part of it. Before the first change it tells of now.
type Side struct {
	Name      string        // "" where it is not there
	Did       string        // "RDS local_route"
	Bytes     int           // written to disk, sent on the wire
	Effective time.Duration // from the change to the first new answer; 0 while there is none
	// Settled is from the change to where every answer was a new one, as far as has
	// been seen: never before Effective, and 0 as long as that is. Slow requests in
	// flight do not count.
	Settled   time.Duration
	Refused   string    // the change was not taken: its own words
	Processes []Process // those that serve, and those that served at the change
	Open      int       // client connections kept alive
	Closed    int       // closed by the server since the change
	Answers   int       // since the change
	Failed    int       // of them, not counting Lost
	Crash     Crash     // since the change, or still down from before
	Lost      int       // requests that failed by the crash
	Cut       int       // connections that were closed by it; they are not in Closed
	Slow      []Slow    // those in flight at the change
	Upgraded  string    // what became of the upgraded connection
	Ticks     []Tick    // oldest first
}

// Process is one process that serves.
type Process struct {
	PID     int
	Since   time.Time // since when it is as it is: serving, leaving, gone
	Leaving bool
	Gone    bool
}

// Slow is one slow request.
type Slow struct {
	Of   time.Duration // how long it takes in all
	Left time.Duration // until its answer is due; 0 when it is over
	OK   bool
	Err  string // "cut: EOF", "answered 503"
}

// Tick is a tenth of a second of answers.
type Tick struct {
	Old, New, Failed int
	Change           bool // a change was made in it
}

// State is how both worlds stand.
func (c *Contest) State() State {
	next, _ := c.next()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := State{On: c.on, Next: next.what, Missed: c.o.NoNginx}
	if c.change != nil {
		out.What, out.At = c.change.what, c.change.at
	}
	for _, w := range c.worlds {
		if w.nginx {
			out.Nginx = w.side()
		} else {
			out.Envoy = w.side()
		}
	}
	if c.o.Twin != nil {
		if s := c.o.Twin.State(); !s.Running && s.Err != "" {
			out.Missed = s.Err
		}
	}
	return out
}

// side is a world's part; c.mu is held.
func (w *world) side() Side {
	now := w.c.o.Now()
	out := Side{
		Name: w.name, Did: w.did, Bytes: w.bytes, Refused: w.refused, Open: w.open, Closed: w.closed,
		Answers: w.answers, Failed: w.failed, Crash: w.crashes.last, Lost: w.crashes.failed, Cut: w.crashes.closed, Ticks: slices.Clone(w.ticks), Processes: w.processes.list(),
	}
	if !w.effective.IsZero() && w.c.change != nil {
		out.Effective = w.effective.Sub(w.c.change.at)
	}
	if out.Effective > 0 {
		out.Settled = max(out.Effective, w.lastOld.Sub(w.c.change.at))
	}
	slow, up := w.slow[:], w.up
	if w.c.change != nil {
		slow, up = w.slowAtChange, w.upAtChange
	}
	for _, s := range slow {
		if s != nil {
			told := s.told(now)
			if told.Err != "" && w.crashes.due(s.ended) {
				told.Err = "cut by the crash"
			}
			out.Slow = append(out.Slow, told)
		}
	}
	if up != nil {
		out.Upgraded = up.told(w.c.change)
		if strings.HasPrefix(out.Upgraded, "cut") && w.crashes.due(up.ended) {
			out.Upgraded += ", by the crash"
		}
	}
	return out
}

// told is a slow request as it stands now.
func (s *slowRun) told(now time.Time) Slow {
	out := Slow{Of: s.of, OK: s.over && s.err == "", Err: s.err}
	if !s.over {
		out.Left = max(time.Millisecond, s.of-now.Sub(s.begun)) // an answer that is late is still due
	}
	return out
}

// told says what became of an upgraded connection since a change.
func (u *upgradedRun) told(since *change) string {
	switch {
	case u.refused != "":
		return u.refused
	case u.ended.IsZero():
		return "alive"
	case since == nil:
		return "cut"
	}
	after := fmt.Sprintf("%.1f s", u.ended.Sub(since.at).Seconds())
	if u.byUs {
		return "alive; closed by its client after " + after
	}
	return "cut after " + after
}
