package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
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
	if !upgrade {
		for _, name := range hopByHop {
			h.Del(name)
		}
	}
	if !plain {
		h.Set("X-Envoy-Upstream-Service-Time", strconv.FormatInt(time.Since(x.start).Milliseconds(), 10))
	}
	x.attemptsIn(h)
	x.finalize(h)
	x.manage(h)
	if upgrade {
		x.upgrade(res)
		return
	}
	withTrailers := len(res.Trailer) > 0 && trailers(x.way.Manager, x.r)
	if withTrailers {
		for name := range res.Trailer {
			h.Add("Trailer", name)
		}
	}
	x.send(res.StatusCode)
	x.pass(res)
	if trailers(x.way.Manager, x.r) {
		for name, values := range res.Trailer {
			if !withTrailers {
				name = http.TrailerPrefix + name
			}
			h[name] = values
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
			if _, werr := x.w.Write(buffer[:n]); werr != nil {
				x.abort("DC", "downstream_remote_disconnect")
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
	res.Header = x.w.Header()
	res.Body = nil // the head alone is written
	if res.Write(buffered) != nil || buffered.Flush() != nil {
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
	x.h.tasks.Go("upgraded connection, to the client", pass(client, back))
	select {
	case <-ended:
	case <-x.h.ctx.Done():
	}
	_ = back.Close()
}

// asked reports whether an upgrade is to what the client asked for.
func asked(request, response http.Header) bool {
	return strings.EqualFold(request.Get("Upgrade"), response.Get("Upgrade"))
}
