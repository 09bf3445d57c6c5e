package envoy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
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

// poller watches one Envoy. Its fields from client on belong to its goroutine.
type poller struct {
	w           *Watcher
	node, addr  string
	cancel      context.CancelFunc
	wake        chan struct{}
	compareNext atomic.Bool
	drainNext   atomic.Bool // somebody waits for connections to drain
	facts       atomic.Pointer[Facts]
	hintMu      sync.Mutex
	hints       map[string]bool // clusters of which an event told since they were read

	client   *admin
	version  string
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

func newPoller(w *Watcher, node, addr string, cancel context.CancelFunc) *poller {
	p := &poller{w: w, node: node, addr: addr, cancel: cancel, wake: make(chan struct{}, 1)}
	p.facts.Store(&Facts{Node: node, Admin: addr})
	return p
}

// run polls until ctx ends. An address that must not be asked is no error of
// the watcher: the facts say so.
func (p *poller) run(ctx context.Context) error {
	client, err := newAdmin(p.addr, p.w.o.Timeout)
	if p.addr == "" {
		err = errNoAdmin
	}
	if err != nil {
		return p.runBlind(ctx, err)
	}
	p.client = client
	defer client.close()
	for {
		began := time.Now()
		p.publish(p.poll(ctx))
		if !pause(ctx, wakeGap-time.Since(began), nil) || !pause(ctx, p.w.o.Interval-time.Since(began), p.wake) {
			return nil
		}
	}
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
	ready, err := p.ask(ctx, served)
	if err != nil {
		p.version, p.nextFull, p.drainAt, p.compared = "", time.Time{}, time.Time{}, nil // it may be another process by now
		old := *p.facts.Load()
		old.Err = err.Error()
		if old.Active == nil {
			old.Active = p.unobservable()
		}
		return &old
	}
	f := &Facts{
		Node: p.node, Admin: p.addr, At: p.w.o.Now(), Ready: ready, Version: p.version,
		Active: p.active, Warming: p.warming, Draining: p.draining, DrainingAt: p.drainAt,
		Rejected: rejected(p.stats),
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
	if p.version == "" {
		if p.version, err = p.askVersion(ctx); err != nil {
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
	return ready, p.compare(ctx, served)
}

// askVersion reads /server_info, which is 124 KB, once for a process, and makes
// sure that it is the node's: two Envoys may have been given one address.
func (p *poller) askVersion(ctx context.Context) (string, error) {
	body, err := p.client.must(ctx, "/server_info")
	if err != nil {
		return "", err
	}
	var info struct {
		Version string `json:"version"`
		Node    struct {
			ID string `json:"id"`
		} `json:"node"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return "", fmt.Errorf("/server_info is not what Envoy writes: %w", err)
	}
	if info.Node.ID != p.node {
		return "", fmt.Errorf("the admin interface at %s is that of node %q", p.addr, info.Node.ID)
	}
	if parts := strings.Split(info.Version, "/"); len(parts) > 1 {
		return parts[1], nil
	}
	return info.Version, nil
}

// statsQuery asks for the counters that tell rejections, failed checks and
// ejections.
var statsQuery = "/stats?usedonly&filter=" + url.QueryEscape(
	`(update_rejected|health_check\.(network_)?failure|ejections_enforced_[a-z0-9_]+)$`)

// askClusters reads all of /clusters and the counters when the Envoy can bear
// it, else only the clusters that need a look.
func (p *poller) askClusters(ctx context.Context, served map[mesh.Key]proto.Message) error {
	if p.w.o.Now().Before(p.nextFull) {
		return p.askSomeClusters(ctx, p.suspects(served))
	}
	p.takeHints()
	body, err := p.client.must(ctx, "/clusters?format=json")
	if err != nil {
		return err
	}
	all, err := readClusters(body)
	if err != nil {
		return err
	}
	p.clusters = make(map[string]clusterStatus, len(all))
	for _, c := range all {
		p.clusters[c.Name] = c
	}
	p.nextFull = p.w.o.Now().Add(time.Duration(len(body)) * time.Second / fullBytes)
	stats, err := p.client.must(ctx, statsQuery)
	if err != nil {
		return err
	}
	p.stats = readStats(stats)
	return nil
}

// hint says that something was told of a cluster.
func (p *poller) hint(cluster string) {
	p.hintMu.Lock()
	defer p.hintMu.Unlock()
	if p.hints == nil {
		p.hints = map[string]bool{}
	}
	p.hints[cluster] = true
}

// takeHints returns the clusters of which something was told since it was
// called last.
func (p *poller) takeHints() map[string]bool {
	p.hintMu.Lock()
	defer p.hintMu.Unlock()
	out := p.hints
	p.hints = nil
	return out
}

// suspects are the clusters to look at between two full looks: those of which an
// event told, those whose endpoints were served anew, and those with an endpoint
// that was not plainly healthy at the last poll.
func (p *poller) suspects(served map[mesh.Key]proto.Message) []string {
	var out []string
	chosen := map[string]bool{}
	choose := func(cluster string) {
		if !chosen[cluster] && len(out) < narrowNames {
			chosen[cluster] = true
			out = append(out, cluster)
		}
	}
	for cluster := range p.takeHints() {
		choose(cluster)
	}
	for cluster, c := range p.clusters {
		k := mesh.Key{Type: mesh.Endpoints, Name: c.service()}
		if m := served[k]; m != nil && !same(p.compared[k], m) {
			choose(cluster)
		}
	}
	for _, e := range p.facts.Load().Endpoints {
		if e.Health != Healthy {
			choose(e.Cluster)
		}
	}
	return out
}

func (p *poller) askSomeClusters(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	body, err := p.client.must(ctx, "/clusters?format=json&filter="+nameFilter(names))
	if err != nil {
		return err
	}
	some, err := readClusters(body)
	if err != nil {
		return err
	}
	next := make(map[string]clusterStatus, len(p.clusters))
	for name, c := range p.clusters {
		next[name] = c
	}
	for _, c := range some {
		next[c.Name] = c
	}
	p.clusters = next
	return nil
}

// nameFilter is a regular expression, escaped for a URL, that fits exactly the
// names.
func nameFilter(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	return url.QueryEscape("^(" + strings.Join(quoted, "|") + ")$")
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
