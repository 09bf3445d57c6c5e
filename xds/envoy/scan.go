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
	p.part(served)
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
	if len(keys) > 0 || scan {
		o, size, err := p.observe(ctx, keys, scan)
		if err != nil {
			return err
		}
		for k, a := range compare(served, keys, o) {
			next[k] = p.dated(k, a, served[k], now)
		}
		if scan {
			p.noteForeign(served, o, now)
			cost := time.Duration(size) * 10 * time.Second / fullBytes
			p.mayScan, p.nextScan = now.Add(cost), now.Add(max(fullCompare, cost))
		}
	}
	p.active, p.compared = next, served
	return nil
}

// dated is a state with the time when it was seen first, where Envoy does not say
// since when it is so.
func (p *poller) dated(k mesh.Key, a Active, served proto.Message, now time.Time) Active {
	if a.State != ActiveSame || !a.Since.IsZero() {
		return a
	}
	a.Since = now
	if before := p.active[k]; before.State == ActiveSame && same(p.compared[k], served) {
		a.Since = before.Since
	}
	return a
}

// observe reads the dumps that the keys need, by name when they are few; whole
// says that everything is looked at, so that what was not served is seen too.
func (p *poller) observe(ctx context.Context, keys []mesh.Key, whole bool) (observed, int, error) {
	o := observed{dumps: map[mesh.Type]*dump{}, static: map[mesh.Key]dumped{}, clusters: byService(p.clusters), layers: p.identity.layers}
	names, static := map[mesh.Type][]string{}, map[mesh.Type][]string{}
	if whole {
		names[mesh.Listener], names[mesh.Route], names[mesh.Cluster] = nil, nil, nil
		for k := range p.parted {
			names[k.Type] = nil
		}
	}
	for _, k := range keys {
		names[k.Type] = append(names[k.Type], k.Name)
		if p.identity.static[k] {
			static[k.Type] = append(static[k.Type], k.Name)
		}
	}
	size := 0
	for t, of := range names {
		filter := ""
		if !whole && shownByName(t) && len(of) <= narrowNames {
			filter = "&name_regex=" + nameFilter(of)
		}
		d, n, err := p.readDumps(ctx, dumpPaths(t), filter)
		size += n
		if err != nil {
			return o, size, err
		}
		if d != nil {
			o.dumps[t] = d
		}
	}
	for t, of := range static {
		d, n, err := p.readDumps(ctx, []string{"static_" + t.String() + "s"}, "&name_regex="+nameFilter(of))
		size += n
		if err != nil {
			return o, size, err
		}
		for _, name := range of {
			o.static[mesh.Key{Type: t, Name: name}] = d.of(name)
		}
	}
	n, err := p.observeMore(ctx, names, &o)
	return o, size + n, err
}

// observeMore reads what is not in the dumps of the types themselves: the values
// of the runtime, and the clusters whose endpoints are not in use since they warm.
func (p *poller) observeMore(ctx context.Context, names map[mesh.Type][]string, o *observed) (size int, err error) {
	if o.dumps[mesh.Cluster] == nil && len(names[mesh.Endpoints]) > 0 && len(p.warming) > 0 {
		if o.warming, size, err = p.readDumps(ctx, []string{"dynamic_warming_clusters"}, ""); err != nil {
			return size, err
		}
	}
	if len(names[mesh.Runtime]) == 0 {
		return size, nil
	}
	status, body, err := p.client.get(ctx, "/runtime")
	if err != nil || status != http.StatusOK {
		return size, err
	}
	o.values, err = readRuntime(body)
	return size + len(body), err
}

// readDumps reads some of /config_dump into one dump, nil when Envoy does not
// know what is asked for, and returns how many bytes that were.
func (p *poller) readDumps(ctx context.Context, paths []string, filter string) (*dump, int, error) {
	if len(paths) == 0 {
		return nil, 0, nil
	}
	d, size := newDump(), 0
	for _, path := range paths {
		status, body, err := p.client.get(ctx, "/config_dump?resource="+path+filter)
		if err != nil {
			return nil, size, err
		}
		if status != http.StatusOK { // a version that does not know this resource
			return nil, size, nil
		}
		size += len(body)
		if err := d.read(path, body); err != nil {
			return nil, size, err
		}
	}
	return d, size, nil
}

// shownByName reports whether the entries of a type's dump have the names of its
// resources, so that it can be asked for by name.
func shownByName(t mesh.Type) bool {
	switch t {
	case mesh.Listener, mesh.Route, mesh.Cluster, mesh.Secret:
		return true
	}
	return false
}

// foreignAfter is how long a resource must have been seen that was not served
// before it counts as foreign: what we have just taken away lingers.
const foreignAfter = 2 * time.Second

// part notes what was served at the last look and is not any more.
func (p *poller) part(served map[mesh.Key]proto.Message) {
	for k := range p.compared {
		if served[k] != nil {
			continue
		}
		if p.parted == nil {
			p.parted = map[mesh.Key]bool{}
		}
		p.parted[k] = true
	}
	for k := range served {
		delete(p.parted, k)
	}
}

// noteForeign keeps, after a look at everything, what Envoy runs by xDS or from a
// file and was not served, or not any more. What has parted and is not there has
// gone for good.
func (p *poller) noteForeign(served map[mesh.Key]proto.Message, o observed, now time.Time) {
	seen := map[mesh.Key]time.Time{}
	note := func(k mesh.Key) {
		if served[k] != nil {
			return
		}
		seen[k] = now
		if since, ok := p.foreign[k]; ok {
			seen[k] = since
		}
	}
	for _, t := range []mesh.Type{mesh.Listener, mesh.Route, mesh.Cluster} {
		if d := o.dumps[t]; d != nil {
			for name := range d.active {
				note(mesh.Key{Type: t, Name: name})
			}
		}
	}
	for k := range p.parted {
		if o.runs(k) {
			note(k)
		} else {
			delete(p.parted, k)
		}
	}
	p.foreign = seen
}

// runs reports whether Envoy has a resource in use, of whatever content; false
// where that cannot be seen by its name.
func (o observed) runs(k mesh.Key) bool {
	if k.Type == mesh.Endpoints {
		c, ok := o.clusters[k.Name]
		return ok && len(c.Hosts) > 0 && o.dumps[mesh.Cluster].eds(k.Name)
	}
	_, ok := o.dumps[k.Type].find(k.Name)
	return ok
}

// foreigners are what Envoy runs and was not served. While nothing was served at
// all nothing can be told from what is ours.
func (p *poller) foreigners(served map[mesh.Key]proto.Message, now time.Time) map[mesh.Key]Origin {
	out := map[mesh.Key]Origin{}
	for k := range p.identity.static {
		if served[k] == nil {
			out[k] = FromBootstrap
		}
	}
	for k, since := range p.foreign {
		switch {
		case served[k] != nil || now.Sub(since) < foreignAfter:
		case p.parted[k]:
			out[k] = LeftOver
		case len(served) > 0:
			out[k] = FromElsewhere
		}
	}
	return out
}

// byService is the clusters by the name under which EDS serves their endpoints.
func byService(clusters map[string]clusterStatus) map[string]clusterStatus {
	out := make(map[string]clusterStatus, len(clusters))
	for _, c := range clusters {
		out[c.service()] = c
	}
	return out
}
