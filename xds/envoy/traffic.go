package envoy

import (
	"fmt"
	"strings"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// counts is one look at everything that Envoy counts.
type counts struct {
	at       time.Time
	clusters map[string]clusterStatus
	stats    map[string]uint64
}

// traffic is what went between two looks through the served resources that
// Envoy counts requests of: clusters and their endpoints by the counters of
// their hosts, listeners and the routes that they ask for by theirs. Of the
// other types nothing is counted. It is nil without two looks.
func traffic(before, after *counts, served map[mesh.Key]proto.Message) map[mesh.Key]Traffic {
	if before == nil || after == nil {
		return nil
	}
	out := map[mesh.Key]Traffic{}
	add := func(k mesh.Key, n uint64) {
		if served[k] == nil {
			return
		}
		t := out[k]
		out[k] = Traffic{Requests: t.Requests + n, From: before.at, To: after.at}
	}
	for name, c := range after.clusters {
		n := hostRequests(before.clusters[name], c)
		add(mesh.Key{Type: mesh.Cluster, Name: name}, n)
		add(mesh.Key{Type: mesh.Endpoints, Name: c.service()}, n)
	}
	for k, m := range served {
		l, ok := m.(*listenerv3.Listener)
		if !ok || l.GetApiListener() != nil {
			continue
		}
		grown := func(counter string) uint64 { return growth(before.stats[counter], after.stats[counter]) }
		requests, byRoute := listenerRequests(l, grown)
		add(k, requests)
		for route, n := range byRoute {
			add(mesh.Key{Type: mesh.Route, Name: route}, n)
		}
	}
	return out
}

// growth is by how much a counter grew; one that is less than before began anew.
func growth(before, after uint64) uint64 {
	if after < before {
		return after
	}
	return after - before
}

// hostRequests is how many requests the hosts of a cluster were sent since. A
// host that has left takes its counter along.
func hostRequests(before, after clusterStatus) uint64 {
	var n uint64
	old := make(map[hostAddress]uint64, len(before.Hosts))
	for i := range before.Hosts {
		old[before.Hosts[i].Address] = before.Hosts[i].stat("rq_total")
	}
	for i := range after.Hosts {
		n += growth(old[after.Hosts[i].Address], after.Hosts[i].stat("rq_total"))
	}
	return n
}

// listenerRequests is how many requests a listener has answered (of connections,
// where it speaks no HTTP), and how many of them by which route configuration.
// Two HTTP connection managers that count under one name on one listener cannot
// be told apart: their routes are left out.
func listenerRequests(l *listenerv3.Listener, grown func(counter string) uint64) (uint64, map[string]uint64) {
	prefix := "listener." + statName(l) + "."
	managers := map[string]map[string]bool{} // by the name that they count under: their routes
	chains := append([]*listenerv3.FilterChain{l.GetDefaultFilterChain()}, l.GetFilterChains()...)
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			var hcm hcmv3.HttpConnectionManager
			if f.GetTypedConfig().UnmarshalTo(&hcm) != nil {
				continue
			}
			if managers[hcm.GetStatPrefix()] == nil {
				managers[hcm.GetStatPrefix()] = map[string]bool{}
			}
			managers[hcm.GetStatPrefix()][hcm.GetRds().GetRouteConfigName()] = true
		}
	}
	if len(managers) == 0 {
		return grown(prefix + "downstream_cx_total"), nil
	}
	var total uint64
	byRoute := map[string]uint64{}
	for name, routes := range managers {
		var n uint64
		for class := 1; class <= 5; class++ {
			n += grown(fmt.Sprintf("%shttp.%s.downstream_rq_%dxx", prefix, name, class))
		}
		total += n
		for route := range routes {
			if len(routes) == 1 && route != "" {
				byRoute[route] += n
			}
		}
	}
	return total, byRoute
}

// statName is what a listener counts under: its stat_prefix, else its address
// with the colons replaced.
func statName(l *listenerv3.Listener) string {
	if l.GetStatPrefix() != "" {
		return l.GetStatPrefix()
	}
	if pipe := l.GetAddress().GetPipe(); pipe != nil {
		return pipe.GetPath()
	}
	return strings.ReplaceAll(canonicalAddress(mesh.Address(l.GetAddress())), ":", "_")
}
