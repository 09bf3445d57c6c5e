package envoy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

const (
	// wakeGap is the least time between two polls of one Envoy, however often it
	// is poked.
	wakeGap = 100 * time.Millisecond
	// fullBytes is how many bytes of full /clusters answers a second an Envoy is
	// asked for: they are written on its main thread, and with 10,000 endpoints
	// (8 MB, 0.1 s) a poll a second would be felt by its traffic.
	fullBytes = 1 << 20
	// fullCompare is the time between two comparisons of everything, which find
	// what changed though we served nothing.
	fullCompare = 10 * time.Second
	// drainPause is the time between two looks at what drains while nobody waits.
	drainPause = time.Second
	// narrowNames is up to how many names are asked for by name.
	narrowNames = 20
)

// errNoAdmin is why nothing is known beyond what the streams tell.
var errNoAdmin = errors.New("the node does not say where its admin interface is (node.metadata, " + AdminMetadata + ")")

// errNoStatus is why nothing is known of a gRPC client by a watcher that asks none.
var errNoStatus = errors.New("the status (CSDS) of gRPC clients is not asked for")

// poller watches one Envoy. Its fields from client on belong to its goroutine.
type poller struct {
	w           *Watcher
	target      Target
	node, addr  string
	cancel      context.CancelFunc
	wake        chan struct{}
	compareNext atomic.Bool
	drainNext   atomic.Bool // somebody waits for connections to drain
	facts       atomic.Pointer[Facts]
	hintMu      sync.Mutex
	hints       map[string]bool // clusters of which an event told since they were read

	client   *admin
	identity *identity              // nil until it was asked what it is
	counted  [2]*counts             // the two newest looks at everything; nil before
	foreign  map[mesh.Key]time.Time // dynamic resources that were not served, and since when they are seen
	parted   map[mesh.Key]bool      // what was served and is no more, and may still be there
	unready  map[string][]string
	clusters map[string]clusterStatus // by name
	stats    map[string]uint64
	warming  []string
	draining int       // listeners and filter chains
	drainAt  time.Time // when that was asked for
	mayDrain time.Time // when it may be asked for again
	active   map[mesh.Key]Active
	compared map[mesh.Key]proto.Message // what active was compared with
	nextFull time.Time                  // when /clusters and /stats may be read whole again
	nextScan time.Time                  // when everything is compared again
	mayScan  time.Time                  // when it may be, if it is asked for
}

func newPoller(w *Watcher, t Target, cancel context.CancelFunc) *poller {
	p := &poller{w: w, target: t, node: t.Node, addr: t.Admin, cancel: cancel, wake: make(chan struct{}, 1)}
	if t.CSDS != "" {
		p.addr = t.CSDS
	}
	p.facts.Store(&Facts{Node: p.node, Admin: p.addr})
	return p
}

// run polls until ctx ends. An address that must not be asked is no error of
// the watcher: the facts say so.
func (p *poller) run(ctx context.Context) error {
	if p.target.CSDS != "" {
		return p.runStatus(ctx)
	}
	client, err := newAdmin(p.addr, p.w.o.Timeout)
	if p.addr == "" {
		err = errNoAdmin
	}
	if err != nil {
		return p.runBlind(ctx, err)
	}
	p.client = client
	defer client.close()
	p.repeat(ctx, p.poll)
	return nil
}

// runStatus is run for a node that is no Envoy.
func (p *poller) runStatus(ctx context.Context) error {
	if p.w.o.Status == nil {
		return p.runBlind(ctx, errNoStatus)
	}
	looker, err := p.w.o.Status(p.node, p.target.CSDS)
	if err != nil {
		return p.runBlind(ctx, err)
	}
	defer looker.Close()
	p.repeat(ctx, func(ctx context.Context) *Facts {
		began := p.w.o.Now()
		ctx, cancel := context.WithTimeout(ctx, p.w.o.Timeout)
		defer cancel()
		f, err := looker.Look(ctx, p.w.o.Served(p.node))
		if err != nil {
			return p.outOfDate(err)
		}
		f.Node, f.Admin, f.At = p.node, p.addr, began
		return f
	})
	return nil
}

// repeat publishes what poll finds, until ctx ends.
func (p *poller) repeat(ctx context.Context, poll func(context.Context) *Facts) {
	for {
		began := time.Now()
		p.publish(poll(ctx))
		if !pause(ctx, wakeGap-time.Since(began), nil) || !pause(ctx, p.w.o.Interval-time.Since(began), p.wake) {
			return
		}
	}
}

// outOfDate are the facts that were known, which say why they grow old.
func (p *poller) outOfDate(why error) *Facts {
	old := *p.facts.Load()
	old.Err = why.Error()
	if old.Active == nil {
		old.Active = p.unobservable()
	}
	return &old
}

// runBlind says until ctx ends why nothing can be observed.
func (p *poller) runBlind(ctx context.Context, why error) error {
	for {
		p.publish(&Facts{Node: p.node, Admin: p.addr, Err: why.Error(), Active: p.unobservable()})
		if !pause(ctx, p.w.o.Interval, p.wake) {
			return nil
		}
	}
}

