package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/meshtui/demo/contest"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// The same change in both worlds, with clients on both: what each side must and
// must not do. Nothing here is about how long it takes.
func TestReloadAgainstPush(t *testing.T) {
	needProgram(t, "nginx")
	l := newLab(t, envoyFlags{plane: planeEnvoy, nodes: 1})
	c := l.session.compete(l.demo)
	wake, stop := c.Changed()
	t.Cleanup(stop)
	until := func(what string, ok func(contest.State) bool) contest.State {
		t.Helper()
		deadline := time.NewTimer(patience)
		defer deadline.Stop()
		for !ok(c.State()) {
			select {
			case <-wake:
			case <-deadline.C:
				t.Fatalf("waited in vain until %s\nnginx %+v\nEnvoy %+v\n%s", what, c.State().Nginx, c.State().Envoy, l.story())
			}
		}
		return c.State()
	}
	busy := func(s contest.Side) bool {
		return s.Open == 10 && s.Answers > 50 && len(s.Slow) == 3 && s.Upgraded == "alive"
	}
	c.Watch(true)
	before := until("both sides are busy", func(s contest.State) bool { return busy(s.Nginx) && busy(s.Envoy) })
	worker := before.Nginx.Processes[0].PID

	if err := c.Change(); err != nil {
		t.Fatal(err)
	}
	slowOver := func(s contest.Side) bool {
		return !slices.ContainsFunc(s.Slow, func(r contest.Slow) bool { return r.Left > 0 })
	}
	leaving := until("the old worker leaves", func(s contest.State) bool { return find(s.Nginx, worker).Leaving })
	if slowOver(leaving.Nginx) && leaving.Nginx.Upgraded != "alive" {
		t.Error("the old worker had nothing left to do when it was told to go")
	}
	// It goes only when the last of what it serves has ended.
	until("the old worker is gone", func(s contest.State) bool {
		return find(s.Nginx, worker).Gone
	})
	s := until("nothing of before the change is left", func(s contest.State) bool {
		return slowOver(s.Nginx) && slowOver(s.Envoy) && s.Nginx.Upgraded != "alive" && s.Envoy.Upgraded != "alive"
	})
	t.Logf("nginx: %s, %d bytes, new answer after %s, %d closed, %d of %d failed, %s; Envoy: %s, %d bytes, new answer after %s, %d closed, %d of %d failed, %s",
		s.Nginx.Did, s.Nginx.Bytes, s.Nginx.Effective, s.Nginx.Closed, s.Nginx.Failed, s.Nginx.Answers, s.Nginx.Upgraded,
		s.Envoy.Did, s.Envoy.Bytes, s.Envoy.Effective, s.Envoy.Closed, s.Envoy.Failed, s.Envoy.Answers, s.Envoy.Upgraded)
	for name, side := range map[string]contest.Side{"nginx": s.Nginx, "Envoy": s.Envoy} {
		if side.Failed != 0 || side.Answers < 50 || side.Effective <= 0 || side.Refused != "" || side.Open != 10 {
			t.Errorf("%s: %+v", name, side)
		}
		if len(side.Slow) != 3 || slices.ContainsFunc(side.Slow, func(r contest.Slow) bool { return !r.OK }) {
			t.Errorf("%s: the slow requests: %+v", name, side.Slow)
		}
		if !strings.HasPrefix(side.Upgraded, "alive; closed by its client") {
			t.Errorf("%s: the upgraded connection was %s", name, side.Upgraded)
		}
		if last := side.Ticks[len(side.Ticks)-2]; last.Old != 0 || last.New == 0 {
			t.Errorf("%s: the last tick is %+v", name, last)
		}
	}
	if s.Nginx.Closed != 10 || s.Envoy.Closed != 0 {
		t.Errorf("nginx closed %d of 10 connections, Envoy %d", s.Nginx.Closed, s.Envoy.Closed)
	}
	if len(s.Envoy.Processes) != 1 || len(s.Nginx.Processes) != 2 {
		t.Errorf("processes: nginx %+v, Envoy %+v", s.Nginx.Processes, s.Envoy.Processes)
	}
	if s.Nginx.Bytes != l.session.twin.State().Load.Bytes || s.Envoy.Bytes != l.sentBytes(l.session.workspace.State().Head().Number) || s.Envoy.Bytes == 0 {
		t.Errorf("bytes: nginx %d, Envoy %d", s.Nginx.Bytes, s.Envoy.Bytes)
	}
	if s.Envoy.Did != "RDS local_route" || !strings.HasPrefix(s.Nginx.Did, "wrote nginx.conf, nginx -t") {
		t.Errorf("they did: %q, %q", s.Nginx.Did, s.Envoy.Did)
	}

	// The operator's own edit is not pushed along.
	l.edit(engine.SetField{Key: key(mesh.Cluster, "app"), Path: "connect_timeout", Value: "3s"})
	if err := c.Change(); err == nil || !strings.Contains(err.Error(), "draft") {
		t.Errorf("with a draft: %v", err)
	}
	if next := c.State().Next; next != "" {
		t.Errorf("with a draft it would do %q", next)
	}
	l.push(engine.PushOptions{})
	// No answer tells of that one: the side's own word is taken.
	quiet := until("both have taken what shows in no answer", func(s contest.State) bool {
		return s.Envoy.Effective > 0 && s.Nginx.Effective > 0 && s.Nginx.Bytes > 0
	})
	if quiet.Envoy.Did == "" || quiet.Nginx.Closed > 10 {
		t.Errorf("%+v", quiet)
	}
	if next := c.State().Next; next != "/ goes back to legacy" {
		t.Errorf("next is %q", next)
	}
	if err := c.Change(); err != nil {
		t.Fatal(err)
	}
	until("both answer as before", func(s contest.State) bool {
		return s.What == "/ goes back to legacy" && s.Envoy.Effective > 0 && s.Nginx.Effective > 0
	})

	// One that dies is told apart from a change.
	for name, end := range map[string]struct {
		pid  int
		side func(contest.State) contest.Side
	}{
		"nginx": {l.session.twin.State().PID, func(s contest.State) contest.Side { return s.Nginx }},
		"Envoy": {processOf(l.session.fleet.Processes()).PID, func(s contest.State) contest.Side { return s.Envoy }},
	} {
		if err := syscall.Kill(end.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s := until(name+" died and is back", func(s contest.State) bool {
			side := end.side(s)
			return side.Crash.Says != "" && side.Lost+side.Cut > 0 && side.Open == 10 && side.Ticks[len(side.Ticks)-2].New > 0
		})
		if side := end.side(s); side.Failed != 0 || !strings.Contains(side.Crash.Says, "killed") || side.Crash.At.Before(s.At) {
			t.Errorf("%s died: %+v", name, side)
		}
	}
	c.Watch(false)
}

// find is a process of a side by its number; the zero Process when it is not told
// of.
func find(s contest.Side, pid int) contest.Process {
	for _, p := range s.Processes {
		if p.PID == pid {
			return p
		}
	}
	return contest.Process{}
}

// sentBytes are those of the responses of a revision to the first proxy.
func (l *lab) sentBytes(revision int) int {
	msgs, _ := l.session.server.Wire().Since(0, 10000)
	sum := 0
	for _, m := range msgs {
		if m.Revision == revision && m.Node == l.node() && m.Kind == xds.Response {
			sum += m.Bytes
		}
	}
	return sum
}
