package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// stat is one counter, gauge or text.
type stat struct {
	name  string
	value uint64
	text  string // of a text
	kind  string // as ?type= names it
}

// The kinds of stats, as ?type= names them. There are no histograms here.
const (
	counters     = "Counters"
	gauges       = "Gauges"
	histograms   = "Histograms"
	textReadouts = "TextReadouts"
)

func stats(s *State, q query) (*reply, error) {
	kind := ""
	switch strings.ToLower(q.kind) {
	case "", "all":
	case "counters", "gauges", "histograms", "textreadouts":
		kind = strings.ToLower(q.kind)
	default:
		return nil, &refusal{http.StatusBadRequest, "usage: /stats?type=All|Counters|Gauges|Histograms|TextReadouts"}
	}
	var out []stat
	for _, one := range collect(s) {
		if (kind == "" || strings.ToLower(one.kind) == kind) && fits(q.filter, one.name) &&
			(!q.usedOnly || one.value != 0 || one.text != "") {
			out = append(out, one)
		}
	}
	sort.Slice(out, func(i, j int) bool { // texts first, as Envoy
		a, b := &out[i], &out[j]
		if (a.kind == textReadouts) != (b.kind == textReadouts) {
			return a.kind == textReadouts
		}
		return a.name < b.name
	})
	if q.json {
		return statsJSON(out)
	}
	var b bytes.Buffer
	for _, one := range out {
		if one.kind == textReadouts {
			fmt.Fprintf(&b, "%s: %q\n", one.name, one.text)
			continue
		}
		fmt.Fprintf(&b, "%s: %d\n", one.name, one.value)
	}
	return &reply{body: b.Bytes()}, nil
}

func statsJSON(all []stat) (*reply, error) {
	type entry struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}
	answer := struct {
		Stats []entry `json:"stats"`
	}{Stats: make([]entry, 0, len(all))}
	for _, one := range all {
		var value any = one.value
		if one.kind == textReadouts {
			value = one.text
		}
		answer.Stats = append(answer.Stats, entry{one.name, value})
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	return &reply{json: true, body: body}, nil
}

// collect is every stat of the proxy. What State.Stats says wins over what is
// derived from the rest of the state.
func collect(s *State) []stat {
	values := map[string]uint64{}
	for _, u := range s.Upstreams {
		for name, n := range u.Stats {
			values["cluster."+u.Name+"."+name] = n
		}
	}
	derive(s, values)
	for name, n := range s.Stats {
		values[name] = n
	}
	out := make([]stat, 0, len(values))
	for name, n := range values {
		kind := counters
		if isGauge(name) {
			kind = gauges
		}
		out = append(out, stat{name: name, value: n, kind: kind})
	}
	for name, text := range versionTexts(s) {
		out = append(out, stat{name: name, text: text, kind: textReadouts})
	}
	return out
}

// derive counts resources, as the two managers of an Envoy do.
func derive(s *State, values map[string]uint64) {
	count := func(of []Dynamic, is func(*Dynamic) bool) (n uint64) {
		for i := range of {
			if of[i].Message != nil && is(&of[i]) {
				n++
			}
		}
		return n
	}
	active := func(d *Dynamic) bool { return !d.Warming && !d.Drains }
	warming := func(d *Dynamic) bool { return d.Warming }
	values["cluster_manager.active_clusters"] = count(s.Clusters, active)
	values["cluster_manager.warming_clusters"] = count(s.Clusters, warming)
	values["listener_manager.total_listeners_active"] = count(s.Listeners, active)
	values["listener_manager.total_listeners_warming"] = count(s.Listeners, warming)
	values["listener_manager.total_listeners_draining"] = count(s.Listeners, func(d *Dynamic) bool { return d.Drains })
	for _, d := range s.Clusters {
		name := "cluster." + d.Name + ".warming_state"
		values[name] = 0
		if d.Warming {
			values[name] = 1
		}
	}
	values["server.live"] = 0
	if s.Ready {
		values["server.live"] = 1
	}
}

// versionTexts are the versions that were accepted in full, under Envoy's names.
func versionTexts(s *State) map[string]string {
	out := map[string]string{}
	if v := s.Versions[mesh.Cluster.URL()]; v != "" {
		out["cluster_manager.cds.version_text"] = v
	}
	if v := s.Versions[mesh.Listener.URL()]; v != "" {
		out["listener_manager.lds.version_text"] = v
	}
	if v := s.Versions[mesh.Endpoints.URL()]; v != "" {
		for _, d := range s.Clusters {
			if c, ok := d.Message.(*clusterv3.Cluster); ok && c.GetType() == clusterv3.Cluster_EDS {
				out["cluster."+d.Name+".version_text"] = v
			}
		}
	}
	if v := s.Versions[mesh.Route.URL()]; v != "" {
		for _, d := range s.Listeners {
			l, _ := d.Message.(*listenerv3.Listener)
			for _, m := range managers(l) {
				if rds := m.GetRds(); rds != nil {
					out["http."+m.GetStatPrefix()+".rds."+rds.GetRouteConfigName()+".version_text"] = v
				}
			}
		}
	}
	return out
}

// managers are the HTTP connection managers of a listener.
func managers(l *listenerv3.Listener) []*hcmv3.HttpConnectionManager {
	chains := append(append([]*listenerv3.FilterChain(nil), l.GetFilterChains()...), l.GetDefaultFilterChain())
	var out []*hcmv3.HttpConnectionManager
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			m := &hcmv3.HttpConnectionManager{}
			if f.GetTypedConfig().UnmarshalTo(m) == nil {
				out = append(out, m)
			}
		}
	}
	return out
}

// gaugeEnds are the ends of the names of all gauges.
var gaugeEnds = []string{
	"_active", "_open", "_healthy", "_degraded", "_excluded", "_warming", "_draining", "_buffered",
	".membership_total", ".warming_state", ".active_clusters", ".warming_clusters", ".connected_state",
	".healthy", ".degraded", ".ejections_active", ".max_host_weight", ".version", ".live", ".uptime",
}

func isGauge(name string) bool {
	for _, end := range gaugeEnds {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.Contains(name, ".remaining_") || strings.Contains(name, ".total_listeners_") ||
		strings.Contains(name, ".total_filter_chains_")
}

// either is the value, or the default where it is not set.
func either(v *wrapperspb.UInt32Value, otherwise uint32) *wrapperspb.UInt32Value {
	if v != nil {
		return v
	}
	return wrapperspb.UInt32(otherwise)
}

// listenAddress is where a listener listens, nil when it is no listener.
func listenAddress(d *Dynamic) *corev3.Address {
	l, _ := d.Message.(*listenerv3.Listener)
	return l.GetAddress()
}
