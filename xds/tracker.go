package xds

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// tracker follows every stream through go-control-plane's callbacks and enters
// what happens on it as facts about its node. SotW and delta streams are
// numbered separately, hence the key.
type tracker struct {
	srv *Server

	mu       sync.Mutex
	streams  map[streamKey]*stream
	byClient map[*corev3.Node]*stream
	turned   map[string]refusal // by node id or host, what was told last
}

// refusal is that a node was not let in, or sent away.
type refusal struct {
	why string
	at  time.Time
}

const (
	// refusedAgain is how often the same refusal of a node that knocks on is told.
	refusedAgain = 30 * time.Second
	// maxRefusals is how many are remembered: the ids come from outside.
	maxRefusals = 1000
)

// refused enters on the wire that a request is the end of its stream, and
// returns why it is; a nil error is that it is not.
func (t *tracker) refused(st *stream, info *corev3.Node, err error) error {
	if err == nil {
		return nil
	}
	id := info.GetId()
	if st.node != nil {
		id = st.node.id
	}
	id = strings.ToValidUTF8(strings.Clone(id[:min(len(id), maxNodeID)]), "")
	t.tell(id, Message{Node: id, Stream: st.id, Variant: st.variant, TypeURL: st.url, Detail: status.Convert(err).Message()})
	return err
}

// unproven enters that somebody could not prove who he is.
func (t *tracker) unproven(from net.Addr, why error) {
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		host = from.String()
	}
	t.tell(host, Message{Detail: "TLS with " + host + ": " + why.Error()})
}

// tell enters a refusal on the wire, unless the same was told of the same one a
// moment ago.
func (t *tracker) tell(id string, m Message) {
	why, now := m.Detail, t.srv.o.Now()
	t.mu.Lock()
	last, known := t.turned[id]
	told := known && last.why == why && now.Sub(last.at) < refusedAgain
	if !told {
		if len(t.turned) >= maxRefusals {
			clear(t.turned)
		}
		t.turned[id] = refusal{why, now}
	}
	t.mu.Unlock()
	if !told {
		m.At, m.Kind = now, Refused
		t.srv.wire.add(m, nil)
		t.srv.changed()
	}
}

type streamKey struct {
	delta bool
	id    int64
}

func newTracker(s *Server) *tracker {
	return &tracker{srv: s, streams: map[streamKey]*stream{}, byClient: map[*corev3.Node]*stream{}, turned: map[string]refusal{}}
}

// streamOf is the stream that a request came on, by the node that the tracker
// put into it; nil when there is none.
func (t *tracker) streamOf(client *corev3.Node) *stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byClient[client]
}

func (t *tracker) stream(k streamKey) *stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streams[k]
}

