package truth

import (
	"fmt"
	"strings"
	"time"
)

// age is a duration as people say it: "40 ms", "3 s", "2 min", "5 h".
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(0, d.Milliseconds()))
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// span is age in whole seconds, for what is told again each second: "second",
// "8 seconds".
func span(d time.Duration) string {
	if n := int(d.Round(time.Second) / time.Second); n > 1 {
		return fmt.Sprintf("%d seconds", n)
	}
	return "second"
}

// plural is a number of things.
func plural(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// few lists the first names of many.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// detailed puts a detail, if there is one, behind what it is a detail of.
func detailed(says, detail string) string {
	if detail == "" {
		return says
	}
	return says + ": " + detail
}
