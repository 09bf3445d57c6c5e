package mesh

import (
	"fmt"
	"strings"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities, from harmless to bad. An Error refuses a push unless the
// operator forces it.
const (
	Note Severity = iota + 1
	Warning
	Error
)

// String is "note", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "unknown"
}

// Finding is something that a check says about the operator's text: how bad,
// where, what, and what to do.
type Finding struct {
	Severity Severity
	Rule     string // short stable id, e.g. "dangling-reference"
	Key      Key    // the resource, zero when none is known (a file that is no YAML)
	Path     string // field path within the resource, "" for all of it
	File     string // "" when the text came from no file
	Line     int    // 1-based: of File when there is one, else of the resource's text; 0 unknown
	Column   int    // 1-based; 0 unknown
	Message  string // what is wrong, one sentence
	Hint     string // what to do, one sentence; may be empty
}

// String is the finding on one line, with as much of the place as is known:
//
//	cds.yaml:12:5: error: cluster app: lb_policy: … (use ROUND_ROBIN)
func (f Finding) String() string {
	var b strings.Builder
	switch {
	case f.File != "" && f.Line > 0 && f.Column > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	case f.File != "" && f.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	case f.File != "":
		fmt.Fprintf(&b, "%s: ", f.File)
	case f.Line > 0:
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	fmt.Fprintf(&b, "%s: ", f.Severity)
	if !f.Key.IsZero() {
		fmt.Fprintf(&b, "%s: ", f.Key)
	}
	if f.Path != "" {
		fmt.Fprintf(&b, "%s: ", f.Path)
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		fmt.Fprintf(&b, " (%s)", f.Hint)
	}
	return b.String()
}

// Worst is the highest severity among the findings, 0 when there are none.
func Worst(fs []Finding) Severity {
	var worst Severity
	for _, f := range fs {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Tally counts findings by severity, the worst first: "1 error, 2 warnings, 3
// notes"; "" for none.
func Tally(fs []Finding) string {
	var out []string
	for s := Error; s >= Note; s-- {
		n := 0
		for i := range fs {
			if fs[i].Severity == s {
				n++
			}
		}
		switch {
		case n == 1:
			out = append(out, "1 "+s.String())
		case n > 1:
			out = append(out, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(out, ", ")
}