func (t *tracker) open(ctx context.Context, k streamKey, url string) {
	st := &stream{id: k.id, url: url, subs: map[string]*sub{}, peer: streamPeer(ctx)}
	switch {
	case k.delta && url == "":
		st.variant = DeltaADS
	case k.delta:
		st.variant = Delta
	case url == "":
		st.variant = SotWADS
	default:
		st.variant = SotW
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[k] = st
}

func (t *tracker) close(k streamKey) {
	t.mu.Lock()
	st := t.streams[k]
	delete(t.streams, k)
	if st != nil {
		delete(t.byClient, st.client)
	}
	t.mu.Unlock()
	if st == nil || st.node == nil {
		return
	}
	st.node.closed(st)
}

// identify ties a stream to its node on the first request.
func (t *tracker) identify(st *stream, info *corev3.Node, has claim) error {
	if st.node != nil {
		return nil
	}
	switch id := info.GetId(); {
	case id == "":
		return status.Error(codes.InvalidArgument, "the first request on a stream must say node.id; this one does not")
	case len(id) > maxNodeID || len(info.GetCluster()) > maxNodeID:
		return status.Errorf(codes.InvalidArgument, "node.id has %d bytes and node.cluster %d; at most %d are taken", len(id), len(info.GetCluster()), maxNodeID)
	}
	if size := proto.Size(info); size > maxNode {
		return status.Errorf(codes.InvalidArgument, "what the node says of itself has %d bytes; at most %d are taken", size, maxNode)
	}
	if err := t.srv.admit(st, info); err != nil {
		return err
	}
	st.client = info
	if err := t.srv.bind(st, info, has); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byClient[info] = st
	return nil
}

// OnStreamOpen notes a SotW stream.
func (t *tracker) OnStreamOpen(ctx context.Context, id int64, url string) error {
	t.open(ctx, streamKey{false, id}, url)
	return nil
}

// OnStreamClosed forgets a SotW stream.
func (t *tracker) OnStreamClosed(id int64, _ *corev3.Node) { t.close(streamKey{false, id}) }

// OnDeltaStreamOpen notes a delta stream.
func (t *tracker) OnDeltaStreamOpen(ctx context.Context, id int64, url string) error {
	t.open(ctx, streamKey{true, id}, url)
	return nil
}

// OnDeltaStreamClosed forgets a delta stream.
func (t *tracker) OnDeltaStreamClosed(id int64, _ *corev3.Node) { t.close(streamKey{true, id}) }

// request is what a SotW and a delta request have in common.
type request struct {
	url            string
	nonce, version string
	names, removed []string
	failure        *rpcstatus.Status
	body           proto.Message
	bytes          int
}

// OnStreamRequest enters a SotW request: a subscription, an ACK or a NACK.
func (t *tracker) OnStreamRequest(id int64, req *discovery.DiscoveryRequest) error {
	st := t.stream(streamKey{false, id})
	if st == nil {
		return errNoStream
	}
	return t.refused(st, req.GetNode(), t.sotwRequest(st, req))
}

func (t *tracker) sotwRequest(st *stream, req *discovery.DiscoveryRequest) error {
	if err := t.srv.checkSotW(st, req); err != nil {
		return err
	}
	repeated := st.client != nil // the server or the client put the node in again
	if err := t.identify(st, req.GetNode(), claim{typ: typeOf(firstOf(req.GetTypeUrl(), st.url)), version: req.GetVersionInfo()}); err != nil {
		return err
	}
	req.Node = st.client
	if e := req.GetErrorDetail(); e != nil {
		e.Message = cleanWords(typeOf(req.GetTypeUrl()), e.GetMessage())
	}
	st.asks, st.drops = req.GetResourceNames(), nil
	body := &discovery.DiscoveryRequest{
		VersionInfo: req.GetVersionInfo(), ResourceLocators: req.GetResourceLocators(),
		TypeUrl: req.GetTypeUrl(), ResponseNonce: req.GetResponseNonce(), ErrorDetail: req.GetErrorDetail(),
	}
	if !repeated {
		body.Node = st.client
	}
	bytes := proto.Size(body) + t.srv.names.sizeOf(st.asks)
	body.ResourceNames, req.ResourceNames = st.asks, brief(st.asks)
	st.node.heard(st, request{
		url: req.GetTypeUrl(), nonce: req.GetResponseNonce(), version: req.GetVersionInfo(),
		names: st.asks, failure: req.GetErrorDetail(), body: body, bytes: bytes,
	})
	return nil
}

// OnStreamDeltaRequest enters a delta request. It is called before the server
// fills in what only the first request says.
func (t *tracker) OnStreamDeltaRequest(id int64, req *discovery.DeltaDiscoveryRequest) error {
	st := t.stream(streamKey{true, id})
	if st == nil {
		return errNoStream
	}
	return t.refused(st, req.GetNode(), t.deltaRequest(st, req))
}

func (t *tracker) deltaRequest(st *stream, req *discovery.DeltaDiscoveryRequest) error {
	if req.GetTypeUrl() == "" {
		req.TypeUrl = st.url
	}
	if err := t.srv.checkDelta(st, req); err != nil {
		return err
	}
	repeated := st.client != nil
	if err := t.identify(st, req.GetNode(), claim{typ: typeOf(req.GetTypeUrl()), resources: len(req.GetInitialResourceVersions()) > 0}); err != nil {
		return err
	}
	req.Node = st.client
	if e := req.GetErrorDetail(); e != nil {
		e.Message = cleanWords(typeOf(req.GetTypeUrl()), e.GetMessage())
	}
	names := req.GetResourceNamesSubscribe()
	if req.GetTypeUrl() == mesh.VirtualHost.URL() {
		st.node.inquire(st, req)
	}
	st.asks, st.drops = req.GetResourceNamesSubscribe(), req.GetResourceNamesUnsubscribe()
	body := &discovery.DeltaDiscoveryRequest{
		TypeUrl: req.GetTypeUrl(), ResourceNamesUnsubscribe: st.drops,
		ResourceLocatorsSubscribe: req.GetResourceLocatorsSubscribe(), ResourceLocatorsUnsubscribe: req.GetResourceLocatorsUnsubscribe(),
		InitialResourceVersions: req.GetInitialResourceVersions(), ResponseNonce: req.GetResponseNonce(), ErrorDetail: req.GetErrorDetail(),
	}
	if !repeated {
		body.Node = st.client
	}
	bytes := proto.Size(body) + t.srv.names.sizeOf(names)
	body.ResourceNamesSubscribe = names
	req.ResourceNamesSubscribe, req.ResourceNamesUnsubscribe = brief(st.asks), brief(st.drops)
	st.node.heard(st, request{
		url: req.GetTypeUrl(), nonce: req.GetResponseNonce(), names: names, removed: st.drops,
		failure: req.GetErrorDetail(), body: body, bytes: bytes,
	})
	return nil
}

// OnStreamResponse enters a SotW response right before it is sent.
func (t *tracker) OnStreamResponse(_ context.Context, id int64, _ *discovery.DiscoveryRequest, resp *discovery.DiscoveryResponse) {
	if st := t.stream(streamKey{false, id}); st != nil {
		st.node.said(st, resp.GetTypeUrl(), resp.GetNonce(), resp)
	}
}

// OnStreamDeltaResponse enters a delta response right before it is sent.
func (t *tracker) OnStreamDeltaResponse(id int64, _ *discovery.DeltaDiscoveryRequest, resp *discovery.DeltaDiscoveryResponse) {
	if st := t.stream(streamKey{true, id}); st != nil {
		st.node.said(st, resp.GetTypeUrl(), resp.GetNonce(), resp)
	}
}

// OnFetchRequest refuses REST, which is not served.
func (t *tracker) OnFetchRequest(context.Context, *discovery.DiscoveryRequest) error {
	return status.Error(codes.Unimplemented, "this server speaks xDS over gRPC streams only")
}

// OnFetchResponse is never reached.
func (t *tracker) OnFetchResponse(*discovery.DiscoveryRequest, *discovery.DiscoveryResponse) {}

// typeOf is mesh.TypeOfURL for a message of the wire: 0 for what we do not serve.
func typeOf(url string) mesh.Type {
	t, _ := mesh.TypeOfURL(url)
	return t
}

// firstOf is a request's own type URL, or that of its stream.
func firstOf(url, stream string) string {
	if url == "" {
		return stream
	}
	return url
}
