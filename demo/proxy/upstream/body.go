package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// CutError is why an answer whose headers had come broke off: the client shall
// see it cut, not ended. Flags and Details are Envoy's.
type CutError struct {
	Flags, Details string
	Err            error
}

// Error says what was noticed.
func (e *CutError) Error() string { return "the answer was cut (" + e.Details + "): " + e.Err.Error() }

// Unwrap is what the transport said.
func (e *CutError) Unwrap() error { return e.Err }

// answerBody is the body of an answer. Its end, or its closing, ends the
// request.
type answerBody struct {
	io.ReadCloser
	t     *attempt
	of    *http.Response // whose trailers are dropped; nil where they pass
	ended atomic.Bool
}

// upgradedBody is the connection behind a 101, which can be written to as well.
type upgradedBody struct {
	answerBody
	to     io.Writer
	unhook func() bool
}

// wrap makes the end of the answer known to us.
func (t *attempt) wrap(resp *http.Response) {
	if both, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		up := &upgradedBody{to: both}
		up.ReadCloser, up.t = both, t
		// The transport has let go of it: nobody else closes it when time is up.
		t.stopTimeout()
		up.unhook = context.AfterFunc(t.exchange.ctx, func() { _ = both.Close() })
		resp.Body = up
		return
	}
	if resp.Body == http.NoBody {
		t.finish()
		return
	}
	body := &answerBody{ReadCloser: resp.Body, t: t}
	if !t.s.trailers {
		body.of, resp.Trailer = resp, nil
	}
	resp.Body = body
}

// Read reads on; a failure is a *CutError.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.t.idle != nil {
		b.t.moved()
	}
	if err == nil {
		return n, nil
	}
	if b.of != nil {
		b.of.Trailer = nil // that have come with the end
	}
	if !errors.Is(err, io.EOF) {
		err = b.t.cut(err, b.ended.Load())
	}
	b.end()
	return n, err
}

// Write sends to the backend.
func (b *upgradedBody) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	if n > 0 && b.t.idle != nil {
		b.t.moved()
	}
	return n, err
}

// Close ends the connection.
func (b *upgradedBody) Close() error {
	b.unhook()
	return b.answerBody.Close()
}

// Close ends the request, whether or not all was read.
func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *answerBody) end() {
	if !b.ended.Swap(true) {
		b.t.finish()
	}
}

// finish lets go what the attempt and its request held.
func (t *attempt) finish() {
	t.release()
	t.end()
}

// cut says why an answer broke off, and charges that to its host once.
func (t *attempt) cut(err error, counted bool) error {
	out := &CutError{Flags: "UC", Details: "upstream_reset_after_response_started{connection_termination}", Err: err}
	why := protocolError
	if t.exchange.ctx.Err() != nil {
		why = causeOf(t.exchange.ctx)
	}
	switch why {
	case routeTimeout:
		out.Flags, out.Details = "UT", "response_timeout"
	case idleTimeout:
		out.Flags, out.Details = "SI", "stream_idle_timeout"
	case clientGone:
		out.Flags, out.Details = "DC", "downstream_remote_disconnect"
	default:
		out.Flags, out.Details = "UPE", "upstream_reset_after_response_started{protocol_error}"
	}
	if !counted {
		t.countCut(why)
	}
	return out
}

func (t *attempt) countCut(why reset) {
	switch why {
	case routeTimeout:
		t.c.stats.timeouts.Add(1)
		t.countReset()
		t.host.stats.timeouts.Add(1)
		t.c.judge(t.host, noAnswer, 0)
	case idleTimeout, clientGone:
		t.countReset()
	default:
		t.c.judge(t.host, notConnected, 0)
	}
}
