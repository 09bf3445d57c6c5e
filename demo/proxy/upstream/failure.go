package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// Why a request under way is ended by ourselves; they are causes of its context.
var (
	errTimeout    = errors.New("the route's timeout has passed")
	errTryTimeout = errors.New("the timeout of one try has passed")
	errIdle       = errors.New("nothing has moved for too long")
)

// reset is why an attempt came to no answer.
type reset uint8

const (
	noReset reset = iota
	connectFailure
	connectTimeout
	termination // closed by the other side
	protocolError
	remoteReset   // of an HTTP/2 stream
	refusedStream // the same, before anything was done
	overflow
	tryTimeout
	routeTimeout
	idleTimeout
	clientGone
)

// resetNames are the resets as Envoy's bodies call them.
var resetNames = map[reset]string{
	connectFailure: "remote connection failure", connectTimeout: "connection timeout",
	termination: "connection termination", protocolError: "protocol error",
	remoteReset: "remote reset", refusedStream: "remote refused stream reset", overflow: "overflow",
}

// resetFlags are their response flags.
var resetFlags = map[reset]string{
	connectFailure: "UF", connectTimeout: "UF", termination: "UC", protocolError: "UPE",
	remoteReset: "UR", refusedStream: "UR", overflow: "UO",
}

// onConnecting reports whether there was no connection at all.
func (r reset) onConnecting() bool { return r == connectFailure || r == connectTimeout }

// classify says why an attempt under ctx failed.
func classify(ctx context.Context, err error) (why reset, transport string) {
	if errors.Is(err, errOverflow) || errors.Is(err, errTooMany) {
		return overflow, ""
	}
	var dial *dialError
	if ctx.Err() != nil && !errors.As(err, &dial) {
		return causeOf(ctx), ""
	}
	switch {
	case errors.As(err, &dial) && dial.timedOut:
		return connectTimeout, ""
	case errors.As(err, &dial):
		return connectFailure, "delayed connect error: " + errnoText(dial.err)
	case errors.Is(err, errTooManyFields):
		return remoteReset, ""
	case isRefusedStream(err):
		return refusedStream, ""
	case strings.HasPrefix(err.Error(), "stream error:"):
		return remoteReset, ""
	case wasClosed(err):
		return termination, ""
	}
	return protocolError, ""
}

// causeOf is why ctx ended.
func causeOf(ctx context.Context) reset {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return routeTimeout
	case errors.Is(cause, errTryTimeout):
		return tryTimeout
	case errors.Is(cause, errIdle):
		return idleTimeout
	}
	return clientGone
}

// wasClosed reports whether the other side has closed or reset the connection.
// The transport has no names for all of these.
func wasClosed(err error) bool {
	return errors.Is(err, errAbandoned) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		strings.Contains(err.Error(), "server closed idle connection") ||
		strings.Contains(err.Error(), "client connection lost") || strings.Contains(err.Error(), "GOAWAY")
}

func isRefusedStream(err error) bool {
	return strings.HasPrefix(err.Error(), "stream error:") && strings.Contains(err.Error(), "REFUSED_STREAM")
}

// errnoText is an error of the system in the words of strerror.
func errnoText(err error) string {
	var errno syscall.Errno
	text := err.Error()
	if errors.As(err, &errno) {
		text = errno.Error()
	}
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// local is the answer that Envoy gives for a reset. retried says that it was not
// the first attempt, extra are flags that come before the reset's own.
func (r reset) local(transport string, retried bool, extra string) *Failure {
	switch r {
	case clientGone:
		return &Failure{Flags: "DC", Details: "downstream_remote_disconnect"}
	case routeTimeout:
		return &Failure{Status: http.StatusGatewayTimeout, Body: "upstream request timeout", Flags: flags(extra, "UT"), Details: "response_timeout"}
	case tryTimeout:
		return &Failure{Status: http.StatusGatewayTimeout, Body: "upstream request timeout", Flags: flags(extra, "UT"), Details: "upstream_per_try_timeout"}
	case idleTimeout:
		return &Failure{Status: http.StatusGatewayTimeout, Body: "stream timeout", Flags: flags(extra, "SI"), Details: "stream_idle_timeout"}
	}
	f := &Failure{
		Status: http.StatusServiceUnavailable, Flags: flags(extra, resetFlags[r]), Overloaded: r == overflow,
		Body: "upstream connect error or disconnect/reset before headers. ",
	}
	if r == protocolError {
		f.Status = http.StatusBadGateway
	}
	if retried {
		f.Body += "retried and the latest "
	}
	f.Body += "reset reason: " + resetNames[r]
	reason := resetNames[r]
	if transport != "" {
		reason += "|" + transport
	}
	f.Details = "upstream_reset_before_response_started{" + strings.ReplaceAll(reason, " ", "_") + "}"
	return f
}

// noHealthy is the answer where no host can take the request.
func noHealthy(extra string) *Failure {
	return &Failure{
		Status: http.StatusServiceUnavailable, Body: "no healthy upstream", Flags: flags(extra, "UH"), Details: "no_healthy_upstream",
	}
}

// flags joins response flags.
func flags(all ...string) string {
	var set []string
	for _, f := range all {
		if f != "" {
			set = append(set, f)
		}
	}
	return strings.Join(set, ",")
}
