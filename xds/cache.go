package xds

import (
	"context"
	"errors"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/meshtui/engine/mesh"
)

// store is the cache behind go-control-plane's server. It holds nothing itself:
// a watch is tied to the subscription of its stream, and the node says what is
// offered. The server keeps nonces, the order of messages and the wildcard rules.
type store struct{ tracker *tracker }

var _ cache.Cache = store{}

// watch is the way to one stream for one subscription: a channel of the server.
type watch struct {
	open    bool // the server listens
	pending bool // a token is on the channel
	number  int  // tells an outdated cancel from a valid one

	sotw     chan cache.Response
	sotwReq  *discovery.DiscoveryRequest
	delta    chan cache.DeltaResponse
	deltaReq *discovery.DeltaDiscoveryRequest
}

// CreateWatch ties a SotW request to its subscription and answers at once when
// there is something to say.
func (c store) CreateWatch(req *discovery.DiscoveryRequest, want cache.Subscription, ch chan cache.Response) (func(), error) {
	return c.watch(req, func(n *node, s *sub, first bool) error {
		s.watch.sotw, s.watch.sotwReq = ch, req
		n.subscribeSotW(s, req, want, first)
		return nil
	})
}

// CreateDeltaWatch is CreateWatch for a delta request.
func (c store) CreateDeltaWatch(req *discovery.DeltaDiscoveryRequest, want cache.Subscription, ch chan cache.DeltaResponse) (func(), error) {
	return c.watch(req, func(n *node, s *sub, first bool) error {
		s.watch.delta, s.watch.deltaReq = ch, req
		return n.subscribeDelta(s, req, want, first)
	})
}

// watch finds the subscription that a request is about, lets subscribe take over
// what it asks for, and answers what is due.
func (c store) watch(req asking, subscribe func(n *node, s *sub, first bool) error) (func(), error) {
	st := c.tracker.streamOf(req.GetNode())
	if st == nil {
		return nil, errNoStream
	}
	n := st.node
	n.mu.Lock()
	defer n.mu.Unlock()
	s, first, err := st.subscription(req.GetTypeUrl())
	if err != nil || s == nil {
		return nil, err
	}
	if err := subscribe(n, s, first); err != nil {
		return nil, err
	}
	return n.watching(s), nil
}

// asking is what a SotW and a delta request have in common.
type asking interface {
	GetNode() *corev3.Node
	GetTypeUrl() string
}

// Fetch serves REST, which this server does not offer.
func (c store) Fetch(context.Context, *discovery.DiscoveryRequest) (cache.Response, error) {
	return nil, status.Error(codes.Unimplemented, "this server speaks xDS over gRPC streams only")
}

var errNoStream = errors.New("a request came on a stream that is not known; this is a defect of the server")

// otherTypes are answered at once with nothing, so that no node waits for them.
var otherTypes = map[string]bool{resource.RateLimitConfigType: true}

// subscription finds or makes the stream's subscription to a type. It is nil
// for a type that xDS does not know: such a request stays unanswered, and the
// stream lives on.
func (st *stream) subscription(url string) (s *sub, first bool, err error) {
	if s := st.subs[url]; s != nil {
		if s.silent {
			return nil, false, nil
		}
		return s, false, nil
	}
	typ, known := mesh.TypeOfURL(url)
	if len(st.subs) >= maxStreamTypes {
		return nil, false, status.Errorf(codes.ResourceExhausted, "more than %d types on one stream", maxStreamTypes)
	}
	s = &sub{stream: st, url: url, typ: typ}
	st.subs[url] = s
	if !known && !otherTypes[url] {
		s.silent = true
		return nil, false, nil
	}
	return s, true, nil
}

// watching opens the watch, says what is due, and returns how to close it.
func (n *node) watching(s *sub) func() {
	w := &s.watch
	w.open = true
	w.number++
	number := w.number
	n.push(s)
	n.rouse() // what is asked for has changed, and a step may have waited for that
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if w.number != number {
			return
		}
		w.open = false
		if w.sotw != nil {
			// The server throws away what is left on a SotW channel. What it
			// stood for is still marked, and goes out with the next watch.
			w.pending = false
		}
	}
}

// push puts a token on the subscription's channel if something is due and none
// is there. It never waits: every channel has room for one token of each type,
// and if ever it had not, the mark would stay for the next push.
func (n *node) push(s *sub) {
	w := &s.watch
	if !w.open || w.pending || !s.due() || !n.ready() || s.heldBack(n.srv.o.Now()) > 0 {
		return
	}
	if w.delta != nil {
		select {
		case w.delta <- &deltaToken{sub: s, req: w.deltaReq}:
			w.pending = true
		default:
		}
		return
	}
	select {
	case w.sotw <- &sotwToken{sub: s, req: w.sotwReq}:
		w.pending = true
	default:
	}
}

// release pushes what was held back for long enough, and returns when to look
// again; 0 when nothing is held back.
func (n *node) release(now time.Time) (again time.Duration) {
	for _, st := range n.streams {
		for _, s := range st.subs {
			if d := s.heldBack(now); d > 0 && (again == 0 || d < again) {
				again = d
			}
			n.push(s)
		}
	}
	return again
}

// kick pushes what is due of these types on every stream, in the given order.
func (n *node) kick(types ...mesh.Type) {
	for _, t := range types {
		for _, st := range n.streams {
			if s := st.subs[t.URL()]; s != nil {
				n.push(s)
			}
		}
	}
}
