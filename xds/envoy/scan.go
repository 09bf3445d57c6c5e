package envoy

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// same reports whether two messages say the same; of the same pointer that is
// known at once.
func same(a, b proto.Message) bool { return a == b || proto.Equal(a, b) }

// compare brings p.active up to date: for all that was served when a scan is
// due, else for what was served anew or was not settled the last time.
func (p *poller) compare(ctx context.Context, served map[mesh.Key]proto.Message) error {
	now := p.w.o.Now()
	scan := p.compared == nil || !now.Before(p.nextScan)
	if !scan && !now.Before(p.mayScan) {
		scan = p.compareNext.Swap(false)
	}
	var keys []mesh.Key
	for k, m := range served {
		if scan || p.active[k].State != ActiveSame || !same(p.compared[k], m) {
			keys = append(keys, k)
		}
	}
	next := make(map[mesh.Key]Active, len(served))
	for k := range served {
		if a, ok := p.active[k]; ok {
			next[k] = a
		}
	}
	if len(keys) > 0 {
		o, size, err := p.observe(ctx, keys)
		if err != nil {
			return err
		}
		for k, a := range compare(served, keys, o) {
			next[k] = a
		}
		if scan {
			cost := time.Duration(size) * 10 * time.Second / fullBytes
			p.mayScan, p.nextScan = now.Add(cost), now.Add(max(fullCompare, cost))
		}
	}
	p.active, p.compared = next, served
	return nil
}

// observe reads the dumps that the keys need, by name when they are few.
func (p *poller) observe(ctx context.Context, keys []mesh.Key) (observed, int, error) {
	o := observed{dumps: map[mesh.Type]*dump{}, clusters: byService(p.clusters)}
	names := map[mesh.Type][]string{}
	for _, k := range keys {
		names[k.Type] = append(names[k.Type], k.Name)
	}
	size := 0
	for t, of := range names {
		d := newDump()
		for _, path := range dumpPaths(t) {
			question := "/config_dump?resource=" + path
			if len(of) <= narrowNames {
				question += "&name_regex=" + nameFilter(of)
			}
			status, body, err := p.client.get(ctx, question)
			if err != nil {
				return o, size, err
			}
			if status != http.StatusOK { // a version that does not know this resource
				d = nil
				break
			}
			if err := d.read(path, body); err != nil {
				return o, size, err
			}
			size += len(body)
		}
		if d != nil && len(dumpPaths(t)) > 0 {
			o.dumps[t] = d
		}
	}
	return o, size, nil
}

// byService is the clusters by the name under which EDS serves their endpoints.
func byService(clusters map[string]clusterStatus) map[string]clusterStatus {
	out := make(map[string]clusterStatus, len(clusters))
	for _, c := range clusters {
		out[c.service()] = c
	}
	return out
}
