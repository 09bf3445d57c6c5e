package nginxtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Seen is a request as an upstream got it.
type Seen struct {
	Backend string // the name of the one that got it
	Method  string
	Target  string // as it stood in the request line
	Proto   string
	Headers [][2]string // in their order, names as sent
}

// Header is the value of the first header of that name, "" without one.
func (s Seen) Header(name string) string {
	for _, h := range s.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// ParseSeen reads what an Echo has answered; ok is false where the body is not
// from one.
func ParseSeen(body string) (s Seen, ok bool) {
	lines := strings.Split(body, "\n")
	if len(lines) < 2 || !strings.HasPrefix(lines[0], echoMark) {
		return s, false
	}
	s.Backend = strings.TrimPrefix(lines[0], echoMark)
	var rest string
	s.Method, rest, _ = strings.Cut(lines[1], " ")
	if at := strings.LastIndexByte(rest, ' '); at >= 0 {
		s.Target, s.Proto = rest[:at], rest[at+1:]
	}
	for _, l := range lines[2:] {
		if name, value, ok := strings.Cut(l, ": "); ok {
			s.Headers = append(s.Headers, [2]string{name, value})
		}
	}
	return s, true
}

const echoMark = "backend "

// Echo is an upstream on 127.0.0.1 that answers 200 to everything with what it
// saw (see ParseSeen), byte for byte, until the test ends. A header X-Echo has its
// name, for HEAD.
type Echo struct {
	Name    string
	Port    int
	Address string // "127.0.0.1:PORT"

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once the test has ended
	done  sync.WaitGroup
}

// NewEcho starts one.
func NewEcho(t testing.TB, name string) *Echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &Echo{Name: name, Port: l.Addr().(*net.TCPAddr).Port, Address: l.Addr().String(), conns: map[net.Conn]bool{}}
	e.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.take(c)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		e.mu.Lock()
		for c := range e.conns {
			_ = c.Close()
		}
		e.conns = nil
		e.mu.Unlock()
		e.done.Wait()
	})
	return e
}

func (e *Echo) take(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		_ = c.Close()
		return
	}
	e.conns[c] = true
	e.done.Go(func() {
		e.serve(c)
		_ = c.Close()
		e.mu.Lock()
		delete(e.conns, c)
		e.mu.Unlock()
	})
}

// serve answers on a connection until the other side, or HTTP/1.0, ends it.
func (e *Echo) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		head, keep, err := e.read(r)
		if err != nil {
			return
		}
		connection := "close"
		if keep {
			connection = "keep-alive"
		}
		body := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + strconv.Itoa(len(head)) + "\r\nX-Echo: " + e.Name + "\r\nConnection: " + connection + "\r\n\r\n"
		if !strings.Contains(head, "\nHEAD ") {
			body += head
		}
		if _, err := io.WriteString(c, body); err != nil || !keep {
			return
		}
	}
}

// read is one request: its head, and whether the connection goes on. Its body is
// thrown away.
func (e *Echo) read(r *bufio.Reader) (head string, keep bool, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", echoMark, e.Name)
	line, err := r.ReadString('\n')
	if err != nil {
		return "", false, err
	}
	line = strings.TrimRight(line, "\r\n")
	b.WriteString(line + "\n")
	keep = strings.HasSuffix(line, " HTTP/1.1")
	length, chunked := int64(0), false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", false, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		b.WriteString(line + "\n")
		name, value, _ := strings.Cut(line, ":")
		switch value = textproto.TrimString(value); strings.ToLower(name) {
		case "connection":
			keep = keep && !strings.EqualFold(value, "close")
		case "content-length":
			length, _ = strconv.ParseInt(value, 10, 64)
		case "transfer-encoding":
			chunked = true
		}
	}
	body := io.LimitReader(r, length)
	if chunked {
		body = httputil.NewChunkedReader(r)
	}
	_, err = io.Copy(io.Discard, body)
	if chunked && err == nil {
		_, err = r.ReadString('\n') // the line that ends the trailers
	}
	return b.String(), keep, err
}
