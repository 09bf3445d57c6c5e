package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/meshtui/demo/proxy/upstream"
)

// hopByHop are the response headers that concern the upstream connection alone.
var hopByHop = []string{"Connection", "Upgrade", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Trailer"}

// respond passes a backend's answer on.
func (x *exchange) respond(a upstream.Answer, plain bool) {
	res := a.Response
	defer res.Body.Close()
	x.flags, x.details = a.Flags, a.Details
	if x.details == "" {
		x.details = "via_upstream"
	}
	x.values.Status, x.values.Flags, x.values.Details = res.StatusCode, x.flags, x.details
	upgrade := res.StatusCode == http.StatusSwitchingProtocols
	h := x.w.Header()
	for name, values := range res.Header {
		h[name] = values
	}
	for _, c := range x.cookies {
		h.Add("Set-Cookie", c)
	}
	if !upgrade {
		for _, name := range hopByHop {
			h.Del(name)
		}
	}
	if asked := x.body.ended.Load(); asked != nil && !plain {
		h.Set("X-Envoy-Upstream-Service-Time", strconv.FormatInt(time.Since(*asked).Milliseconds(), 10))
	}
	x.attemptsIn(h)
	x.finalize(h)
	x.manage(h)
	if upgrade {
		x.upgrade(res)
		return
	}
	if names := slices.Sorted(maps.Keys(res.Trailer)); len(names) > 0 {
		h["trailer"] = []string{strings.Join(names, ", ")} // as an Envoy does, which may yet drop them
	}
	if res.StatusCode == http.StatusNotModified {
		keepLength(h)
	}
	x.send(res.StatusCode)
	x.pass(res)
	if trailers(x.way.Manager, x.r) { // those that the cluster took in
		for name, values := range res.Trailer {
			h[http.TrailerPrefix+name] = values // announced or not
		}
	}
}

// keepLength writes what an answer without a body says of one under names that
// net/http does not know, and so does not take out.
func keepLength(h http.Header) {
	for _, name := range []string{"Content-Length", "Content-Type"} {
		if values := h[name]; len(values) > 0 {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// buffers are what bodies are copied by.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// pass copies the body as it comes, byte by byte in time. What the backend
// breaks off is broken off towards the client too, who could not tell else.
func (x *exchange) pass(res *http.Response) {
	flush := http.NewResponseController(x.w)
	to := patient{x, x.w}
	if res.ContentLength < 0 {
		_ = flush.Flush() // what cannot be flushed is sent at the end
	}
	borrowed := buffers.Get().(*[]byte)
	defer buffers.Put(borrowed)
	buffer := *borrowed
	var sent int64
	for {
		n, err := res.Body.Read(buffer)
		if n > 0 {
			if _, werr := to.Write(buffer[:n]); werr != nil {
				x.abort(x.flags, x.details)
			}
			sent += int64(n)
			if sent != res.ContentLength && err == nil {
				_ = flush.Flush()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			x.cut(err)
		}
	}
}

// cut ends an answer of which a part was sent already.
func (x *exchange) cut(err error) {
	var why *upstream.CutError
	switch {
	case errors.Is(context.Cause(x.ctx), errTooLong):
		x.abort("", "max_duration_timeout")
	case errors.As(err, &why):
		x.abort(why.Flags, why.Details)
	case x.r.Context().Err() != nil:
		x.abort("DC", "downstream_remote_disconnect")
	}
	x.abort("UPE", "upstream_reset_after_response_started{protocol_error}")
}

// upgrade joins the two connections until one of them ends.
func (x *exchange) upgrade(res *http.Response) {
	back, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !asked(x.r.Header, res.Header) {
		x.abort("UPE", "upstream_reset_before_response_started{protocol_error}")
	}
	x.status = res.StatusCode
	client, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.abort("UPE", "upgrade_failed")
	}
	defer client.Close()
	if writeHead(buffered, res.StatusCode, x.w.Header()) != nil || buffered.Flush() != nil {
		x.flags = "DC"
		return
	}
	ended := make(chan struct{}, 2)
	pass := func(to io.Writer, from io.Reader) func() error {
		return func() error {
			defer func() { ended <- struct{}{} }()
			_, _ = io.Copy(to, from) // an end is an end, whoever made it
			return nil
		}
	}
	x.h.tasks.Go("upgraded connection, to the backend", pass(back, buffered))
	x.h.tasks.Go("upgraded connection, to the client", pass(impatient{client, x.limits.idle}, back))
	select {
	case <-ended:
	case <-x.h.ctx.Done():
	}
	_ = back.Close()
}

// writeHead writes the head of an answer, and nothing that its headers do not say.
func writeHead(to io.Writer, status int, h http.Header) error {
	if _, err := fmt.Fprintf(to, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status)); err != nil {
		return err
	}
	if err := h.Write(to); err != nil {
		return err
	}
	_, err := io.WriteString(to, "\r\n")
	return err
}

// impatient is a connection on which every write must end within a time, where
// there is one.
type impatient struct {
	net.Conn
	within time.Duration
}

// Write fails when it takes too long.
func (c impatient) Write(b []byte) (int, error) {
	if c.within > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.within)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// asked reports whether an upgrade is to what the client asked for.
func asked(request, response http.Header) bool {
	return strings.EqualFold(request.Get("Upgrade"), response.Get("Upgrade"))
}
