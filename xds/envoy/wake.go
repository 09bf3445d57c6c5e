package envoy

import "sync"

// wakers are one-slot channels, one a subscriber, that say "look again". A
// subscriber that is slow misses nothing: its slot stays full until it looks.
type wakers struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
}

// subscribe returns a new channel and what ends the subscription.
func (w *wakers) subscribe() (<-chan struct{}, func()) {
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

// wake fills every subscriber's slot; it never blocks.
func (w *wakers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.all {
		poke(ch)
	}
}

// poke fills a one-slot channel.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
