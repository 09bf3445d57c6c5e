package xdstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Patience is how long a test waits for something that must come.
const Patience = 20 * time.Second

// Response is what the server sent, SotW or delta.
type Response struct {
	Type      mesh.Type // 0 for a type that is no resource of a mesh
	URL       string
	Version   string // version_info, or system_version_info
	Nonce     string
	Names     []string // in the order in which they came
	Removed   []string // delta
	Resources map[string]*anypb.Any
	Versions  map[string]string // delta, by name
}

// String is the response on one line.
func (r Response) String() string {
	s := fmt.Sprintf("%s %v", r.Type.Service(), r.Names)
	if len(r.Removed) > 0 {
		s += fmt.Sprintf(" removed %v", r.Removed)
	}
	return s
}

// Stream is one xDS stream that does only what it is told. It is for one
// goroutine.
type Stream struct {
	c      *Client
	sotw   sotwStream
	delta  deltaStream
	cancel context.CancelFunc
	reader *task.Group

	introduced bool                // the node was sent
	names      map[string][]string // SotW: what is subscribed, by type URL
	nonce      map[string]string   // SotW: of the newest response that was answered
	accepted   map[string]string   // SotW: the version accepted last
	barriers   int
	lenient    bool // a send that fails is no failure of the test

	mu    sync.Mutex
	queue []Response
	ended error
	more  chan struct{}
}

func newStream(c *Client, cancel context.CancelFunc) *Stream {
	g, _ := task.New(context.Background())
	return &Stream{
		c: c, cancel: cancel, reader: g, more: make(chan struct{}, 1),
		names: map[string][]string{}, nonce: map[string]string{}, accepted: map[string]string{},
	}
}

func (s *Stream) start() {
	s.reader.Go("xdstest stream", func() error {
		for {
			r, err := s.receive()
			s.mu.Lock()
			if err != nil {
				s.ended = err
			} else {
				s.queue = append(s.queue, r)
			}
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return nil //nolint:nilerr // the stream's end is for whoever reads it, not for the group
			}
		}
	})
}

func (s *Stream) receive() (Response, error) {
	if s.delta != nil {
		m, err := s.delta.Recv()
		if err != nil {
			return Response{}, err
		}
		return deltaResponse(m), nil
	}
	m, err := s.sotw.Recv()
	if err != nil {
		return Response{}, err
	}
	return sotwResponse(m)
}

func sotwResponse(m *discovery.DiscoveryResponse) (Response, error) {
	t, _ := mesh.TypeOfURL(m.GetTypeUrl())
	r := Response{Type: t, URL: m.GetTypeUrl(), Version: m.GetVersionInfo(), Nonce: m.GetNonce(), Resources: map[string]*anypb.Any{}}
	for _, a := range m.GetResources() {
		msg, err := a.UnmarshalNew()
		if err != nil {
			return r, fmt.Errorf("a resource in the response cannot be read: %w", err)
		}
		name := mesh.NameOf(msg)
		r.Names = append(r.Names, name)
		r.Resources[name] = a
	}
	return r, nil
}

func deltaResponse(m *discovery.DeltaDiscoveryResponse) Response {
	t, _ := mesh.TypeOfURL(m.GetTypeUrl())
	r := Response{
		Type: t, URL: m.GetTypeUrl(), Version: m.GetSystemVersionInfo(), Nonce: m.GetNonce(), Removed: m.GetRemovedResources(),
		Resources: map[string]*anypb.Any{}, Versions: map[string]string{},
	}
	for _, res := range m.GetResources() {
		r.Names = append(r.Names, res.GetName())
		r.Resources[res.GetName()] = res.GetResource()
		r.Versions[res.GetName()] = res.GetVersion()
	}
	return r
}

// Close ends the stream.
func (s *Stream) Close() {
	s.cancel()
	_ = s.reader.Wait() // it ends with the stream's error, which Err tells
}

// CloseConn ends the connection that the stream is on, and so the stream.
func (s *Stream) CloseConn() {
	s.c.Close()
	_ = s.reader.Wait() // it ends with the stream's error, which Err tells
}

// End says that no more requests come, and returns the responses that still came
// before the server ended the stream, too.
func (s *Stream) End() []Response {
	s.c.t.Helper()
	if s.delta != nil {
		s.check(s.delta.CloseSend())
	} else {
		s.check(s.sotw.CloseSend())
	}
	_ = s.Err() // that it ended is all that counts
	var rest []Response
	for {
		r, ok := s.Poll()
		if !ok {
			return rest
		}
		rest = append(rest, r)
	}
}

// Poll is the next response if one has come already.
func (s *Stream) Poll() (Response, bool) {
	r, ok, _ := s.pop()
	return r, ok
}

// More is a channel on which a wake-up lies when a response may have come, or
// the stream may have ended, since it was last taken.
func (s *Stream) More() <-chan struct{} { return s.more }

// Next is the next response. It fails the test when none comes.
func (s *Stream) Next() Response {
	s.c.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		r, ok, err := s.pop()
		if ok {
			return r
		}
		if err != nil {
			s.c.t.Fatalf("%s: the stream ended while a response was awaited: %v", s.c.config.ID, err)
		}
		select {
		case <-s.more:
		case <-deadline.C:
			s.c.t.Fatalf("%s: no response came", s.c.config.ID)
		}
	}
}

func (s *Stream) pop() (Response, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Response{}, false, s.ended
	}
	r := s.queue[0]
	s.queue = s.queue[1:]
	return r, true, nil
}

