package forward

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"example.com/meshtui/demo/proxy/forward/format"
	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/task"
)

// serverName is what the proxy says in the header "server" where an Envoy says
// "envoy", unless the configuration has another name.
const serverName = "meshtui"

// World is what is configured at the moment of a request.
type World interface {
	// Matcher says which way a request takes; nil is one without listeners.
	Matcher() *match.Matcher
	// Cluster is the cluster of that name, nil when there is none.
	Cluster(name string) *upstream.Cluster
}

// Answered is one request after its end, as a line of an access log tells it.
type Answered struct {
	Start    time.Time
	Took     time.Duration
	Way      match.Way
	Status   int // 0 when the client went away before there was one
	Cluster  string
	Endpoint string // that was asked last; "" for none
	Attempts int
	Flags    string // Envoy's response_flags: "NR", "UF,URX"; "" for none
	Details  string // Envoy's response_code_details
}

// Handler answers the requests of one listener.
type Handler struct {
	listener string
	world    World
	hostname string
	address  string // of this machine, as others know it
	counters counters
	record   func(Answered)

	managers sync.Map // *HttpConnectionManager → *manager

	shadows chan struct{} // a slot for each mirrored request under way
	tasks   *task.Group
	ctx     context.Context // ends with Close
}

// maxShadows is how many mirrored requests of one listener may be under way; what
// would be more is not sent, and counted.
const maxShadows = 128

// New is the handler of the listener with that name. Close it at the end.
func New(listener string, w World) *Handler {
	h := &Handler{listener: listener, world: w, shadows: make(chan struct{}, maxShadows)}
	h.hostname, _ = os.Hostname() // a machine without a name has an empty one
	h.address = machineAddress()
	h.tasks, h.ctx = task.New(context.Background())
	return h
}

// OnAnswer has fn told of every request after its end. It must be called before
// the first request, and fn must be safe for any number of goroutines.
func (h *Handler) OnAnswer(fn func(Answered)) { h.record = fn }

// Close ends what goes on in the background, mirrored requests and upgraded
// connections, and waits for it. It returns what went wrong there.
func (h *Handler) Close() error {
	h.tasks.Stop()
	return h.tasks.Wait()
}

// ServeHTTP answers one request. Where an Envoy would close the connection, or
// reset the stream, it panics with http.ErrAbortHandler, as net/http has it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := h.world.Matcher()
	if m == nil {
		panic(http.ErrAbortHandler)
	}
	x := &exchange{h: h, w: w, r: r, start: time.Now(), body: newBody(r)}
	request := x.request()
	x.way = m.Match(&request)
	x.begin()
	defer x.end()
	x.proceed()
	if x.checksHealth() {
		x.healthy()
		return
	}
	if x.way.Config != nil && x.way.Action != match.Refused { // it reaches the router
		h.counters.add("http."+x.prefix+".rq_total", 1)
	}
	switch x.way.Action {
	case match.Forward:
		x.forward()
	case match.NotFound, match.Redirect, match.DirectResponse, match.Refused:
		x.answerItself()
	case match.Undecided:
		// Package accept refuses what leads here; what it missed must not look
		// like an Envoy's answer.
		x.reply(local{status: http.StatusNotImplemented, body: "the built-in proxy cannot decide: " + x.way.Reason, details: "undecided"})
	default: // no listener, no filter chain, bytes
		x.abort("", "filter_chain_not_found")
	}
}

// exchange is one request and its answer.
type exchange struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	start time.Time
	way   match.Way

	ctx    context.Context // of the request as it goes on
	prefix string          // stat_prefix of the connection manager
	header http.Header     // of the request as it goes on
	values format.Values   // for header formats
	scheme string          // of the request, as routes see it
	// authority is the Host as header formats see it at this moment.
	authority string
	body      *clientBody
	limits    timeouts // in force
	cookies   []string // that the hash policies set
	closes    bool     // the connection closes after the answer

	status         int
	flags, details string
	endpoint       string
	cluster        string
	attempts       int
}

// request is the request as package match wants it.
func (x *exchange) request() match.Request {
	random := rand.Uint64()
	m := match.Request{
		Listener: x.h.listener, Method: x.r.Method, Host: x.r.Host, Path: x.r.RequestURI,
		HTTP10: !x.r.ProtoAtLeast(1, 1), HTTP2: x.r.ProtoMajor == 2, Random: &random,
		Source: addrPort(x.r.RemoteAddr),
	}
	if local, ok := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		at := addrPort(local.String())
		m.Address, m.Port = at.Addr(), uint32(at.Port())
	}
	if t := x.r.TLS; t != nil {
		m.TLS, m.SNI = true, t.ServerName
		m.Presented, m.Validated = len(t.PeerCertificates) > 0, len(t.VerifiedChains) > 0
		if t.NegotiatedProtocol != "" {
			m.ALPN = []string{t.NegotiatedProtocol}
		}
	}
	if x.r.Host == "" && x.r.ProtoAtLeast(1, 1) { // net/http refuses a request without one: it was there, and empty
		m.Headers = append(m.Headers, routes.Header{Name: "host"})
	}
	for name, values := range x.r.Header {
		for _, v := range values {
			m.Headers = append(m.Headers, routes.Header{Name: name, Value: v})
		}
	}
	return m
}

// addrPort is an address with a port; another, such as a socket's path, is the
// invalid one.
func addrPort(s string) netip.AddrPort {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// begin fills in what the answer, whatever it is, is made of.
func (x *exchange) begin() {
	x.prefix = x.way.Manager.GetStatPrefix()
	x.header = x.seen()
	x.scheme, x.authority = x.way.Seen.Scheme, x.way.Seen.Authority
	x.limits.idle = x.streamIdle()
	local, _ := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	x.values = format.Values{
		Request: x.requestHeader, Start: x.start, Protocol: x.r.Proto, Hostname: x.h.hostname,
		Direct: addrPort(x.r.RemoteAddr), Remote: x.client(), RouteName: x.way.Route.Name, Cluster: x.way.Cluster,
	}
	if x.r.ProtoMajor == 2 {
		x.values.Protocol = "HTTP/2"
	}
	if local != nil {
		x.values.Local = addrPort(local.String())
	}
	if x.r.TLS != nil {
		x.values.SNI = x.r.TLS.ServerName
	}
	x.h.counters.begin(x.prefix)
}

// end counts and records the answer. It runs too when the handler panics.
func (x *exchange) end() {
	x.h.counters.end(x.prefix, x.status)
	if x.h.record != nil {
		x.h.record(Answered{
			Start: x.start, Took: time.Since(x.start), Way: x.way, Status: x.status, Cluster: x.cluster,
			Endpoint: x.endpoint, Attempts: x.attempts, Flags: x.flags, Details: x.details,
		})
	}
}

// abort closes the connection, or resets the stream, without an answer.
func (x *exchange) abort(flags, details string) {
	x.flags, x.details = flags, details
	panic(http.ErrAbortHandler)
}
