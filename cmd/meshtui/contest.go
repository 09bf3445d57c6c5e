package main

import (
	"net/http"

	"example.com/meshtui/demo"
	"example.com/meshtui/demo/contest"
	"example.com/meshtui/tui"
	"example.com/meshtui/xds/envoy"
)

// compete makes the contest between nginx and the first local proxy, over the
// demo's backends.
func (s *session) compete(lab *demo.Demo) *contest.Contest {
	c := contest.New(s.ctx, contest.Options{
		Workspace: s.workspace, Wire: s.server.Wire(), Node: s.plane.first, Name: s.plane.title,
		Process: func() contest.Process { return processOf(s.fleet.Processes()) },
		Crash:   func() contest.Crash { return crashOf(s.fleet.Processes()) },
		Twin:    s.twin, NoNginx: s.noNginx,
		Who: func(h http.Header) string {
			_, address := lab.Who(h.Get)
			return address
		},
	})
	s.contest.Store(c)
	if head := s.workspace.State().Head(); head != nil {
		c.Pushed(head, s.meshOf(head))
	}
	return c
}

// processOf is the first of the local proxies, as a process that serves.
func processOf(all []envoy.Process) contest.Process {
	if len(all) == 0 {
		return contest.Process{}
	}
	return contest.Process{PID: all[0].PID, Since: all[0].Since}
}

// crashOf is when the first of the local proxies died, for as long as it is down;
// zero else.
func crashOf(all []envoy.Process) contest.Crash {
	if len(all) == 0 || all[0].State != envoy.Restarting {
		return contest.Crash{}
	}
	return contest.Crash{At: all[0].Since, Says: all[0].Node + " ended: " + all[0].Why}
}

// competition is the contest as the screen sees it.
type competition struct{ *contest.Contest }

// State is tui.Contest's.
func (c competition) State() tui.ContestState {
	s := c.Contest.State()
	return tui.ContestState{
		On: s.On, What: s.What, Next: s.Next, At: s.At, Missed: s.Missed,
		Sides: [2]tui.ContestSide{sideOf(s.Nginx), sideOf(s.Envoy)},
	}
}

func sideOf(s contest.Side) tui.ContestSide {
	out := tui.ContestSide{
		Name: s.Name, Did: s.Did, Bytes: s.Bytes, Effective: s.Effective, Settled: s.Settled, Refused: s.Refused,
		Open: s.Open, Closed: s.Closed, Answers: s.Answers, Failed: s.Failed, Upgraded: s.Upgraded,
		Crash: s.Crash.Says, Crashed: s.Crash.At, Lost: s.Lost, Cut: s.Cut,
	}
	for _, p := range s.Processes {
		out.Processes = append(out.Processes, tui.Process(p))
	}
	for _, r := range s.Slow {
		out.Slow = append(out.Slow, tui.Slow(r))
	}
	for _, t := range s.Ticks {
		out.Ticks = append(out.Ticks, tui.Tick(t))
	}
	return out
}
