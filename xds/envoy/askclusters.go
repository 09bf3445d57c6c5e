package envoy

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// statsQuery asks for the counters that tell rejections, failed checks,
// ejections, and requests by listener. All in one question, since Envoy walks
// all its counters for each.
var statsQuery = "/stats?usedonly&filter=" + url.QueryEscape(
	`((update_rejected|health_check\.(network_)?failure|ejections_enforced_[a-z0-9_]+)|`+
		`^listener\..+\.downstream_(cx_total|rq_[1-5]xx))$`)

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
	now := p.w.o.Now()
	p.nextFull = now.Add(time.Duration(len(body)) * time.Second / fullBytes)
	stats, err := p.client.must(ctx, statsQuery)
	if err != nil {
		return err
	}
	p.stats = readStats(stats)
	p.counted[0], p.counted[1] = p.counted[1], &counts{at: now, clusters: p.clusters, stats: p.stats}
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
