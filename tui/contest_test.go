package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/tui/tuitest"
)

// ticks are n tenths of a second in which the answers turn from old to new.
func ticks(n, change, seen, failed int) []Tick {
	out := make([]Tick, n)
	for i := range out {
		out[i].Change = i == change
		switch {
		case i < seen:
			out[i].Old = 14 + i%3
		default:
			out[i].New = 14 + i%3
		}
		if i == seen {
			out[i].Failed = failed
		}
	}
	return out
}

// underWay is a contest 2.1 seconds after the change.
func underWay() ContestState {
	ago := func(d time.Duration) time.Time { return tuitest.Now.Add(-d) }
	return ContestState{On: true, What: "/foo goes to app-v2 alone", Next: "take it back", At: ago(2100 * time.Millisecond), Sides: [2]ContestSide{
		{Name: "nginx 1.22.1", Did: "wrote nginx.conf, nginx -s reload", Bytes: 2515, Effective: 117 * time.Millisecond, Settled: 221 * time.Millisecond,
			Processes: []Process{{PID: 21977, Since: ago(2100 * time.Millisecond), Leaving: true}, {PID: 22026, Since: ago(2 * time.Second)}, {PID: 20001, Gone: true, Since: ago(time.Second)}},
			Open:      10, Closed: 10, Answers: 310, Failed: 2,
			Slow:     []Slow{{Of: 5 * time.Second, Left: 2 * time.Second}, {Of: 5 * time.Second, OK: true}, {Of: 5 * time.Second, Left: 3 * time.Second, Err: "cut: EOF"}},
			Upgraded: "cut after 2.1 s", Ticks: ticks(50, 28, 30, 2)},
		{Name: "Envoy 1.40.0", Did: "RDS local_route", Bytes: 228, Effective: 4 * time.Millisecond, Settled: 11 * time.Millisecond,
			Processes: []Process{{PID: 21500, Since: ago(time.Minute)}}, Open: 10, Answers: 316,
			Slow:     []Slow{{Of: 5 * time.Second, Left: 2 * time.Second}, {Of: 5 * time.Second, OK: true}},
			Upgraded: "alive", Ticks: ticks(50, 28, 28, 0)},
	}}
}

// crashed is the contest after nginx died.
func crashed() ContestState {
	c := underWay()
	s := &c.Sides[0]
	s.Failed, s.Closed = 0, 0
	s.Crash, s.Crashed, s.Lost, s.Cut = "nginx ended: signal: killed; its last error: worker process 22026 exited on signal 11", c.At.Add(1200*time.Millisecond), 21, 10
	s.Slow[2].Err = "cut by the crash"
	return c
}

// against is a scene with a contest.
func against(s *tuitest.Scene, c ContestState) (Deps, *tuitest.Contest[ContestState]) {
	fake := &tuitest.Contest[ContestState]{}
	fake.Set(c)
	d := steady(s)
	d.Contest = fake
	return d, fake
}

func TestGoldenContest(t *testing.T) {
	still := underWay()
	still.What, still.Next = "", "/foo goes to app-v2 alone"
	for i := range still.Sides {
		s := &still.Sides[i]
		*s = ContestSide{Name: s.Name, Processes: s.Processes[len(s.Processes)-1:], Open: 10, Slow: s.Slow[:1], Upgraded: "alive", Ticks: ticks(40, -1, 99, 0)}
		s.Processes[0].Gone = false
	}
	missed := underWay()
	missed.Missed, missed.Sides[0] = "no nginx on PATH: install nginx, or say where it is with --nginx", ContestSide{}
	for _, sc := range []struct {
		name  string
		state ContestState
	}{{"contest", underWay()}, {"contest-still", still}, {"contest-missed", missed}, {"contest-crash", crashed()}} {
		for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
			t.Run(fmt.Sprintf("%s %d×%d", sc.name, s[0], s[1]), func(t *testing.T) {
				d, _ := against(tuitest.Calm(), sc.state)
				a := stage(t, d, s[0], s[1])
				press(a, "c")
				golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
			})
		}
	}
}

func TestContestIsWatchedWhileItIsShown(t *testing.T) {
	d, fake := against(tuitest.Calm(), underWay())
	a := stage(t, d, 150, 40)
	press(a, "j", "c", "enter", "j", "esc", "j")
	if want := []string{"watch true", "change", "watch false"}; !slices.Equal(fake.Calls, want) {
		t.Errorf("asked %q, want %q", fake.Calls, want)
	}
}

