package xds_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// Delta requests that no node sends end their stream with a reason, or are
// answered; they never do harm.
func TestBadDeltaRequests(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	many := make([]string, 10_000)
	held := map[string]string{}
	for i := range many {
		many[i] = fmt.Sprintf("cluster-%d", i)
		held[many[i]] = "0"
	}
	for _, c := range []struct {
		name, id string
		req      *discovery.DeltaDiscoveryRequest
		want     codes.Code // OK: it is answered
	}{
		{"no node id", "", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Cluster.URL()}, codes.InvalidArgument},
		{"a node id of 1 MB", strings.Repeat("x", 1<<20), &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Cluster.URL()}, codes.InvalidArgument},
		{"no type", "envoy-1", &discovery.DeltaDiscoveryRequest{}, codes.InvalidArgument},
		{"10,000 names", "envoy-1", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Endpoints.URL(), ResourceNamesSubscribe: many}, codes.OK},
		{"10,000 names held", "envoy-1", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Cluster.URL(), InitialResourceVersions: held}, codes.OK},
		{"what was never asked for is given up", "envoy-1", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Endpoints.URL(), ResourceNamesUnsubscribe: many}, codes.OK},
		{"an answer to nothing", "envoy-1", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Cluster.URL(), ResponseNonce: "4711"}, codes.OK},
		{"a name of 5 MiB", "envoy-1", &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Endpoints.URL(), ResourceNamesSubscribe: []string{strings.Repeat("x", 5<<20)}}, codes.InvalidArgument},
	} {
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: c.id, Delta: true}).Open()
		st.SendDelta(c.req)
		if c.want == codes.OK {
			st.Next()
			mustBeQuiet(t, st)
		} else if err := st.Err(); status.Code(err) != c.want {
			t.Errorf("%s: the stream ended with %.200v", c.name, err)
		}
		st.Close()
	}
	mustServe(t, s, 1)
}

// mustServe holds that the server serves somebody who behaves, and that nothing
// in it panicked.
func mustServe(t *testing.T, s *served, revision int) {
	t.Helper()
	for _, delta := range []bool{false, true} {
		id := fmt.Sprint("well-behaved-", delta)
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: id, Delta: delta}, xdstest.EnvoyOptions{})
		s.through(id, revision, engine.Accepted)
		e.Stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.panics) > 0 {
		t.Errorf("panics: %v", s.panics)
	}
}

// A request of 5 MiB of many names is one that is answered; one beyond the limit
// of a message ends its stream.
func TestHugeRequests(t *testing.T) {
	s := serve(t, xds.Options{MaxNames: 1 << 20})
	s.Publish(revision(1, shop(t)))
	names := make([]string, 50_000)
	for i := range names {
		names[i] = fmt.Sprintf("%0100d", i)
	}
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
	st.Subscribe(mesh.Endpoints, names...)
	mustBe(t, st.Next(), mesh.Endpoints)
	st.Close()
	st = xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
	st.SendSotW(&discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL(), VersionInfo: strings.Repeat("x", 33<<20)})
	if err := st.Err(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("33 MiB: the stream ended with %.200v", err)
	}
	mustServe(t, s, 1)
}

// A type that xDS does not have is never answered and does not end the stream; a
// type on the stream of another service does.
func TestOddTypes(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		c := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta})
		st := c.Open()
		if url := "type.googleapis.com/no.such.Type"; delta {
			st.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: url})
		} else {
			st.SendSotW(&discovery.DiscoveryRequest{TypeUrl: url})
		}
		mustBeQuiet(t, st)
		st.Subscribe(mesh.Cluster)
		mustBe(t, st.Next(), mesh.Cluster, "app", "legacy")
		other := c.OpenType(mesh.Cluster)
		other.Subscribe(mesh.Endpoints, "app")
		if err := other.Err(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("endpoints asked for on the stream of clusters: it ended with %v", err)
		}
	})
}

// Bytes on the socket that are no HTTP/2, or that end in the middle of a frame,
// cost their own connection.
func TestGarbageOnTheSocket(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	rnd := rand.New(rand.NewPCG(7, 7))
	noise := make([]byte, 1<<16)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for _, garbage := range []string{
		"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", string(noise), preface, preface + settings + string(noise),
		preface + settings + "\x00\x00\x05\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff\xff",           // HEADERS that HPACK cannot read
		preface + settings + "\x00\xff\xff\x00\x00\x00\x00\x00\x01x",                              // DATA on no stream, cut short
		preface + "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",                          // a window update of 0
		preface + settings + strings.Repeat("\x00\x00\x08\x06\x00\x00\x00\x00\x00garbage!", 1000), // a flood of pings
		preface + settings + "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00",                           // a reset, cut short
	} {
		conn, err := net.Dial("unix", strings.TrimPrefix(s.addr, "unix:"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(garbage)) // the server may have hung up on it already
		conn.Close()
	}
	mustServe(t, s, 1)
	if n := len(s.State().Nodes); n != 2 {
		t.Errorf("%d nodes came of garbage", n-2)
	}
}

// rawCodec sends bytes as they are and keeps what comes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

const (
	sotwMethod  = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	deltaMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
)

// sendRaw sends messages of any bytes on a stream of its own, and waits for the
// server to have taken in all of them and ended it.
func sendRaw(t testing.TB, conn *grpc.ClientConn, method string, messages ...[]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), xdstest.Patience)
	defer cancel()
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if st.SendMsg(&messages[i]) != nil {
			break // the stream has ended, with what is told below
		}
	}
	_ = st.CloseSend() // the same
	for {
		var answer []byte
		if err = st.RecvMsg(&answer); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("the server neither takes %q nor ends the stream", messages)
	}
	if status.Code(err) == codes.Unavailable {
		t.Fatalf("the connection broke over %q: %v", messages, err)
	}
}

func dialRaw(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Whatever bytes a request is made of, they harm nobody. The first byte chooses
// the variant; the rest goes out as one message, and as two.
func FuzzRequest(f *testing.F) {
	add := func(variant byte, m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{variant}, b...))
	}
	node := &corev3.Node{Id: "fuzz"}
	for _, typ := range mesh.Types() {
		add(0, &discovery.DiscoveryRequest{Node: node, TypeUrl: typ.URL(), ResourceNames: []string{"app", "*", ""}, ResponseNonce: "1"})
		add(1, &discovery.DeltaDiscoveryRequest{
			Node: node, TypeUrl: typ.URL(), ResourceNamesSubscribe: []string{"app", "*", ""}, ResourceNamesUnsubscribe: []string{"app", "x"},
			InitialResourceVersions: map[string]string{"app": "1", "": ""},
		})
	}
	add(0, &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL(), ErrorDetail: &rpcstatus.Status{Message: "no"}})
	f.Add([]byte{0, 0xff})
	f.Add([]byte{1})
	s := serve(f, xds.Options{StepDeadline: 50 * time.Millisecond, ForgetAfter: time.Millisecond})
	s.Publish(revision(1, shop(f)))
	conn := dialRaw(f, s.addr)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		method := sotwMethod
		if data[0]%2 == 1 {
			method = deltaMethod
		}
		body := data[1:]
		sendRaw(t, conn, method, body)
		sendRaw(t, conn, method, body[:len(body)/2], body[len(body)/2:])
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.panics) > 0 {
			t.Fatalf("%q: %v", data, s.panics)
		}
	})
}
