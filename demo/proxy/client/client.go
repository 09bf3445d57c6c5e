package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Options say who asks whom. XDS and Node must be set.
type Options struct {
	XDS   string       // where the control plane listens: "unix:/path", "unix:@name" or "host:port"
	Node  *corev3.Node // who asks; sent with the first request of each stream
	Delta bool         // the incremental variant instead of the state of the world
}

// Taker applies what the control plane says. Its methods are called from one
// goroutine, one at a time.
type Taker interface {
	// Take applies a response and says how to answer it. It may call Subscribe.
	Take(r *Response) Answer
	// Refused tells of a response that could not be read and was rejected as a
	// whole.
	Refused(t mesh.Type, why error)
	// Connected tells that a stream opened or ended.
	Connected(bool)
}

// Response is one DiscoveryResponse of either variant, decoded.
type Response struct {
	Type      mesh.Type
	Version   string // version_info, or system_version_info
	Nonce     string
	Resources []Resource
	Removed   []string // delta only
	Whole     bool     // what is not in Resources is gone: state-of-the-world listeners and clusters
}

// Resource is one resource of a response.
type Resource struct {
	Name    string // as the response calls it; of the state of the world, the message's own
	Version string // delta: its own; else that of the response
	Message proto.Message
}

// Answer says how a response is answered.
type Answer struct {
	// Err, when it is not nil, makes it a NACK with this text.
	Err error
	// Took names what was applied all the same when there is an Err.
	Took []string
	// Held, when it is not nil, has the ACK wait until it is closed.
	Held <-chan struct{}
}

// maxMessage bounds one response: 10,000 endpoints are a few megabytes.
const maxMessage = 256 << 20

// Back-off between two attempts to open a stream, as meshtui's bootstrap has it
// for Envoy.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Client asks one control plane. Make it with New; Run makes it ask.
type Client struct {
	o     Options
	dial  dialer
	taker Taker
	wake  chan struct{}
	limit limiter

	mu    sync.Mutex
	wants map[mesh.Type][]string // sorted; present with none: everything

	// What is held from one stream to the next; only Run's goroutine uses it.
	accepted map[mesh.Type]string            // state of the world: the version accepted last
	versions map[mesh.Type]map[string]string // delta: by name
}

// New makes a client that asks for nothing yet. It fails on an address that
// cannot be one.
func New(o Options, t Taker) (*Client, error) {
	dial, err := dialerOf(o.XDS)
	if err != nil {
		return nil, err
	}
	return &Client{
		o: o, dial: dial, taker: t, wake: make(chan struct{}, 1), limit: limiter{tokens: burst},
		wants: map[mesh.Type][]string{}, accepted: map[mesh.Type]string{}, versions: map[mesh.Type]map[string]string{},
	}, nil
}

// Subscribe says what is wanted of a type from now on: these names, and for
// listeners and clusters everything when there are none. It never waits.
func (c *Client) Subscribe(t mesh.Type, names ...string) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	c.mu.Lock()
	old, had := c.wants[t]
	c.wants[t] = names
	c.mu.Unlock()
	if !had || !slices.Equal(old, names) {
		task.Poke(c.wake)
	}
}

func (c *Client) wanted() map[mesh.Type][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.wants)
}

// wildcard reports whether no names mean everything for a type.
func wildcard(t mesh.Type) bool { return t == mesh.Listener || t == mesh.Cluster }

// Run keeps a stream open until ctx ends. It fails on a panic of the Taker's.
func (c *Client) Run(ctx context.Context) error {
	conn, err := connect(c.dial)
	if err != nil {
		return fmt.Errorf("the control plane at %s: %w", c.o.XDS, err)
	}
	defer func() { _ = conn.Close() }() // it can only be closed already
	pause := firstPause
	for ctx.Err() == nil {
		answered, err := c.converse(ctx, conn)
		var panicked *task.PanicError
		if errors.As(err, &panicked) {
			return err
		}
		if answered {
			pause = firstPause
		}
		rest(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, lastPause)
	}
	return nil
}

// converse opens one stream and keeps it until it ends; answered says that a
// response came on it.
func (c *Client) converse(ctx context.Context, conn *grpc.ClientConn) (answered bool, err error) {
	group, ctx := task.New(ctx)
	w, err := c.open(ctx, conn)
	if err != nil {
		group.Stop()
		return false, errors.Join(err, group.Wait())
	}
	c.taker.Connected(true)
	defer c.taker.Connected(false)
	s := newSession(c, w, group)
	group.Go("xDS responses", func() error { return s.listen(ctx) })
	err = task.Run("xDS client", func() error { return s.talk(ctx) })
	group.Stop()
	return s.answered, errors.Join(err, group.Wait())
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dialer makes a connection to the control plane.
type dialer func(ctx context.Context, _ string) (net.Conn, error)

func dialerOf(addr string) (dialer, error) {
	network, target := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok && path != "" {
		network, target = "unix", path
	} else if _, _, err := net.SplitHostPort(addr); ok || err != nil {
		return nil, fmt.Errorf("%q is neither unix:PATH nor HOST:PORT", addr)
	}
	d := &net.Dialer{Timeout: time.Second}
	return func(ctx context.Context, _ string) (net.Conn, error) { return d.DialContext(ctx, network, target) }, nil
}

// connect prepares a connection; it is made when a stream is opened, and made
// anew for as long as that takes.
func connect(dial dialer) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///meshtui",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastPause},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.WaitForReady(true)),
	)
}
