package xds

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestWireIsBounded(t *testing.T) {
	for _, c := range []struct {
		name            string
		messages, bytes int // the limits
		each, sent      int
		kept            int
	}{
		{"empty", 4, 100, 1, 0, 0},
		{"room for all", 4, 100, 1, 3, 3},
		{"too many", 4, 100, 1, 11, 4},
		{"too large", 4, 100, 40, 11, 2},
		{"one larger than all room stays", 4, 100, 400, 3, 1},
	} {
		w := newWire(c.messages, c.bytes)
		for i := range c.sent {
			w.add(Message{Bytes: c.each}, wrapperspb.Int64(int64(i+1)))
		}
		msgs, dropped := w.Since(0, 1000)
		if len(msgs) != c.kept || dropped != uint64(c.sent-c.kept) || w.Newest() != uint64(c.sent) {
			t.Errorf("%s: %d kept, %d dropped, newest %d", c.name, len(msgs), dropped, w.Newest())
		}
		for i, m := range msgs {
			if m.Seq != uint64(c.sent-c.kept+i+1) {
				t.Errorf("%s: message %d has number %d", c.name, i, m.Seq)
			}
			if body, ok := w.Body(m.Seq); !ok || !proto.Equal(body, wrapperspb.Int64(int64(m.Seq))) {
				t.Errorf("%s: body of %d is %v", c.name, m.Seq, body)
			}
		}
		if _, ok := w.Body(uint64(c.sent - c.kept)); ok {
			t.Errorf("%s: a dropped message has a body", c.name)
		}
		if _, ok := w.Body(uint64(c.sent + 1)); ok {
			t.Errorf("%s: a message to come has a body", c.name)
		}
	}
}

// Limits by number and by size take turns as messages vary.
func TestWireWithMessagesOfAllSizes(t *testing.T) {
	w := newWire(10, 100)
	for i := range 1000 {
		w.add(Message{Bytes: i % 23}, nil)
		msgs, dropped := w.Since(0, 1000)
		bytes := 0
		for j, m := range msgs {
			bytes += m.Bytes
			if want := dropped + uint64(j) + 1; m.Seq != want || m.Bytes != int(want-1)%23 {
				t.Fatalf("after %d: message %d of %d bytes, want number %d", i, m.Seq, m.Bytes, want)
			}
		}
		if len(msgs) > 10 || bytes > 100 || bytes != w.bytes {
			t.Fatalf("after %d: %d messages, %d bytes, counted as %d", i, len(msgs), bytes, w.bytes)
		}
	}
}

func TestWireSince(t *testing.T) {
	w := newWire(4, 100)
	for range 6 {
		w.add(Message{Bytes: 1}, nil)
	}
	for _, c := range []struct {
		seq     uint64
		max     int
		want    []uint64
		dropped uint64
	}{
		{0, 10, []uint64{3, 4, 5, 6}, 2},
		{1, 2, []uint64{3, 4}, 1},
		{2, 1, []uint64{3}, 0},
		{4, 10, []uint64{5, 6}, 0},
		{6, 10, nil, 0},
		{99, 10, nil, 0},
		{0, 0, nil, 0},
		{0, -1, nil, 0},
	} {
		msgs, dropped := w.Since(c.seq, c.max)
		if len(msgs) != len(c.want) || dropped != c.dropped {
			t.Errorf("Since(%d, %d): %v, %d dropped", c.seq, c.max, msgs, dropped)
			continue
		}
		for i, m := range msgs {
			if m.Seq != c.want[i] {
				t.Errorf("Since(%d, %d): message %d is number %d", c.seq, c.max, i, m.Seq)
			}
		}
	}
}
