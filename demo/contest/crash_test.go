package contest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/meshtui/engine"
)

// What clients feel around a crash is booked to it; what they feel before and after
// is not.
func TestWhatACrashIsToBlameFor(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	c := crashes{seen: at(0)}
	if c.feels(felt{at: at(500)}) {
		t.Error("there was no crash yet")
	}
	for _, f := range []felt{{at: at(990)}, {at: at(1010)}, {at: at(1010), closed: true}} {
		if c.feels(f) {
			t.Errorf("%+v: nobody knows of the crash yet", f)
		}
	}
	if failed, closed := c.began(Crash{at(1000), "killed"}); failed != 2 || closed != 1 {
		t.Errorf("of before, %d failed and %d closed are due to it", failed, closed)
	}
	if failed, closed := c.began(Crash{at(1000), "killed"}); failed+closed != 0 || c.last.Says != "killed" {
		t.Error("the same crash was booked twice")
	}
	if !c.feels(felt{at: at(1900)}) || !c.due(at(1900)) || c.due(at(700)) {
		t.Error("it is down")
	}
	c.forget()
	if c.last.Says == "" || !c.feels(felt{at: at(2000)}) || c.failed != 1 {
		t.Errorf("a change does not bring it back: %+v", c)
	}
	c.answered(at(3000))
	if !c.feels(felt{at: at(3100)}) || c.feels(felt{at: at(3300)}) || !c.due(at(3100)) || c.due(at(3300)) {
		t.Error("it is back, and some clients feel it only now")
	}
	c.forget()
	if c.last.Says != "" || c.feels(felt{at: at(3301)}) || c.due(at(1900)) {
		t.Errorf("after the next change: %+v", c)
	}
	if failed, _ := c.began(Crash{at(1000), "killed"}); failed != 0 || c.last.Says != "" {
		t.Error("an old crash is told again")
	}
}

// Requests that fail because the server died are not booked to the change.
func TestACrashIsNotTheChangesDoing(t *testing.T) {
	f := newFront(t)
	before := shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: a}")
	c, _ := alone(t, before)
	var died atomic.Pointer[Crash]
	died.Store(&Crash{At: time.Now(), Says: "before anybody watched"})
	c.o.Crash = func() Crash { return *died.Load() }
	c.Watch(true)
	until(t, c, "there is load", func(s State) bool { return s.Envoy.Answers > clients })
	c.Pushed(&engine.Revision{Number: 2}, shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: b}"))
	f.who.Store("127.0.0.1:3")
	until(t, c, "it answers anew", func(s State) bool { return s.Envoy.Effective > 0 })

	died.Store(&Crash{At: time.Now(), Says: "signal: killed"})
	until(t, c, "the crash is told", func(s State) bool { return s.Envoy.Crash.Says == "signal: killed" })
	f.who.Store("") // every answer is a 503 from now on
	f.CloseClientConnections()
	s := until(t, c, "requests fail by it", func(s State) bool {
		return s.Envoy.Lost > 2 && s.Envoy.Slow[0].Err != "" && s.Envoy.Slow[1].Err != "" && s.Envoy.Slow[2].Err != ""
	})
	if s.Envoy.Failed != 0 || s.Envoy.Closed != 0 || s.Envoy.Slow[0].Err != "cut by the crash" {
		t.Errorf("booked to the change: %+v", s.Envoy)
	}
	f.who.Store("127.0.0.1:3")
	lost := until(t, c, "it answers again", func(s State) bool {
		last := s.Envoy.Ticks[len(s.Envoy.Ticks)-4:]
		return last[0].New > 0 && last[0].Failed+last[1].Failed+last[2].Failed == 0
	}).Envoy.Lost
	f.who.Store("")
	s = until(t, c, "requests fail for another reason", func(s State) bool { return s.Envoy.Failed > 2 })
	if s.Envoy.Lost != lost {
		t.Errorf("%d are booked to the crash, %d before", s.Envoy.Lost, lost)
	}
	if !strings.Contains(s.Envoy.Crash.Says, "killed") {
		t.Errorf("the crash is forgotten: %+v", s.Envoy.Crash)
	}
}
