package format

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// startTime is the layout of %START_TIME% without an argument.
const startTime = "%Y-%m-%dT%H:%M:%E3SZ"

// clock reads a layout in the manner of strftime, with the %f and %E3S for parts
// of a second that Envoy adds. Times are UTC.
func clock(layout string) (func(time.Time) string, error) {
	if layout == "" {
		layout = startTime
	}
	var parts []func(time.Time) string
	for rest := layout; rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		parts = append(parts, func(time.Time) string { return before })
		if !found {
			break
		}
		part, length := clockPart(after)
		if part == nil {
			return nil, &UnknownError{Operator: "%" + after[:min(1, len(after))] + " in %START_TIME(" + layout + ")%"}
		}
		parts = append(parts, part)
		rest = after[length:]
	}
	return func(t time.Time) string {
		t = t.UTC()
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p(t))
		}
		return b.String()
	}, nil
}

// clockParts are what a letter after the % stands for, as Go's layout.
var clockParts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05",
	'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'e': "_2", 'j': "002", 'I': "03", 'p': "PM",
	'Z': "UTC", 'z': "-0700", 'D': "01/02/06", 'R': "15:04",
}

// clockPart is the part that the text begins with, and how long it is.
func clockPart(text string) (part func(time.Time) string, length int) {
	if text == "" {
		return nil, 0
	}
	if layout, ok := clockParts[text[0]]; ok {
		return func(t time.Time) string { return t.Format(layout) }, 1
	}
	switch {
	case text[0] == '%':
		return func(time.Time) string { return "%" }, 1
	case text[0] == 's':
		return func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }, 1
	case text[0] == 'f':
		return fraction(9), 1
	case len(text) > 1 && text[0] >= '1' && text[0] <= '9' && text[1] == 'f':
		return fraction(int(text[0] - '0')), 2
	case len(text) > 2 && text[0] == 'E' && text[1] >= '1' && text[1] <= '9' && text[2] == 'S':
		below := fraction(int(text[1] - '0'))
		return func(t time.Time) string { return t.Format("05.") + below(t) }, 3
	}
	return nil, 0
}

// fraction is the part below a second, in so many digits.
func fraction(digits int) func(time.Time) string {
	return func(t time.Time) string { return fmt.Sprintf("%09d", t.Nanosecond())[:digits] }
}
