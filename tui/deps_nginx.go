package tui

import (
	"context"
	"time"

	"example.com/meshtui/engine/match"
)

// Nginx is a real nginx that runs the nginx.conf of what is live, beside the
// Envoys and on ports of its own.
type Nginx interface {
	Waker
	State() NginxState
	// Try really sends a request to it, the way Trier does to an Envoy. It starts
	// nginx where it does not run yet. It is called from a goroutine of its own.
	Try(ctx context.Context, r match.Request) Tried
}

// NginxState is the nginx beside the Envoys at one moment.
type NginxState struct {
	Program string // "nginx 1.22.1 (/usr/sbin/nginx)"
	Running bool
	Err     string // why it does not run, or runs an older text: nginx's own words
	Ports   map[uint32]uint32
}

// Contest makes the same change in both worlds while clients are connected: the
// nginx.conf is written anew and reloaded, and the resources are pushed. Each
// push is followed while Watch is on. State and Watch return at once; Change may
// take its time.
type Contest interface {
	Waker
	State() ContestState
	Watch(on bool) // clients connect to both, and go again
	Change() error // makes a change that is seen in the answers, and pushes it; once more takes it back
}

// ContestState is the picture at one moment.
type ContestState struct {
	On     bool
	What   string // the last change, one sentence: "/foo goes to app-v2 alone"
	Next   string // what Change does now: "/foo goes to app-v2 alone", "take it back"; "" where it can do nothing
	At     time.Time
	Sides  [2]ContestSide // nginx, Envoy
	Missed string         // why there is no nginx to see: "no nginx on PATH"
}

// ContestSide is one world's part of it.
type ContestSide struct {
	Name      string        // "nginx 1.22.1", "Envoy 1.40.0"; "" where it is not there
	Did       string        // "wrote nginx.conf, nginx -s reload", "RDS local_route"
	Bytes     int           // written to disk, sent on the wire
	Effective time.Duration // from the change to the first new answer; 0 while there is none
	Settled   time.Duration // from the change to the last old answer, of requests that came after it; 0 while it is not known
	Refused   string        // the change was not taken: its own words
	Processes []Process
	Open      int       // client connections kept alive
	Closed    int       // of them, closed by the server since the change
	Answers   int       // since the change
	Failed    int       // of them, not counting Lost
	Crash     string    // how the server, or one of its workers, died since the change: its last words; "" where none did
	Crashed   time.Time // when
	Lost      int       // requests that failed by the crash, not by the change
	Cut       int       // connections that were closed by it; they are not in Closed
	Slow      []Slow
	Upgraded  string // what became of the upgraded connection: "alive", "cut after 2.1 s"; "" none
	Ticks     []Tick // the last ones, oldest first; both sides' end at the same moment
}

// Process is one process that serves.
type Process struct {
	PID     int
	Since   time.Time // since when it is as it is: serving, leaving, gone
	Leaving bool      // shuts down: serves what it has, takes nothing new
	Gone    bool      // has ended; it is told of until the next change
}

// Slow is one request that was in flight at the change. It is told of until the
// next change.
type Slow struct {
	Of   time.Duration // how long it takes in all
	Left time.Duration // until its answer is due; 0 when it is over
	OK   bool          // it is over, and was answered
	Err  string        // it is over, and was not: "cut: EOF", "answered 503"
}

// TickLength is the time that a Tick is about.
const TickLength = 100 * time.Millisecond

// Tick is what was answered in a tenth of a second.
type Tick struct {
	Old, New, Failed int
	Change           bool // a change was made in it
}
