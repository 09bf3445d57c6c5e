package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/envoy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decode reads YAML into m.
func decode[M proto.Message](t testing.TB, m M, yaml string) M {
	t.Helper()
	for _, f := range text.DecodeInto(m, mesh.Source{Text: yaml}) {
		if f.Severity != mesh.Note { // of a type that is not linked in
			t.Fatalf("%v in\n%s", f, yaml)
		}
	}
	return m
}

func clusterOf(t testing.TB, yaml string) *clusterv3.Cluster {
	t.Helper()
	return decode(t, &clusterv3.Cluster{}, yaml)
}

func retryOf(t testing.TB, yaml string) *routev3.RetryPolicy {
	t.Helper()
	return decode(t, &routev3.RetryPolicy{}, yaml)
}

// endpoints is an assignment of those addresses. "ADDRESS key: value, …" sets
// fields of the LbEndpoint too.
func endpoints(t testing.TB, list ...string) *endpointv3.ClusterLoadAssignment {
	t.Helper()
	return decode(t, &endpointv3.ClusterLoadAssignment{}, "cluster_name: c\n"+endpointsYAML("", list...))
}

// endpointsYAML is what stands under a ClusterLoadAssignment's name.
func endpointsYAML(indent string, list ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%sendpoints:\n%s- lb_endpoints:\n", indent, indent)
	for _, e := range list {
		address, fields, _ := strings.Cut(e, " ")
		host, port, _ := net.SplitHostPort(address)
		if fields != "" {
			fields = ", " + fields
		}
		fmt.Fprintf(&b, "%s  - {endpoint: {address: {socket_address: {address: %q, port_value: %s}}}%s}\n", indent, host, port, fields)
	}
	return b.String()
}

// network is a network in memory. Its connections are pipes, over which bytes
// move while the time of a synctest bubble stands.
type network struct {
	mu      sync.Mutex
	servers map[string]chan net.Conn
	silent  map[string]bool // nobody answers a dial there
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	accept, silent := n.servers[address], n.silent[address]
	n.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if accept == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	ours, theirs := net.Pipe()
	select {
	case accept <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hear makes the network accept connections at an address until the test ends.
func (n *network) hear(t testing.TB, address string) <-chan net.Conn {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.servers == nil {
		n.servers, n.silent = map[string]chan net.Conn{}, map[string]bool{}
	}
	accept := make(chan net.Conn)
	n.servers[address] = accept
	return accept
}

// deaf refuses connections from now on.
func (n *network) deaf(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.servers, address)
}

// serve answers HTTP at an address.
func (n *network) serve(t testing.TB, address string, h http.HandlerFunc) {
	t.Helper()
	accept := n.hear(t, address)
	l := &pipeListener{accept: accept, done: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: protocols}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l) // ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = s.Close() // its listener is ours
		<-ended
	})
}

type pipeListener struct {
	accept <-chan net.Conn
	once   sync.Once
	done   chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// run starts a cluster on the network. What it emits is in events.
func (n *network) run(t testing.TB, yaml string) (c *Cluster, events *recorder) {
	t.Helper()
	events = &recorder{}
	c, err := start(clusterOf(t, yaml), Options{Node: "n", Emit: events.note}, n.dial, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, events
}

// recorder keeps events.
type recorder struct {
	mu  sync.Mutex
	all []envoy.Event
}

func (r *recorder) note(e envoy.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
}

// take returns the events as lines, and forgets them.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := map[envoy.EventKind]string{
		envoy.CheckHealthy: "healthy", envoy.CheckUnhealthy: "unhealthy", envoy.CheckFailure: "failure",
		envoy.OutlierEject: "eject", envoy.OutlierUneject: "uneject",
	}
	var out []string
	for _, e := range r.all {
		line := names[e.Kind] + " " + e.Cluster + " " + e.Address
		if e.First {
			line += " first"
		}
		if e.Timeout {
			line += " timeout"
		}
		if e.Why != "" {
			line += ": " + e.Why
		}
		if e.Time.IsZero() || e.Node != "n" {
			line += " (without time or node)"
		}
		out = append(out, line)
	}
	r.all = nil
	return out
}

// bubble runs a test in time of its own.
func bubble(t *testing.T, f func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &network{}) })
}

// get sends a GET through the cluster and reads the whole answer.
func get(t testing.TB, c *Cluster, call Call) (a Answer, body string, err error) {
	t.Helper()
	return send(t, c, httptest.NewRequest(http.MethodGet, "http://a.test/x?y=1", nil), call)
}

func send(t testing.TB, c *Cluster, r *http.Request, call Call) (a Answer, body string, err error) {
	t.Helper()
	a = c.Do(r, call)
	if a.Response == nil {
		return a, "", nil
	}
	defer a.Response.Body.Close()
	b, err := io.ReadAll(a.Response.Body)
	return a, string(b), err
}

// stat is one counter of the cluster.
func stat(c *Cluster, name string) uint64 { return c.Snapshot().Stats[name] }

// simple is a static cluster of these endpoints with more fields.
func simple(fields string, list ...string) string {
	return "name: c\ntype: STATIC\nconnect_timeout: 1s\n" + fields + "\nload_assignment:\n  cluster_name: c\n" + endpointsYAML("  ", list...)
}

const (
	hostA = "10.0.0.1:80"
	hostB = "10.0.0.2:80"
	hostC = "10.0.0.3:80"
)

// later moves a bubble's time on and lets everything that is due happen.
func later(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// write sends text to who may have gone already.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// drain reads until the other side has gone.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