// Err waits for the stream to end and returns with what; responses that came
// before are skipped.
func (s *Stream) Err() error {
	s.c.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		err := s.ended
		s.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-s.more:
		case <-deadline.C:
			s.c.t.Fatalf("%s: the stream did not end", s.c.config.ID)
		}
	}
}

// Subscribe asks for names: SotW all that are wanted from now on, delta those
// that come on top. No names is the wildcard, or in delta on a type that was
// asked for before, nothing new.
func (s *Stream) Subscribe(t mesh.Type, names ...string) {
	s.c.t.Helper()
	if s.delta != nil {
		s.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
		return
	}
	s.names[t.URL()] = names
	s.SendSotW(&discovery.DiscoveryRequest{
		TypeUrl: t.URL(), ResourceNames: names, VersionInfo: s.accepted[t.URL()], ResponseNonce: s.nonce[t.URL()],
	})
}

// Resume is the first request of a client that comes back: it holds a version
// (SotW) or versions by name (delta).
func (s *Stream) Resume(t mesh.Type, version string, held map[string]string, names ...string) {
	s.c.t.Helper()
	if s.delta != nil {
		s.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names, InitialResourceVersions: held})
		return
	}
	s.names[t.URL()], s.accepted[t.URL()] = names, version
	s.SendSotW(&discovery.DiscoveryRequest{TypeUrl: t.URL(), ResourceNames: names, VersionInfo: version})
}

// Unsubscribe drops names; delta only.
func (s *Stream) Unsubscribe(t mesh.Type, names ...string) {
	s.c.t.Helper()
	s.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesUnsubscribe: names})
}

// Ack accepts a response.
func (s *Stream) Ack(r Response) {
	s.c.t.Helper()
	s.nonce[r.URL], s.accepted[r.URL] = r.Nonce, r.Version
	s.answer(r, "")
}

// Nack refuses a response in these words.
func (s *Stream) Nack(r Response, message string) {
	s.c.t.Helper()
	s.nonce[r.URL] = r.Nonce
	s.answer(r, message)
}

// NackWrongly does what Envoy does when it held the answer to a bad response
// back until it had taken a good one: it reports the error of the bad one with
// the nonce and the version of the good one. SotW only.
func (s *Stream) NackWrongly(good Response, message string) {
	s.c.t.Helper()
	s.nonce[good.URL], s.accepted[good.URL] = good.Nonce, good.Version
	s.answer(good, message)
}

func (s *Stream) answer(r Response, message string) {
	s.c.t.Helper()
	var failure *rpcstatus.Status
	if message != "" {
		failure = &rpcstatus.Status{Code: int32(codes.Internal), Message: message}
	}
	if s.delta != nil {
		s.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: r.URL, ResponseNonce: r.Nonce, ErrorDetail: failure})
		return
	}
	s.SendSotW(&discovery.DiscoveryRequest{
		TypeUrl: r.URL, ResourceNames: s.names[r.URL], VersionInfo: s.accepted[r.URL], ResponseNonce: r.Nonce, ErrorDetail: failure,
	})
}

// SendSotW sends a request as it is; only the node is put into the first.
func (s *Stream) SendSotW(r *discovery.DiscoveryRequest) {
	s.c.t.Helper()
	if !s.introduced {
		s.introduced, r.Node = true, s.c.node()
	}
	s.check(s.sotw.Send(r))
}

// SendDelta sends a request as it is; only the node is put into the first.
func (s *Stream) SendDelta(r *discovery.DeltaDiscoveryRequest) {
	s.c.t.Helper()
	if !s.introduced {
		s.introduced, r.Node = true, s.c.node()
	}
	s.check(s.delta.Send(r))
}

// check fails the test when a request could not be sent, unless the stream has
// ended: with what, Next and Err tell.
func (s *Stream) check(err error) {
	s.c.t.Helper()
	if err != nil && !errors.Is(err, io.EOF) && !s.lenient {
		s.c.t.Fatalf("%s: send: %v", s.c.config.ID, err)
	}
}

// Barrier asks an aggregated stream for something that is always answered, and
// returns what came before the answer. When it returns, the server has dealt
// with everything that was sent to it before; so it can prove that something did
// not come.
func (s *Stream) Barrier() []Response {
	s.c.t.Helper()
	s.barriers++
	name := fmt.Sprintf("barrier-%d", s.barriers)
	if s.delta != nil {
		s.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: resource.RateLimitConfigType, ResourceNamesSubscribe: []string{name}})
	} else {
		s.names[resource.RateLimitConfigType] = []string{name} // which the ACK repeats
		s.SendSotW(&discovery.DiscoveryRequest{
			TypeUrl: resource.RateLimitConfigType, ResourceNames: []string{name},
			VersionInfo: s.accepted[resource.RateLimitConfigType], ResponseNonce: s.nonce[resource.RateLimitConfigType],
		})
	}
	var before []Response
	for {
		r := s.Next()
		if r.URL == resource.RateLimitConfigType {
			s.Ack(r)
			return before
		}
		before = append(before, r)
	}
}

// Held are the versions by name that a delta client holds after a response.
func Held(rs ...Response) map[string]string {
	held := map[string]string{}
	for _, r := range rs {
		maps.Copy(held, r.Versions)
		for _, name := range r.Removed {
			delete(held, name)
		}
	}
	return held
}

// Sorted is a sorted copy.
func Sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
