package nginxtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Reply is what came back.
type Reply struct {
	Status  int // 0 where the connection was closed without an answer, or the answer has no head (HTTP/0.9)
	Headers http.Header
	Body    string
	Closed  bool // the connection is not used again
}

// Location is the Location header.
func (r Reply) Location() string { return r.Headers.Get("Location") }

// Asker sends raw requests, one after another, over a connection that it keeps
// for as long as the server does. It is for one goroutine.
type Asker struct {
	t       testing.TB
	network string
	address string
	conn    net.Conn
	r       *bufio.Reader
}

// NewAsker asks the server at a TCP address until the test ends.
func NewAsker(t testing.TB, address string) *Asker {
	a := &Asker{t: t, network: "tcp", address: address}
	t.Cleanup(a.Close)
	return a
}

// Close gives the connection up; the next request opens another.
func (a *Asker) Close() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}

// Get asks for a target with HTTP/1.1 and the Host.
func (a *Asker) Get(host, target string) Reply {
	a.t.Helper()
	return a.Ask("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
}

// Ask sends the bytes, one request as a whole, and reads the answer. It fails the
// test where nginx cannot be reached, or answers what is no HTTP.
func (a *Asker) Ask(raw string) Reply {
	a.t.Helper()
	fresh := a.conn == nil
	reply, err := a.ask(raw)
	if !fresh && errors.Is(err, errNoAnswer) { // it may have been closed before it got the request
		reply, err = a.ask(raw)
	}
	if target, _, _ := strings.Cut(raw, "\n"); newLine.MatchString(target) {
		a.Close()
	}
	if err != nil && !errors.Is(err, errNoAnswer) {
		a.t.Fatalf("asking %s %.200q: %v", a.address, raw, err)
	}
	return reply
}

// newLine is what nginx may decode into the head of its answer: where that ends is
// then not to be told, so that what else comes may be of the same answer.
var newLine = regexp.MustCompile(`(?i)%0[ad]`)

var errNoAnswer = errors.New("the connection was closed without an answer")

func (a *Asker) ask(raw string) (Reply, error) {
	if a.conn == nil {
		conn, err := net.DialTimeout(a.network, a.address, Patience)
		if err != nil {
			return Reply{}, err
		}
		a.conn = conn
		if a.r == nil {
			a.r = bufio.NewReader(conn)
		} else {
			a.r.Reset(conn)
		}
	}
	if err := a.conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		return Reply{}, err
	}
	_, sent := io.WriteString(a.conn, raw) // an answer may be there though not all was taken
	start, err := a.r.Peek(5)
	if err != nil && len(start) == 0 {
		a.Close()
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return Reply{}, err
		}
		return Reply{Closed: true}, errNoAnswer
	}
	if string(start) != "HTTP/" {
		defer a.Close()
		body, err := io.ReadAll(a.r)
		return Reply{Body: string(body), Closed: true}, err
	}
	return a.read(strings.HasPrefix(raw, "HEAD "), sent)
}

// read is an answer with a head. It is read by hand: nginx puts into a Location
// what net/http does not take.
func (a *Asker) read(head bool, sent error) (Reply, error) {
	reply := Reply{Headers: http.Header{}, Closed: sent != nil}
	line, err := a.r.ReadString('\n')
	minor := 0
	if _, scan := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &reply.Status); err != nil || scan != nil {
		a.Close()
		return Reply{}, fmt.Errorf("a status line %q: %w", line, errors.Join(err, scan))
	}
	for {
		line, err := a.r.ReadString('\n')
		if err != nil {
			a.Close()
			return Reply{}, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		reply.Headers.Add(name, strings.TrimPrefix(value, " "))
	}
	reply.Closed = reply.Closed || strings.EqualFold(reply.Headers.Get("Connection"), "close")
	body, err := a.body(head, &reply)
	reply.Body = string(body)
	if reply.Closed || err != nil || head { // nginx may send a body to a HEAD that it did not understand
		a.Close()
	}
	return reply, err
}

// body is what follows the head; until the end of the connection where nothing
// says how long it is.
func (a *Asker) body(head bool, reply *Reply) ([]byte, error) {
	length := reply.Headers.Get("Content-Length")
	switch {
	case head || reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified:
		return nil, nil
	case reply.Headers.Get("Transfer-Encoding") == "chunked":
		body, err := io.ReadAll(httputil.NewChunkedReader(a.r))
		if err == nil {
			_, err = a.r.ReadString('\n') // the line that ends the trailers
		}
		return body, err
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return nil, err
		}
		body := make([]byte, n)
		_, err = io.ReadFull(a.r, body)
		return body, err
	}
	reply.Closed = true
	return io.ReadAll(a.r)
}