// pause waits for d, for wake or for the end of ctx; false at the end.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (p *poller) publish(f *Facts) {
	p.facts.Store(f)
	p.w.changed.Wake()
}

// unobservable is the state of everything served while nothing can be read.
func (p *poller) unobservable() map[mesh.Key]Active {
	out := map[mesh.Key]Active{}
	for k := range p.w.o.Served(p.node) {
		out[k] = Active{State: NotObservable}
	}
	return out
}

// poll asks what is due and returns the new facts. When a question fails, what
// was known stays and the facts say why it grows old.
func (p *poller) poll(ctx context.Context) *Facts {
	served := p.w.o.Served(p.node)
	began := p.w.o.Now()
	ready, err := p.ask(ctx, served)
	if err != nil {
		p.identity, p.nextFull, p.drainAt, p.compared, p.foreign = nil, time.Time{}, time.Time{}, nil, nil // it may be another process by now
		return p.outOfDate(err)
	}
	f := &Facts{
		Node: p.node, Admin: p.addr, At: began, Ready: ready, Version: p.identity.version,
		Active: p.active, Warming: p.warming, Draining: p.draining, DrainingAt: p.drainAt,
		Rejected: rejected(p.stats), Traffic: traffic(p.counted[0], p.counted[1], served),
		Foreign: p.foreigners(served, began), Unready: p.unready,
	}
	f.Endpoints, f.Clusters = join(p.clusters, served, p.stats, func(cluster, address string) history {
		return p.w.told(p.node, cluster, address)
	})
	if gone := vanished(p.facts.Load().Endpoints, f.Endpoints); len(gone) > 0 {
		p.w.forget(p.node, gone)
	}
	return f
}

// vanished are the endpoints that Envoy had before and has no more, as Envoy
// writes them.
func vanished(before, now []Endpoint) []endpointID {
	have := make(map[endpointID]bool, len(now))
	for i := range now {
		have[endpointID{now[i].Cluster, canonicalAddress(now[i].Address)}] = now[i].Health != HealthUnknown
	}
	var out []endpointID
	for i := range before {
		id := endpointID{before[i].Cluster, canonicalAddress(before[i].Address)}
		if before[i].Health != HealthUnknown && !have[id] {
			out = append(out, id)
		}
	}
	return out
}

// ask reads what is due into the poller.
func (p *poller) ask(ctx context.Context, served map[mesh.Key]proto.Message) (ready string, err error) {
	_, body, err := p.client.get(ctx, "/ready")
	if err != nil {
		return "", err
	}
	ready = strings.TrimSpace(string(body))
	if p.identity == nil {
		if p.identity, err = p.askIdentity(ctx); err != nil {
			return ready, err
		}
	}
	if err := p.askClusters(ctx, served); err != nil {
		return ready, err
	}
	if err := p.askDraining(ctx); err != nil {
		return ready, err
	}
	if err := p.askWarming(ctx); err != nil {
		return ready, err
	}
	if err := p.compare(ctx, served); err != nil {
		return ready, err
	}
	return ready, p.askUnready(ctx)
}

// drainQuery asks for what tells that connections drain: of a listener that
// went, and of a filter chain of one that changed.
var drainQuery = "/stats?usedonly&filter=" + url.QueryEscape(`listener_manager\.total_(listeners|filter_chains)_draining$`)

// drainShare is the share of its time, one in so many, for which an Envoy is
// asked what drains: it walks all its counters for that.
const drainShare = 20

// askDraining reads how many listeners and filter chains are draining: now and
// then, and more often while some are or somebody waits for them.
func (p *poller) askDraining(ctx context.Context) error {
	now := p.w.o.Now()
	wanted := p.drainNext.Load() || p.draining > 0 || p.drainAt.IsZero() || now.Sub(p.drainAt) >= drainPause
	if !wanted || now.Before(p.mayDrain) {
		return nil
	}
	p.drainNext.Store(false)
	body, err := p.client.must(ctx, drainQuery)
	if err != nil {
		return err
	}
	p.draining, p.drainAt = 0, now
	for _, count := range readStats(body) {
		p.draining += int(count)
	}
	p.mayDrain = now.Add(drainShare * p.w.o.Now().Sub(now))
	return nil
}

// askWarming reads which clusters are warming; the answer is "{}" when none is.
func (p *poller) askWarming(ctx context.Context) error {
	body, err := p.client.must(ctx, "/config_dump?resource=dynamic_warming_clusters&mask=cluster.name")
	if err != nil {
		return err
	}
	var answer struct {
		Configs []struct {
			Cluster struct {
				Name string `json:"name"`
			} `json:"cluster"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("/config_dump is not what Envoy writes: %w", err)
	}
	p.warming = nil
	for _, c := range answer.Configs {
		p.warming = append(p.warming, c.Cluster.Name)
	}
	return nil
}