func TestContestShowsWhatHappens(t *testing.T) {
	d, fake := against(tuitest.Calm(), underWay())
	a := stage(t, d, 150, 40)
	press(a, "c")
	shows(t, a, "/foo goes to app-v2 alone, 2s ago", "enter take it back", "wrote nginx.conf, nginx -s reload, 2515 bytes", "RDS local_route, 228 bytes",
		"first 117 ms, all 221 ms", "first 4.0 ms, all 11 ms", "10 open, 10 closed", "10 open, none closed", "22026 ● serves, 21977 ◐ leaving for 2s, 20001 ○ gone",
		"2.0 s to go", "answered", "cut: EOF", "2 of 310 failed", "0 of 316 failed", "cut after 2.1 s", "alive")
	next := underWay()
	next.What, next.Next = "taken back", "/foo goes to app-v2 alone"
	fake.Set(next)
	run(a, a.loadCmd()())
	shows(t, a, "taken back, 2s ago", "enter /foo goes to app-v2 alone")
}

// The change stands above the tick that it was made in, and the bars turn there.
func TestContestMarksTheChange(t *testing.T) {
	d, _ := against(tuitest.Calm(), underWay())
	a := stage(t, d, 150, 40)
	side := underWay().Sides[1]
	lines := a.tickLines(&side, 1, 62)
	at := func(line, glyph string) int { return strings.Index(string([]rune(line)), glyph) }
	column := len([]rune(lines[0][:at(lines[0], a.th.Glyph.Down)]))
	if want := 62 - 50 + 28; column != want {
		t.Errorf("the change is marked in column %d, want %d", column, want)
	}
	old, fresh := []rune(lines[1]), []rune(lines[2])
	if old[column-1] == ' ' || old[column] != ' ' || fresh[column-1] != ' ' || fresh[column] == ' ' {
		t.Errorf("the bars do not turn at the change:\n%s", strings.Join(lines, "\n"))
	}
}

func TestContestNeedsTheDemo(t *testing.T) {
	a := stage(t, steady(tuitest.Calm()), 150, 40)
	press(a, "c")
	shows(t, a, "only in meshtui demo")
	if a.screen != nil {
		t.Error("it is shown all the same")
	}
}

func TestContestSaysWhyNotNow(t *testing.T) {
	c := underWay()
	c.Next = ""
	d, fake := against(tuitest.Calm(), c)
	a := stage(t, d, 150, 40)
	press(a, "c", "enter")
	shows(t, a, "there is nothing to change now")
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.ReadOnly = "process 4711 has it open" })
	d, fake2 := against(s, underWay())
	a = stage(t, d, 150, 40)
	press(a, "c", "enter")
	shows(t, a, "process 4711 has it open")
	if slices.Contains(fake.Calls, "change") || slices.Contains(fake2.Calls, "change") {
		t.Error("the change was made all the same")
	}
}

func TestContestFailureIsSaid(t *testing.T) {
	d, fake := against(tuitest.Calm(), underWay())
	fake.Err = tuitest.ErrRefused
	a := stage(t, d, 150, 40)
	press(a, "c", "enter")
	shows(t, a, "take it back: refused by the test")
}

// TestEveryContestFrameFits: whatever the two worlds say, at every size.
func TestEveryContestFrameFits(t *testing.T) {
	evil := "\x1b[2Jab\x07上流 한국\u202e\t" + strings.Repeat("長い名前", 20)
	bad := underWay()
	bad.What, bad.Next = evil, evil
	for i := range bad.Sides {
		s := &bad.Sides[i]
		s.Name, s.Did, s.Upgraded, s.Slow[0].Err, s.Bytes, s.Answers = evil, evil, evil, evil, 1<<40, 1<<40
		for range 9 {
			s.Processes = append(s.Processes, Process{PID: 1 << 30, Leaving: true, Since: tuitest.Now})
			s.Slow = append(s.Slow, Slow{Of: -1, Left: 1 << 60}, Slow{Left: -5, Of: 1})
		}
	}
	refused := bad
	refused.Sides[0].Refused, refused.Sides[1].Refused = evil, evil
	for i, c := range []ContestState{{}, underWay(), bad, refused, {On: true, Missed: evil}} {
		d, _ := against(tuitest.Calm(), c)
		a := stage(t, d, 80, 24)
		press(a, "c")
		for w := minWidth; w <= 200; w += 13 {
			for _, h := range []int{20, 24, 33, 60} {
				a.Update(sized(w, h))
				checkFrame(t, a, fmt.Sprint("contest ", i))
				press(a, "j", "G")
				checkFrame(t, a, fmt.Sprint("contest ", i))
			}
		}
	}
}
