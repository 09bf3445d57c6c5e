package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/meshtui/engine"
)

func itoa(n int) string { return strconv.Itoa(n) }

// count is a number and its noun: "1 Envoy", "3 Envoys", "2 built-in proxies".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if s, found := strings.CutSuffix(what, "xy"); found {
		return itoa(n) + " " + s + "xies"
	}
	return itoa(n) + " " + what + "s"
}

// age is how long ago something was, in the largest unit that says enough:
// "3s", "12m", "5h", "2d"; "" for no time at all.
func age(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	return span(now.Sub(then))
}

func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// short is a duration as an answer's time is read: "1.2 ms", "340 µs", "2.1 s".
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// percent is a share: "50%", "0.4%", "0%".
func percent(share float64) string {
	p := share * 100
	if p > 0 && p < 9.95 && p != float64(int(p)) {
		return fmt.Sprintf("%.1f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}

// clock is a time of day with milliseconds.
func clock(t time.Time) string { return t.Format("15:04:05.000") }

// noteOf is a revision's note, or that it has none.
func noteOf(r *engine.Revision) string {
	if r.Note == "" {
		return fmt.Sprintf("Revision %d", r.Number)
	}
	return fmt.Sprintf("Revision %d (%s)", r.Number, r.Note)
}
