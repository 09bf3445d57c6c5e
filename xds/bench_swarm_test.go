package xds_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// The clients of a race run in a process of their own, this very program
// started again, so that the server's processor time, allocations and memory can
// be told from theirs; and they move messages as bytes, since they run on the
// same cores.

const swarmEnv = "MESHTUI_BENCH_SWARM"

// swarmOrder is what a swarm is told to do.
type swarmOrder struct {
	Address string
	Delta   bool
	Nodes   int
	Names   []string
}

// swarm is such a process.
type swarm struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startSwarm starts the clients of a race, which ask for all names, and returns
// when each has got an answer.
func startSwarm(b *testing.B, c contender, f field) *swarm {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), swarmEnv+"=1", "GOGC=400")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &swarm{cmd: cmd, in: in, out: bufio.NewReader(out)}
	b.Cleanup(s.stop)
	if err := json.NewEncoder(in).Encode(swarmOrder{c.address(), c.delta(), f.nodes, f.names}); err != nil {
		b.Fatal(err)
	}
	if line, err := s.out.ReadString('\n'); line != "ready\n" {
		b.Fatalf("the clients say %q: %v", line, err)
	}
	return s
}

// received is how many bytes of responses the clients got so far.
func (s *swarm) received(b *testing.B) (bytes int64) {
	b.Helper()
	if _, err := fmt.Fprintln(s.in); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fscanln(s.out, &bytes); err != nil {
		b.Fatal(err)
	}
	return bytes
}

func (s *swarm) stop() {
	_ = s.in.Close() // it ends by that
	_ = s.cmd.Wait()
}

// beSwarm is the process of the clients: it does as it is told on standard
// input, and answers every further line with how much it received.
func beSwarm() {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadString('\n')
	var o swarmOrder
	if err == nil {
		err = json.Unmarshal([]byte(line), &o)
	}
	if err == nil {
		err = o.run(in)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the clients of a race:", err)
		os.Exit(1)
	}
}

func (o swarmOrder) run(in *bufio.Reader) error {
	var received atomic.Int64
	var first sync.WaitGroup
	first.Add(o.Nodes)
	g, ctx := task.New(context.Background())
	constant := o.answer()
	for i := range o.Nodes {
		st, err := o.open(ctx)
		if err != nil {
			return err
		}
		hello := append(o.hello(nodeName(i)), constant...)
		got := sync.OnceFunc(first.Done)
		g.Go("client", func() error {
			defer got()
			converse(st, hello, constant, o.Delta, &received, got)
			return nil
		})
	}
	first.Wait()
	fmt.Println("ready")
	for asked := bufio.NewScanner(in); asked.Scan(); {
		fmt.Println(received.Load())
	}
	return nil // the race is over
}

// converse asks and acknowledges whatever comes, at once, until the stream ends.
func converse(st grpc.ClientStream, hello, constant []byte, delta bool, received *atomic.Int64, got func()) {
	if st.SendMsg(&hello) != nil {
		return
	}
	nonce := protowire.Number(5)
	if delta {
		nonce = 6
	}
	var in []byte
	for st.RecvMsg(&in) == nil {
		received.Add(int64(len(in)))
		ack := append([]byte(nil), constant...)
		if !delta {
			ack = protowire.AppendString(protowire.AppendTag(ack, 1, protowire.BytesType), lastField(in, 1))
		}
		ack = protowire.AppendString(protowire.AppendTag(ack, nonce, protowire.BytesType), lastField(in, 5))
		if st.SendMsg(&ack) != nil {
			return
		}
		got()
	}
}

func (o swarmOrder) open(ctx context.Context) (grpc.ClientStream, error) {
	conn, err := grpc.NewClient(o.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return nil, err
	}
	method := "StreamAggregatedResources"
	if o.Delta {
		method = "DeltaAggregatedResources"
	}
	return conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/envoy.service.discovery.v3.AggregatedDiscoveryService/"+method)
}

// hello is what only a client's first request says.
func (o swarmOrder) hello(id string) []byte {
	node := &corev3.Node{Id: id}
	if o.Delta {
		return mustMarshal(&discovery.DeltaDiscoveryRequest{Node: node, ResourceNamesSubscribe: o.Names})
	}
	return mustMarshal(&discovery.DiscoveryRequest{Node: node})
}

// answer is what every request says: in SotW all the names, too.
func (o swarmOrder) answer() []byte {
	if o.Delta {
		return mustMarshal(&discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Endpoints.URL()})
	}
	return mustMarshal(&discovery.DiscoveryRequest{TypeUrl: mesh.Endpoints.URL(), ResourceNames: o.Names})
}

func mustMarshal(m proto.Message) []byte {
	out, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return out
}

// raw moves messages as bytes.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append((*v.(*[]byte))[:0], data...)
	return nil
}
func (raw) Name() string { return "proto" }

// lastField is a length-delimited field of a message, the last if there are many.
func lastField(msg []byte, want protowire.Number) string {
	var out []byte
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			break
		}
		msg = msg[n:]
		size := protowire.ConsumeFieldValue(num, typ, msg)
		if size < 0 {
			break
		}
		if num == want && typ == protowire.BytesType {
			out, _ = protowire.ConsumeBytes(msg)
		}
		msg = msg[size:]
	}
	return string(out)
}
