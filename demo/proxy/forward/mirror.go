package forward

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"example.com/meshtui/demo/proxy/upstream"
)

// maxMirrored is how much of a body is kept for a mirrored request. A request
// with a longer one is not mirrored, and counted.
const maxMirrored = 1 << 20

// mirrorPolicies are those of the innermost level that has any.
func (x *exchange) mirrorPolicies(route *routev3.RouteAction) []*routev3.RouteAction_RequestMirrorPolicy {
	switch {
	case len(route.GetRequestMirrorPolicies()) > 0:
		return route.GetRequestMirrorPolicies()
	case len(x.way.VHost.GetRequestMirrorPolicies()) > 0:
		return x.way.VHost.GetRequestMirrorPolicies()
	}
	return x.way.Config.GetRequestMirrorPolicies()
}

// mirror sends copies of the request to other clusters, as the policies say, and
// lets nobody wait for them. A request with a body is copied once the body has
// gone upstream.
func (x *exchange) mirror(route *routev3.RouteAction, out *http.Request, t timeouts) {
	var to []*routev3.RouteAction_RequestMirrorPolicy
	for _, p := range x.mirrorPolicies(route) {
		if taken(p) {
			to = append(to, p)
		}
	}
	if len(to) == 0 {
		return
	}
	send := func(body []byte) {
		for _, p := range to {
			x.shadow(p, out, body, t)
		}
	}
	if out.Body == http.NoBody {
		send(nil)
		return
	}
	out.Body = &kept{ReadCloser: out.Body, done: send, tooLong: x.shadowDropped}
}

// taken throws the dice for a policy.
func taken(p *routev3.RouteAction_RequestMirrorPolicy) bool {
	f := p.GetRuntimeFraction().GetDefaultValue()
	if p.GetRuntimeFraction() == nil {
		return true
	}
	return rand.Uint64N(denominator(f)) < uint64(f.GetNumerator())
}

func denominator(f *typev3.FractionalPercent) uint64 {
	switch f.GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		return 10_000
	case typev3.FractionalPercent_MILLION:
		return 1_000_000
	}
	return 100
}

func (x *exchange) shadowDropped() { x.h.counters.add("http."+x.prefix+".rq_shadow_dropped", 1) }

// shadow sends one copy in the background.
func (x *exchange) shadow(p *routev3.RouteAction_RequestMirrorPolicy, out *http.Request, body []byte, t timeouts) {
	name := p.GetCluster()
	if name == "" {
		name = x.header.Get(p.GetClusterHeader())
	}
	c := x.h.world.Cluster(name)
	if c == nil {
		return
	}
	select {
	case x.h.shadows <- struct{}{}:
	default:
		x.shadowDropped()
		return
	}
	limit := t.global
	if limit <= 0 {
		limit = defaultTimeout
	}
	copied := out.Clone(context.WithoutCancel(out.Context()))
	copied.Host = shadowed(out.Host, p.GetDisableShadowHostSuffixAppend())
	copied.Trailer, copied.Body, copied.ContentLength = nil, http.NoBody, 0
	if len(body) > 0 {
		copied.Body, copied.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	x.h.tasks.Go("mirrored request", func() error {
		defer func() { <-x.h.shadows }()
		x.h.drop(c, copied, limit)
		return nil
	})
}

// drop sends a request and forgets the answer.
func (h *Handler) drop(c *upstream.Cluster, r *http.Request, limit time.Duration) {
	ctx, cancel := context.WithTimeout(h.ctx, limit)
	defer cancel()
	answer := c.Do(r.WithContext(ctx), upstream.Call{Timeout: limit})
	if answer.Response == nil {
		return
	}
	_, _ = io.Copy(io.Discard, answer.Response.Body)
	_ = answer.Response.Body.Close()
}

// shadowed is the host that a mirrored request asks for, so that the backend can
// tell it from others: "-shadow" behind the name, before a port.
func shadowed(host string, plain bool) string {
	if plain {
		return host
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return host + "-shadow"
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name + "-shadow:" + port
}

// kept is a body of which a copy is kept while it is read.
type kept struct {
	io.ReadCloser
	copied  bytes.Buffer
	done    func([]byte) // called once, at the end of a body that was kept
	tooLong func()
}

// Read reads on and keeps what was read.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	switch {
	case k.done == nil:
	case k.copied.Len()+n > maxMirrored:
		k.done = nil
		k.copied = bytes.Buffer{}
		k.tooLong()
	default:
		k.copied.Write(p[:n])
		if err == io.EOF {
			done := k.done
			k.done = nil
			done(k.copied.Bytes())
		}
	}
	return n, err
}
