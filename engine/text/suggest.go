package text

import (
	"fmt"
	"sort"
	"strings"
)

// shown is how many names "expected one of" lists at most.
const shown = 10

// Suggest is the hint for a name that is not among the known ones: "did you mean
// node?", else "expected one of …"; "" where none is known.
func Suggest(name string, known ...string) string { return suggest(name, known) }

// suggest is the hint for a name that is not among the known ones: the one that
// was probably meant, else what there is.
func suggest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	sorted := append([]string(nil), known...)
	sort.SliceStable(sorted, func(i, j int) bool { return distance(name, sorted[i]) < distance(name, sorted[j]) })
	if d := distance(name, sorted[0]); d <= 1+len(name)/4 {
		return "did you mean " + sorted[0] + "?"
	}
	if len(sorted) == 1 {
		return "expected " + sorted[0]
	}
	if len(known) <= shown {
		return "expected one of " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("expected one of %s, and %d more", strings.Join(sorted[:shown], ", "), len(sorted)-shown)
}

// distance is the number of single-letter changes between two names; letter
// case and the choice of - or _ do not count.
func distance(a, b string) int {
	fold := func(s string) []rune { return []rune(strings.ReplaceAll(strings.ToLower(s), "-", "_")) }
	x, y := fold(a), fold(b)
	if len(x) > 100 || len(y) > 100 {
		return len(x) + len(y)
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
