package proxy_test

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/demo/proxy"
)

// wire is a connection on which a client said something, and which keeps what it
// is answered.
type wire struct {
	net.Conn // nothing else is called
	said     *strings.Reader
	got      bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)       { return w.said.Read(p) }
func (w *wire) Write(p []byte) (int, error)      { return w.got.Write(p) }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Notice of the end goes between two frames, after the first, once, and to
// nobody who does not speak HTTP/2.
func TestNotice(t *testing.T) {
	const (
		preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		data     = "\x00\x00\x03\x00\x00\x00\x00\x00\x01abc"
	)
	for name, tc := range map[string]struct {
		said    string
		written []string
		after   int // so many of these
		want    string
	}{
		"between frames":       {preface, []string{settings, data}, 1, settings + proxy.Notice + data},
		"at the end":           {preface, []string{settings, data}, 2, settings + data + proxy.Notice},
		"not before the first": {preface, []string{settings, data}, 0, settings + proxy.Notice + data},
		"not within a frame":   {preface, []string{settings + data[:10], data[10:]}, 1, settings + data + proxy.Notice},
		"not within a head":    {preface, []string{settings + data[:2], data[2:]}, 1, settings + data + proxy.Notice},
		"a frame of no bytes":  {preface, []string{settings, settings + settings}, 1, settings + proxy.Notice + settings + settings},
		"HTTP/1":               {"PROPFIND / HTTP/1.1\r\n\r\n", []string{"HTTP/1.1 200", " OK"}, 1, "HTTP/1.1 200 OK"},
		"half a preface":       {preface[:20], []string{"HTTP/1.1 400"}, 0, "HTTP/1.1 400"},
	} {
		for _, piece := range []int{1, 5, 100} { // in which the preface comes
			w := &wire{said: strings.NewReader(tc.said)}
			c, part := proxy.NewConn(w)
			for buf := make([]byte, piece); w.said.Len() > 0; {
				if _, err := c.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
			for i, p := range tc.written {
				if i == tc.after {
					part()
				}
				if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			part()
			part()
			if got := w.got.String(); got != tc.want {
				t.Errorf("%s, in pieces of %d: %q, want %q", name, piece, got, tc.want)
			}
		}
	}
}
