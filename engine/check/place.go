package check

import (
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// locate fills in where the finding stands: the line of its field, or of the
// nearest field above it that is written down. l reads the text of r.
func locate(f *mesh.Finding, r *mesh.Resource, l *text.Locator) {
	f.File = r.Source.File
	if line, column, ok := l.Nearest(f.Path); ok {
		f.Line, f.Column = r.Source.Place(line, column)
	} else if f.File != "" {
		f.Line = r.Source.Line
	}
}

// locateAll is locate for findings that are sorted by resource: each text is
// read once.
func locateAll(fs []mesh.Finding, m *mesh.Mesh) {
	var r *mesh.Resource
	var l *text.Locator
	for i := range fs {
		if of := m.Get(fs[i].Key); of != r {
			if r = of; r != nil {
				l = text.NewLocator(r.Source.Text)
			}
		}
		if r != nil {
			locate(&fs[i], r, l)
		}
	}
}

// compareNatural orders field paths as their fields stand in lists:
// routes[2] before routes[10].
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			if na != nb {
				return na - nb
			}
			if c := strings.Compare(a[:na], b[:nb]); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits is how many decimal digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
