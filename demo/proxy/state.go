package proxy

import (
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/demo/proxy/upstream"
)

// version is that of the program, as the build knows it.
var version = buildVersion()

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// state is what the admin interface tells.
func (n *node) state() *admin.State {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &admin.State{
		Node: n.id, Version: version, Ready: n.isLive(), Started: n.started,
		Versions: maps.Clone(n.versions), Stats: maps.Clone(n.stats),
		Listeners: n.shownListeners(), Clusters: n.shownClusters(),
		Routes: shown(n.routes), Endpoints: shown(n.endpoints), Upstreams: n.snapshots(),
	}
	n.addStats(s.Stats)
	return s
}

func (r received) shown(name string) admin.Dynamic {
	return admin.Dynamic{Name: name, Version: r.version, Updated: r.updated, Message: r.message}
}

func shown(of map[string]received) []admin.Dynamic {
	var out []admin.Dynamic
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, of[name].shown(name))
	}
	return out
}

func (n *node) shownClusters() []admin.Dynamic {
	var out []admin.Dynamic
	for _, name := range slices.Sorted(maps.Keys(n.clusters)) {
		k := n.clusters[name]
		for _, b := range k.versions() {
			d := b.shown(name)
			d.Warming = b == k.warming
			out = append(out, d)
		}
	}
	return out
}

func (n *node) shownListeners() []admin.Dynamic {
	var out []admin.Dynamic
	for _, name := range slices.Sorted(maps.Keys(n.listeners)) {
		l := n.listeners[name]
		failure := l.failure
		for _, g := range []*generation{l.active, l.warming} {
			if g == nil {
				continue
			}
			d := g.shown(name)
			d.Warming = g == l.warming
			d.Failure, failure = failure, nil // told once
			out = append(out, d)
		}
		if failure != nil {
			out = append(out, admin.Dynamic{Name: name, Failure: failure})
		}
	}
	for _, g := range append(slices.Clone(n.removed), n.draining...) {
		d := g.shown(g.name)
		d.Drains = true
		out = append(out, d)
	}
	return out
}

func (n *node) snapshots() []upstream.Snapshot {
	var out []upstream.Snapshot
	for _, name := range slices.Sorted(maps.Keys(n.clusters)) {
		if k := n.clusters[name]; k.active != nil {
			out = append(out, k.active.up.Snapshot())
		}
	}
	return out
}

// addStats adds what the listeners count, those that drain included.
func (n *node) addStats(stats map[string]uint64) {
	stats["control_plane.connected_state"] = 0
	if n.connected {
		stats["control_plane.connected_state"] = 1
	}
	stats["server.broken_requests"] = n.broken.Load()
	stats["listener_manager.total_filter_chains_draining"] = 0
	for _, g := range n.generations() {
		if g.front == nil {
			continue
		}
		for name, value := range g.front.handler.Stats() {
			stats[name] += value
		}
	}
}
