package upstream

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// dialer opens a connection, as net.Dialer.DialContext does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// probe asks one endpoint how it is.
type probe interface {
	ask(ctx context.Context) result
	close()
}

func (s *checkSettings) newProbe(dial dialer, target checkTarget) probe {
	network := "tcp"
	if isPipe(target.address) {
		network = "unix"
	}
	to := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, network, target.address) }
	if s.tcp != nil {
		return tcpProbe{s, to}
	}
	transport := newTransport(s.http.GetCodecClientType() == typev3.CodecClientType_HTTP2, to)
	transport.DisableKeepAlives = !s.reuse
	return &httpProbe{s: s, transport: transport, hostname: target.hostname}
}

// failed tells a timeout from everything else that can go wrong on a network.
func failed(ctx context.Context, err error) result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return result{kind: checkTimedOut}
	}
	return result{kind: checkNetwork}
}

// httpProbe sends a request and looks at the status.
type httpProbe struct {
	s         *checkSettings
	transport *http.Transport
	hostname  string
}

func (p *httpProbe) ask(ctx context.Context) result {
	ctx, cancel := context.WithTimeout(ctx, p.s.timeout)
	defer cancel()
	r, err := p.request(ctx)
	if err != nil {
		return result{kind: checkNetwork}
	}
	resp, err := p.transport.RoundTrip(r)
	if err != nil {
		return failed(ctx, err)
	}
	defer resp.Body.Close()
	// The answer's end is part of it, and a connection is used again only after it.
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return failed(ctx, err)
	}
	if inRanges(p.s.http.GetExpectedStatuses(), resp.StatusCode, resp.StatusCode == http.StatusOK) {
		return result{degraded: resp.Header.Get("x-envoy-degraded") != ""}
	}
	return result{
		kind: checkAnswered, status: resp.StatusCode,
		retriable: inRanges(p.s.http.GetRetriableStatuses(), resp.StatusCode, false),
	}
}

func (p *httpProbe) request(ctx context.Context) (*http.Request, error) {
	h := p.s.http
	method := http.MethodGet
	if h.GetMethod() != corev3.RequestMethod_METHOD_UNSPECIFIED {
		method = h.GetMethod().String()
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+poolAuthority+h.GetPath(), nil)
	if err != nil {
		return nil, err
	}
	r.Host = p.s.cluster
	if h.GetHost() != "" {
		r.Host = h.GetHost()
	}
	if p.hostname != "" {
		r.Host = p.hostname
	}
	if sentAgain(method) && h.GetCodecClientType() != typev3.CodecClientType_HTTP2 {
		r.Body, r.TransferEncoding = nobody{}, identity
	}
	r.Header.Set("User-Agent", "meshtui-built-in-proxy/HC")
	for _, add := range h.GetRequestHeadersToAdd() {
		if add.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			r.Header.Del(add.GetHeader().GetKey())
		}
		r.Header.Add(add.GetHeader().GetKey(), add.GetHeader().GetValue())
	}
	for _, name := range h.GetRequestHeadersToRemove() {
		r.Header.Del(name)
	}
	return r, nil
}

func (p *httpProbe) close() { p.transport.CloseIdleConnections() }

// inRanges reports whether a status is in one of the ranges; otherwise is the
// answer where there are none.
func inRanges(ranges []*typev3.Int64Range, status int, otherwise bool) bool {
	if len(ranges) == 0 {
		return otherwise
	}
	return slices.ContainsFunc(ranges, func(r *typev3.Int64Range) bool {
		return int64(status) >= r.GetStart() && int64(status) < r.GetEnd()
	})
}

// tcpProbe connects, and may send something and wait for an answer.
type tcpProbe struct {
	s  *checkSettings
	to dialer
}

// mostReceived bounds what is read of an endpoint that never says what is
// expected.
const mostReceived = 1 << 20

func (p tcpProbe) ask(ctx context.Context) result {
	ctx, cancel := context.WithTimeout(ctx, p.s.timeout)
	defer cancel()
	c, err := p.to(ctx, "", "")
	if err != nil {
		return failed(ctx, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if len(p.s.tcp.send) > 0 {
		if _, err := c.Write(p.s.tcp.send); err != nil {
			return failed(ctx, err)
		}
	}
	var got []byte
	chunk := make([]byte, 4096)
	for !inOrder(got, p.s.tcp.receive) {
		n, err := c.Read(chunk)
		got = append(got, chunk[:n]...)
		if err != nil && !inOrder(got, p.s.tcp.receive) {
			return failed(ctx, err)
		}
		if len(got) > mostReceived {
			return result{kind: checkAnswered}
		}
	}
	return result{}
}

func (tcpProbe) close() {}

// inOrder reports whether all parts are in got, one after the other.
func inOrder(got []byte, parts [][]byte) bool {
	for _, part := range parts {
		i := bytes.Index(got, part)
		if i < 0 {
			return false
		}
		got = got[i+len(part):]
	}
	return true
}

// payload is the bytes to send or expect: written in hex, or as they are.
func payload(p *corev3.HealthCheck_Payload) []byte {
	if p.GetText() == "" {
		return p.GetBinary()
	}
	b, err := hex.DecodeString(p.GetText())
	if err != nil {
		return nil // Check has refused it
	}
	return b
}
