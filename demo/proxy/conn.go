package proxy

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// preface is what a client of HTTP/2 begins with.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// notice is a GOAWAY that refuses no stream: nothing new should be asked on this
// connection, and what is asked all the same is answered. It goes before the
// final one, which names the last stream that is answered, and which would
// otherwise hit requests that are on their way. net/http sends only the final
// one.
var notice = []byte{
	0, 0, 8, 7, 0, 0, 0, 0, 0, // 8 bytes, GOAWAY, on the connection itself
	0x7f, 0xff, 0xff, 0xff, // the last stream that there can be
	0, 0, 0, 0, // NO_ERROR
}

// conn is a client's connection, which in HTTP/2 can give notice of its end.
type conn struct {
	net.Conn
	came  int         // bytes of the preface so far, -1 in another protocol; its reader's alone
	http2 atomic.Bool // the preface came
	told  atomic.Bool // notice is given, or about to be
	due   atomic.Bool // notice is to be given between two frames

	mu   sync.Mutex // of what is written
	sent frames
}

// connKey finds the conn in a request's context.
type connKey struct{}

// withConn is the http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request, nil when it is none of a front's.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// Read looks for the preface of HTTP/2.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.came >= 0 && c.came < len(preface) {
		c.look(p[:n])
	}
	return n, err
}

func (c *conn) look(p []byte) {
	expected := preface[c.came:]
	n := min(len(p), len(expected))
	if string(p[:n]) != expected[:n] {
		c.came = -1
		return
	}
	c.came += n
	if c.came == len(preface) {
		c.http2.Store(true)
	}
}

// Write writes, and gives notice if it is due.
func (c *conn) Write(p []byte) (int, error) {
	if !c.http2.Load() {
		return c.Conn.Write(p)
	}
	n, err := c.write(p)
	c.say()
	return n, err
}

func (c *conn) write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.sent.pass(p[:n])
	return n, err
}

// part gives notice, once, between the frames that are written. It waits for
// nobody. In HTTP/1, where answers say that they are the last, it does nothing.
func (c *conn) part() {
	if c != nil && c.http2.Load() && c.told.CompareAndSwap(false, true) {
		c.due.Store(true)
		c.say()
	}
}

// say gives notice now unless somebody writes, who does it afterwards.
func (c *conn) say() {
	for c.due.Load() && c.mu.TryLock() {
		between := c.sent.between()
		if between {
			c.due.Store(false)
			_ = c.SetWriteDeadline(time.Now().Add(delayedClose))
			_, _ = c.Conn.Write(notice) // a client that does not read learns nothing
			_ = c.SetWriteDeadline(time.Time{})
		}
		c.mu.Unlock()
		if !between {
			return
		}
	}
}

// frames follows where HTTP/2 frames end.
type frames struct {
	head  [9]byte // of the frame that begins
	got   int     // bytes of head
	left  int     // bytes of the frame after its head
	begun bool    // a frame was there: the first one has to be SETTINGS
}

// pass goes over what is written.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left, p = f.left-n, p[n:]
			continue
		}
		n := copy(f.head[f.got:], p)
		f.got, p = f.got+n, p[n:]
		if f.got == len(f.head) {
			f.left = int(binary.BigEndian.Uint32(f.head[:4]) >> 8)
			f.got, f.begun = 0, true
		}
	}
}

// between reports whether a frame may follow here.
func (f *frames) between() bool { return f.begun && f.got == 0 && f.left == 0 }
