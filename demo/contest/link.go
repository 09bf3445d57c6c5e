package contest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/meshtui/engine/match"
)

// patience bounds how long an answer is waited for.
const patience = 10 * time.Second

// link is one connection to a side.
type link struct {
	net.Conn
	reader *bufio.Reader
	opened time.Time
	used   bool // an answer has come through it
	undo   func() bool
}

// dial connects to an address; the connection is closed when ctx ends.
func (w *world) dial(ctx context.Context, address string) (*link, error) {
	if address == "" {
		return nil, syscall.ECONNREFUSED
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, reader: bufio.NewReader(conn), opened: w.c.o.Now()}
	l.undo = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return l, nil
}

func (l *link) close() {
	if l != nil {
		l.undo()
		_ = l.Close()
	}
}

// reply is what came back for a request.
type reply struct {
	status int
	header http.Header
	closes bool // the server will take no other request on this connection
}

// ask sends a request and reads the answer to its end.
func (l *link) ask(text, method string) (reply, error) {
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, err
	}
	if _, err := io.WriteString(l, text); err != nil {
		return reply{}, err
	}
	resp, err := http.ReadResponse(l.reader, &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	l.used = true
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return reply{}, err
	}
	return reply{status: resp.StatusCode, header: resp.Header, closes: resp.Close}, nil
}

// idle waits until then and reports whether the server left the connection open
// meanwhile.
func (l *link) idle(until time.Time) bool {
	if err := l.SetReadDeadline(until); err != nil {
		return false
	}
	_, err := l.reader.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// wasClosed reports whether an error is how a client notices that the server
// closed the connection before it took the request. A client sends that again on
// another one (RFC 9112, section 9.3.1), so it is no failure.
func (l *link) wasClosed(err error) bool {
	return l.used && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// encode is a request as bytes.
func encode(r match.Request, more ...string) string {
	var b strings.Builder
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, r.Path, r.Host)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	return b.String() + "\r\n"
}

func port(a netip.AddrPort) string { return strconv.FormatUint(uint64(a.Port()), 10) }

// identity is who made an answer: the address of the backend, else its status.
func (c *Contest) identity(r reply) string {
	if who := c.o.Who(r.header); who != "" {
		return who
	}
	return itself(r.status)
}
