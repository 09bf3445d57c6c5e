package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/meshtui/engine/task"
)

// Options say what the demo is made of. The zero Options are usable.
type Options struct {
	Port    int           // of the mesh's listener; 0 means 10000
	Nodes   int           // how many Envoys serve it, each Step ports above the one before; 0 means 1
	Step    int           // 0 means 100
	Rate    int           // requests a second in all, at most MaxRate; 0 means 100
	Timeout time.Duration // for one request; 0 means 10 s
	Now     func() time.Time
}

// MaxRate bounds the load: it is there to be looked at, not to measure.
const MaxRate = 1000

func (o Options) withDefaults() Options {
	if o.Port == 0 {
		o.Port = 10000
	}
	if o.Nodes < 1 {
		o.Nodes = 1
	}
	if o.Step == 0 {
		o.Step = 100
	}
	if o.Rate <= 0 {
		o.Rate = 100
	}
	o.Rate = min(o.Rate, MaxRate)
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// firstPort is the port that the first backend would like to have; the others
// follow.
const firstPort = 9001

// Demo is running backends and load. All methods may be called from any
// goroutine.
type Demo struct {
	port  int
	load  *load
	group *task.Group
	ctx   context.Context

	mu       sync.Mutex
	backends []*backend
}

// New starts the backends: app v1 (two), app v2 (one) and legacy (one). The
// load starts with StartLoad. Close ends everything.
func New(ctx context.Context, o Options) (*Demo, error) {
	o = o.withDefaults()
	d := &Demo{port: o.Port}
	d.group, d.ctx = task.New(ctx)
	for i, b := range []Backend{
		{Name: "app-v1-a", Cluster: "app", Version: "v1"},
		{Name: "app-v1-b", Cluster: "app", Version: "v1"},
		{Name: "app-v2-a", Cluster: "app-v2", Version: "v2"},
		{Name: "legacy-a", Cluster: "legacy", Version: "v0"},
	} {
		started, err := startBackend(d.group, b, firstPort+i)
		if err != nil {
			return nil, fmt.Errorf("%w; %w", err, d.Close())
		}
		d.backends = append(d.backends, started)
	}
	d.load = newLoad(o)
	return d, nil
}

// StartLoad begins to send requests to the listeners. Until one has answered
// for the first time a refused connection is no failure.
func (d *Demo) StartLoad() { d.load.start(d.ctx, d.group) }

// Port is that of the mesh's listener on the first Envoy.
func (d *Demo) Port() int { return d.port }

// Snapshot is how the load goes.
func (d *Demo) Snapshot() Snapshot { return d.load.snapshot(d.Backends()) }

// Changed returns a channel that fills twice a second while there is load, and
// what ends the subscription.
func (d *Demo) Changed() (<-chan struct{}, func()) { return d.load.wakes.Changed() }

// Backends are all backends in the order in which they were started.
func (d *Demo) Backends() []Backend {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Backend, len(d.backends))
	for i, b := range d.backends {
		out[i] = b.backend()
	}
	return out
}

// Become puts the backend with that name, or at that address, into a state. It
// fails on an unknown one, and when the port of one that was down is taken.
func (d *Demo) Become(name string, s BackendState) error {
	b, err := d.find(name)
	if err != nil {
		return err
	}
	return b.become(s)
}

func (d *Demo) find(name string) (*backend, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.backends {
		if now := b.backend(); now.Name == name || now.Address == name {
			return b, nil
		}
	}
	return nil, fmt.Errorf("the demo runs no backend %q", name)
}

// Add starts one more backend for a cluster and returns it. Nothing is sent to
// it until its address is pushed as an endpoint. It fails on a cluster that
// the demo has no backends for.
func (d *Demo) Add(cluster string) (Backend, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kin []Backend
	for _, b := range d.backends {
		if now := b.backend(); now.Cluster == cluster {
			kin = append(kin, now)
		}
	}
	if len(kin) == 0 {
		return Backend{}, fmt.Errorf("the demo has no backends for cluster %q; it knows %s", cluster, strings.Join(d.clusters(), ", "))
	}
	if len(kin) >= 'z'-'a' {
		return Backend{}, fmt.Errorf("cluster %q has %d backends, that is enough for a demo", cluster, len(kin))
	}
	stem := strings.TrimSuffix(kin[0].Name, "-a")
	started, err := startBackend(d.group, Backend{
		Name: fmt.Sprintf("%s-%c", stem, 'a'+len(kin)), Cluster: cluster, Version: kin[0].Version,
	}, firstPort+len(d.backends))
	if err != nil {
		return Backend{}, err
	}
	d.backends = append(d.backends, started)
	return started.backend(), nil
}

func (d *Demo) clusters() []string {
	var out []string
	for _, b := range d.backends {
		if c := b.backend().Cluster; !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Close ends the load and the backends and waits for them. It returns what went
// wrong while they ran.
func (d *Demo) Close() error {
	d.group.Stop()
	d.mu.Lock()
	backends := slices.Clone(d.backends)
	d.mu.Unlock()
	for _, b := range backends {
		_ = b.become(Down) // closing: what it says is of no use any more
	}
	return d.group.Wait()
}

// Who is the backend that an answer came from, by its headers, and where it
// listens; "" for an answer that came from no backend of this demo.
func (d *Demo) Who(header func(name string) string) (name, address string) {
	said := header(backendHeader)
	for _, b := range d.Backends() {
		if b.Name == said {
			return b.Name, b.Address
		}
	}
	return "", ""
}
