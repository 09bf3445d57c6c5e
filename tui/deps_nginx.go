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
// push is followed while Watch is on.
type Contest interface {
	Waker
	State() ContestState
	Watch(on bool) // clients connect to both, and go again
	Change() error // makes a change that is seen in the answers, and pushes it; once more takes it back
}

// ContestState is the picture at one moment.
type ContestState struct {
	On     bool
	What   string // the change, one sentence: "/foo goes to app-v2 alone"
	At     time.Time
	Sides  [2]ContestSide // nginx, Envoy
	Missed string         // why there is nothing to see: "no nginx on PATH"
}

// ContestSide is one world's part of it.
type ContestSide struct {
	Name      string        // "nginx 1.22.1", "Envoy 1.40.0"
	Did       string        // "wrote nginx.conf, nginx -s reload", "RDS local_route"
	Bytes     int           // written to disk, sent on the wire
	Effective time.Duration // from the change to the first new answer; 0 while there is none
	Refused   string        // the change was not taken: its own words
	Processes []Process
	Open      int // client connections kept alive
	Closed    int // of them, closed by the server since the change
	Answers   int // since the change
	Failed    int // of them
	Slow      []Slow
	Upgraded  string // what became of the upgraded connection: "alive", "cut after 2.1 s"; "" none
	Ticks     []Tick // the last ones, oldest first
}

// Process is one process that serves.
type Process struct {
	PID     int
	Since   time.Time
	Leaving bool // shuts down: serves what it has, takes nothing new
}

// Slow is one request that was in flight at the change.
type Slow struct {
	Left time.Duration // until its answer is due; 0 when it is over
	OK   bool
	Err  string
}

// Tick is a tenth of a second of answers.
type Tick struct{ Old, New, Failed int }
