package xds

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// The wire's bounds: whichever is reached first.
const (
	maxWireMessages = 10_000
	maxWireBytes    = 64 << 20
)

// Wire is the recorded conversation with every node: the newest 10,000 messages
// or 64 MiB of them. It is safe for concurrent use, and reading it never holds
// up a stream for longer than it takes to copy what was asked for.
type Wire struct {
	mu      sync.Mutex
	entries []wireEntry // a ring once it is full
	first   int         // index of the oldest entry
	newest  uint64      // its sequence number, 0 before the first
	bytes   int
	limit   int // messages
	room    int // bytes
}

type wireEntry struct {
	message  Message
	body     proto.Message
	redacted bool // the secrets in body have been taken out
}

func newWire(messages, bytes int) *Wire { return &Wire{limit: messages, room: bytes} }

// add records a message under the next sequence number. The body is kept as it
// is and must not change any more; nil for a message that has none.
func (w *Wire) add(m Message, body proto.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest++
	m.Seq = w.newest
	w.bytes += m.Bytes
	switch {
	case len(w.entries) < w.limit:
		w.compact()
		w.entries = append(w.entries, wireEntry{message: m, body: body})
	default:
		w.bytes -= w.entries[w.first].message.Bytes
		w.entries[w.first] = wireEntry{message: m, body: body}
		w.first = (w.first + 1) % len(w.entries)
	}
	for w.bytes > w.room && len(w.entries) > 1 {
		w.dropOldest()
	}
}

// compact moves the oldest entry to index 0, so that the slice can grow.
func (w *Wire) compact() {
	if w.first == 0 {
		return
	}
	turned := make([]wireEntry, 0, w.limit)
	turned = append(turned, w.entries[w.first:]...)
	w.entries, w.first = append(turned, w.entries[:w.first]...), 0
}

func (w *Wire) dropOldest() {
	w.compact()
	w.bytes -= w.entries[0].message.Bytes
	w.entries[0] = wireEntry{}
	w.entries = w.entries[1:]
}

// at is the i-th oldest entry.
func (w *Wire) at(i int) wireEntry { return w.entries[(w.first+i)%len(w.entries)] }

// Newest is the sequence number of the newest message, 0 when there is none.
func (w *Wire) Newest() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

// Since returns up to max messages that came after seq, oldest first, and how
// many after seq were dropped before they could be read. Since(0, n) reads from
// the beginning; a seq that is yet to come, or a max below 1, gives nothing.
func (w *Wire) Since(seq uint64, max int) (msgs []Message, dropped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seq >= w.newest || max < 1 {
		return nil, 0
	}
	oldest := w.newest - uint64(len(w.entries)) + 1
	if seq+1 < oldest {
		dropped = oldest - seq - 1
		seq = oldest - 1
	}
	n := min(int(w.newest-seq), max)
	msgs = make([]Message, n)
	for i := range msgs {
		msgs[i] = w.at(int(seq+1-oldest) + i).message
	}
	return msgs, dropped
}

// Body is the DiscoveryRequest or DiscoveryResponse (SotW or delta) of a
// message, read-only; ok is false when it has none or was dropped. Private keys
// and the like in it read "[redacted]".
func (w *Wire) Body(seq uint64) (proto.Message, bool) {
	e := w.entry(seq)
	if e == nil || e.body == nil {
		return nil, false
	}
	if e.redacted {
		return e.body, true
	}
	body := mesh.Redacted(e.body) // which may take a while
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, ok := w.index(seq); ok {
		w.entries[i].body, w.entries[i].redacted = body, true
	}
	return body, true
}

// entry is a copy of the entry with that number, or nil.
func (w *Wire) entry(seq uint64) *wireEntry {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.index(seq)
	if !ok {
		return nil
	}
	e := w.entries[i]
	return &e
}

// index is where the entry with that number lies; ok is false when it is not
// there.
func (w *Wire) index(seq uint64) (i int, ok bool) {
	oldest := w.newest - uint64(len(w.entries)) + 1
	if len(w.entries) == 0 || seq < oldest || seq > w.newest {
		return 0, false
	}
	return (w.first + int(seq-oldest)) % len(w.entries), true
}
