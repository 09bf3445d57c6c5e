package main

import (
	"errors"
	"strings"
	"testing"
)

// What is put while nobody reads waits, up to a limit; then the oldest go and
// that is said. Putting never waits.
func TestOutboxNeverHoldsUp(t *testing.T) {
	reading := make(chan struct{})
	var got []event
	first := make(chan struct{})
	o := newOutbox(func(es []event) error {
		if got == nil {
			close(first)
			<-reading
		}
		got = append(got, es...)
		return nil
	})
	o.put([]event{{Detail: "first"}})
	<-first
	for range maxOutbox + 5 {
		o.put([]event{{Detail: "more"}})
	}
	o.put([]event{{Detail: "last"}})
	close(reading)
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != maxOutbox+2 || got[0].Detail != "first" || got[len(got)-1].Detail != "last" {
		t.Fatalf("%d events, the first %q", len(got), got[0].Detail)
	}
	if !strings.HasPrefix(got[1].Detail, "6 events were dropped") {
		t.Errorf("nothing says what was dropped: %q", got[1].Detail)
	}
}

func TestOutboxEndsWithItsReader(t *testing.T) {
	gone := errors.New("gone")
	o := newOutbox(func([]event) error { return gone })
	o.put([]event{{Detail: "one"}})
	if err := <-o.ended; !errors.Is(err, gone) {
		t.Errorf("it ended with %v", err)
	}
}
