package routes

import (
	"strconv"
	"strings"
)

// What a header that is absent leaves in a formatted text.
const (
	absentEmpty = ""
	absentDash  = "-"
)

// format fills in a format string with what the request says: %REQ(name)%,
// %REQ(name?other):length% and %LOCAL_REPLY_BODY%. known is false when it asks
// for anything else.
func format(text, absent, body string, v *view) (filled string, known bool) {
	var out strings.Builder
	for {
		literal, rest, more := strings.Cut(text, "%")
		out.WriteString(literal)
		if !more {
			return out.String(), true
		}
		command, after, closed := strings.Cut(rest, "%")
		if !closed {
			return "", false
		}
		value, ok := fill(command, absent, body, v)
		if !ok {
			return "", false
		}
		out.WriteString(value)
		text = after
	}
}

// fill is the value of one command of a format string; "%%" is a percent sign.
func fill(command, absent, body string, v *view) (string, bool) {
	switch command {
	case "":
		return "%", true
	case "LOCAL_REPLY_BODY":
		return body, true
	}
	args, ok := strings.CutPrefix(command, "REQ(")
	if !ok {
		return "", false
	}
	names, length, ok := strings.Cut(args, ")")
	if !ok {
		return "", false
	}
	name, other, _ := strings.Cut(names, "?")
	value, times := v.first(lower(name))
	if times == 0 && other != "" {
		value, times = v.first(lower(other))
	}
	if times == 0 {
		return absent, true
	}
	if length != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(length, ":"), 10, 31)
		if err != nil {
			return "", false
		}
		value = value[:min(len(value), int(n))]
	}
	return value, true
}

// formatHeaders are the headers that a format string asks for.
func formatHeaders(text string) []string {
	var out []string
	for _, part := range strings.Split(text, "%REQ(")[1:] {
		names, _, _ := strings.Cut(part, ")")
		name, other, has := strings.Cut(names, "?")
		if out = append(out, name); has {
			out = append(out, other)
		}
	}
	return out
}
