package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// maxBody is how many bytes of an answer's body are kept.
const maxBody = 4 << 10

// maxHead bounds what is read of an answer's head: Envoy itself sends at most
// 60 KiB.
const maxHead = 1 << 20

// Answer is what came back.
type Answer struct {
	Status   int
	Proto    string // "HTTP/1.1"
	Location string
	Headers  []routes.Header // by name
	Body     string          // the first 4 KiB
	Took     time.Duration   // from the first byte sent to the answer's head
}

// Header is the first value of a header of the answer, "" without one.
func (a *Answer) Header(name string) string {
	for _, h := range a.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Whose is who made an answer.
type Whose uint8

// An answer is an endpoint's, the proxy's own, or it is not known whose.
const (
	Unknown Whose = iota
	Endpoints
	Proxys
)

// ownFailures are how the bodies begin with which Envoy says that no endpoint
// answered.
var ownFailures = []string{"no healthy upstream", "upstream connect error", "upstream request timeout", "stream timeout", "upstream max stream duration"}

// Whose tells by the answer alone who made it. An endpoint's has the time that
// the endpoint took, unless the operator has that header removed; the proxy's own
// failure lacks it and says what failed.
func (a *Answer) Whose() Whose {
	if a.Header("x-envoy-upstream-service-time") != "" {
		return Endpoints
	}
	if a.Status >= http.StatusInternalServerError && slices.ContainsFunc(ownFailures, func(begin string) bool { return strings.HasPrefix(a.Body, begin) }) {
		return Proxys
	}
	return Unknown
}

// ErrUnsendable is why a request cannot be put on the wire at all.
var ErrUnsendable = errors.New("the request cannot be sent")

// Sendable is r as Send can send it: HTTP/1.1 from this machine, without a
// client certificate, and with none of what is known of a request only inside a
// proxy. What a matcher says of it is to be compared with the answer.
func Sendable(r match.Request) match.Request {
	r.HTTP2, r.Presented, r.Validated, r.Source = false, false, false, netip.AddrPort{}
	r.Random, r.Runtime, r.Metadata, r.FilterState = nil, nil, nil, nil
	return r
}

// Send sends r to address, "host:port" or the path of a unix socket, over HTTP/1.1 and
// a connection of its own, and reads the answer's head and the first of its
// body. Method, target, Host and headers go out as they are; nothing is added.
// A server's certificate is not judged: what is asked is where a request goes.
// ctx bounds all of it. A request with a line break in it is ErrUnsendable.
func Send(ctx context.Context, address string, r match.Request) (*Answer, error) {
	text, err := encode(r)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, address, r)
	if err != nil {
		return nil, plain(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	began := time.Now()
	if _, err := io.WriteString(conn, text); err != nil {
		return nil, plain(ctx, err)
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxHead))
	resp, err := final(reader, r.Method) //nolint:bodyclose // closing it would read an endless answer to its end; the connection is closed instead
	if err != nil {
		return nil, plain(ctx, err)
	}
	took := time.Since(began)
	a := &Answer{Status: resp.StatusCode, Proto: resp.Proto, Location: resp.Header.Get("Location"), Took: took}
	for name, values := range resp.Header {
		for _, v := range values {
			a.Headers = append(a.Headers, routes.Header{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(a.Headers, func(x, y routes.Header) int { return strings.Compare(x.Name, y.Name) })
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return a, nil // what follows is no body
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	a.Body = string(body)
	if err != nil {
		return a, fmt.Errorf("the answer was cut short: %w", plain(ctx, err))
	}
	return a, nil
}

// final is the first response that is no interim one, such as 100 Continue.
func final(reader *bufio.Reader, method string) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

// encode is the request as bytes.
func encode(r match.Request) (string, error) {
	method, target, proto := r.Method, r.Path, "HTTP/1.1"
	if method == "" {
		method = http.MethodGet
	}
	switch {
	case target == "" && method == http.MethodConnect:
		target = r.Host
	case target == "":
		target = "/"
	}
	if r.HTTP10 {
		proto = "HTTP/1.0"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", method, target, proto)
	if r.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	parts := []string{method, target, r.Host}
	for _, h := range r.Headers {
		parts = append(parts, h.Name, h.Value)
	}
	for _, p := range parts {
		if strings.ContainsAny(p, "\r\n\x00") {
			return "", fmt.Errorf("%w: %q holds a line break or a zero byte", ErrUnsendable, p)
		}
	}
	return b.String() + "\r\n", nil
}

func dial(ctx context.Context, address string, r match.Request) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@") {
		network = "unix"
	}
	d := &net.Dialer{Timeout: 2 * time.Second}
	if !r.TLS {
		return d.DialContext(ctx, network, address)
	}
	secure := &tls.Dialer{NetDialer: d, Config: &tls.Config{
		ServerName: r.SNI, NextProtos: r.ALPN,
		InsecureSkipVerify: true, //nolint:gosec // a certificate is not what is asked for here, and the listener is local
	}}
	return secure.DialContext(ctx, network, address)
}

// plain is an error of the connection in the words that an operator knows.
func plain(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer in time: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("connection refused: nothing listens there: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("the connection was closed without an answer: %w", err)
	}
	return err
}
