package friends

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx"
)

// lines finds the lines of a projection.
type lines struct {
	all []nginx.Line
	of  map[nginx.Origin][]int
}

func index(c *nginx.Config) *lines {
	l := &lines{of: map[nginx.Origin][]int{}}
	if c == nil {
		return l
	}
	l.all = c.Lines
	for i, line := range c.Lines {
		for _, o := range append([]nginx.Origin{line.From}, line.Also...) {
			if !o.Key.IsZero() {
				l.of[o] = append(l.of[o], i)
			}
		}
	}
	return l
}

// saying are the lines that mirror a field, or one below or above it, and begin
// with this directive; without such a line, the first that mirrors the field
// itself.
func (l *lines) saying(o nginx.Origin, directive string) []int {
	var out []int
	for at := o; ; {
		for _, i := range l.of[at] {
			if begins(l.all[i].Text, directive) {
				out = append(out, i)
			}
		}
		if len(out) > 0 {
			return out
		}
		if at.Path == "" {
			break
		}
		at.Path = parent(at.Path)
	}
	for at := o; ; at.Path = parent(at.Path) {
		if found := l.of[at]; len(found) > 0 {
			return found[:1]
		}
		if at.Path == "" {
			return nil
		}
	}
}

// begins reports whether a line is this directive, commented or not.
func begins(line, directive string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(line, " #"), " ")
	return directive != "" && strings.TrimSuffix(word, ";") == directive
}

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// merged are lines without twins, ascending.
func merged(of ...[]int) []int {
	out := slices.Concat(of...)
	slices.Sort(out)
	return slices.Compact(out)
}
