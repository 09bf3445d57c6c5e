package child

import "time"

// Back-off between restarts: doubled from first to last, and back to first
// after a program that lived for steady.
const (
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 10 * time.Second
	steady       = 30 * time.Second
)

// Backoff is the pause before the next start of a program that ended, given the
// one before the last start (0 for none) and how long the program lived: 200 ms,
// doubled each time up to 10 s, and 200 ms again after one that lived 30 s.
func Backoff(last, lived time.Duration) time.Duration {
	if last == 0 || lived >= steady {
		return firstBackoff
	}
	return min(2*last, lastBackoff)
}
