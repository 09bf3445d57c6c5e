package main

import (
	"fmt"
	"sync"
	"time"

	"example.com/meshtui/engine/task"
)

const (
	maxOutbox    = 20_000      // events that wait for a reader
	lastPatience = time.Second // for how long the last of them may take
)

// outbox prints events without ever holding up who has them: a reader that is
// slow or stands still (`serve | less`) keeps no file from being pushed. When too
// many wait the oldest are dropped, and their number is told.
type outbox struct {
	print func([]event) error
	now   func() time.Time

	mu      sync.Mutex
	waiting []event
	dropped int
	closed  bool
	wake    chan struct{} // holds one
	ended   chan error    // gets what the printing ended with
}

// newOutbox starts printing.
func newOutbox(print func([]event) error) *outbox {
	o := &outbox{print: print, now: time.Now, wake: make(chan struct{}, 1), ended: make(chan error, 1)}
	go func() { o.ended <- task.Run("the printer of events", o.run) }()
	return o
}

// put adds events.
func (o *outbox) put(events []event) {
	if len(events) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, events...)
	if over := len(o.waiting) - maxOutbox; over > 0 {
		o.waiting = append(o.waiting[:0], o.waiting[over:]...)
		o.dropped += over
	}
	o.nudge()
}

func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) run() error {
	for range o.wake {
		events, closed := o.take()
		if err := o.print(events); err != nil {
			return err
		}
		if closed {
			return nil
		}
	}
	return nil
}

// take is what waits, and whether nothing more will come.
func (o *outbox) take() (events []event, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped > 0 {
		events = append(events, event{Time: o.now(), Event: "finding", Severity: "warning",
			Detail: fmt.Sprintf("%d events were dropped, because nobody read them", o.dropped)})
	}
	events = append(events, o.waiting...)
	o.waiting, o.dropped = nil, 0
	return events, o.closed
}

// close prints the last events, as far as somebody reads them soon, and returns
// what the printing ended with.
func (o *outbox) close() error {
	o.mu.Lock()
	o.closed = true
	o.nudge()
	o.mu.Unlock()
	timer := time.NewTimer(lastPatience)
	defer timer.Stop()
	select {
	case err := <-o.ended:
		return err
	case <-timer.C:
		return nil
	}
}
