package xds_test

import (
	"sync"
	"testing"

	"example.com/meshtui/xds"
)

// Whoever asks for the State gets what was so when they asked, also while somebody
// else is having it built.
func TestStateIsNeverTheOneBefore(t *testing.T) {
	s := serve(t, xds.Options{})
	m := shop(t)
	for number := 1; number <= 3000; number++ {
		s.Publish(revision(number, m))
		var lookers sync.WaitGroup
		for range 4 {
			lookers.Go(func() {
				if got := s.State().Revision; got != number {
					t.Errorf("after revision %d was published the state says %d", number, got)
				}
			})
		}
		lookers.Wait()
		if t.Failed() {
			return
		}
	}
}
