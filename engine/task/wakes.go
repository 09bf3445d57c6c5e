package task

import "sync"

// Wakes are one-slot channels, one a subscriber, that say "look again". A
// subscriber that is slow misses no news and holds nobody up: its slot stays
// full until it looks. The zero Wakes is ready; it must not be copied.
type Wakes struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
}

// Changed returns a new channel and the function that ends the subscription.
func (w *Wakes) Changed() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan struct{}]struct{}{}
	}
	w.all[ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, ch)
	}
}

// Wake fills every subscriber's slot; it never blocks.
func (w *Wakes) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.all {
		Poke(ch)
	}
}

// Poke fills a one-slot channel, or leaves it full.
func Poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
