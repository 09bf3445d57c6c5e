package mesh

import "testing"

func TestTally(t *testing.T) {
	fs := []Finding{{Severity: Note}, {Severity: Error}, {Severity: Note}, {Severity: Warning}}
	if got := Tally(fs); got != "1 error, 1 warning, 2 notes" || Tally(nil) != "" {
		t.Errorf("%q, %q", got, Tally(nil))
	}
}
