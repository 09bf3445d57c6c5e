package nginx

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
)

// target is where a route sends its requests.
type target struct {
	mark     mark
	scheme   string
	text     string // upstream or variable; "" when there is none to send to
	variable bool
	server   string // name for the TLS handshake, "" for none
	cluster  Origin
	connect  *durationpb.Duration // nil for Envoy's own 5 s
}

// split is one weighted cluster's split_clients.
type split struct {
	name   string
	origin Origin // of the weighted_clusters
	parts  []part
}

// part is one line of a split.
type part struct {
	mark   mark
	name   string
	weight uint64
}

// target finds where the route sends.
func (p *projection) target(o Origin, ra *routev3.RouteAction) target {
	switch cs := ra.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		return p.clusterTarget(o.at("cluster"), cs.Cluster)
	case *routev3.RouteAction_WeightedClusters:
		return p.splitTarget(o.at("weighted_clusters"), cs.WeightedClusters)
	case *routev3.RouteAction_ClusterHeader:
		m := exact(o.at("cluster_header"))
		if v := variable("http_", cs.ClusterHeader); v != "" {
			return target{mark: m.approx(lessonClusterBy), scheme: "http", text: v, variable: true}
		}
		return target{mark: m.approx(lessonNoAction)}
	}
	return target{mark: mark{from: o}.approx(lessonNoAction)}
}

// clusterTarget is one cluster; a return of 503 when the mesh does not have it.
func (p *projection) clusterTarget(o Origin, name string) target {
	m := exact(o).with(lessonProxyPass)
	k := mesh.Key{Type: mesh.Cluster, Name: name}
	r := p.mesh.Get(k)
	if r == nil {
		return target{mark: m.approx(lessonNoCluster)}
	}
	m.also = []Origin{{Key: k}}
	t := target{mark: m, scheme: "http", text: p.names.upstream(name), cluster: Origin{Key: k}}
	if c, ok := r.Message.(*clusterv3.Cluster); ok {
		t.connect = c.GetConnectTimeout()
		t.scheme, t.server = upstreamTLS(c)
	}
	return t
}

// upstreamTLS is the scheme for a cluster, and the name that it gives in the
// handshake.
func upstreamTLS(c *clusterv3.Cluster) (scheme, server string) {
	config := c.GetTransportSocket().GetTypedConfig()
	if !strings.HasSuffix(config.GetTypeUrl(), ".UpstreamTlsContext") {
		return "http", ""
	}
	if m, ok := unpack(config).(*tlsv3.UpstreamTlsContext); ok && literal(m.GetSni()) {
		server = m.GetSni()
	}
	return "https", server
}

// splitTarget is a weighted choice, which needs a split_clients of its own.
func (p *projection) splitTarget(o Origin, wc *routev3.WeightedCluster) target {
	s := split{origin: o}
	t := target{mark: exact(o).with(lessonSplit), scheme: "http", variable: true}
	total := uint64(0)
	for i, w := range wc.GetClusters() {
		at := o.at(fmt.Sprintf("clusters[%d]", i))
		one := p.clusterTarget(at, w.GetName())
		m := mark{kind: Exact, from: at.at("weight"), also: append([]Origin{at}, one.mark.also...), lesson: lessonSplit}
		if one.text == "" {
			m = m.approx(lessonNoCluster)
		} else {
			t.scheme, t.server = one.scheme, one.server
			if t.connect == nil && one.connect != nil {
				t.connect, t.cluster = one.connect, one.cluster
			}
		}
		t.mark.also = append(t.mark.also, one.mark.also...)
		s.parts = append(s.parts, part{m, p.names.upstream(w.GetName()), uint64(w.GetWeight().GetValue())})
		total += uint64(w.GetWeight().GetValue())
	}
	if total == 0 {
		t.mark = t.mark.approx(lessonZeroWeight)
		for _, pt := range s.parts {
			p.note(pt.mark.none(lessonZeroWeight), "0%% %s;", pt.name)
		}
		return t
	}
	if p.muted {
		// A commented location needs no variable that works.
		for _, pt := range s.parts {
			p.note(pt.mark, "%s %s;", percent(pt.weight, total), pt.name)
		}
		t.text = "$weighted"
		return t
	}
	s.name = p.splitName(s.parts[0].name)
	p.splits = append(p.splits, s)
	t.text = "$" + s.name
	return t
}

// splitName is a variable's name that is free: its first cluster's, so that
// the line reads well.
func (p *projection) splitName(first string) string {
	stem := "split_" + identifier(first, 24)
	name := stem
	for i := 2; p.splitNames[name]; i++ {
		if name = fmt.Sprintf("%s_%d", stem, i); i > len(p.splits)+2 {
			break
		}
	}
	if p.splitNames[name] {
		name = fmt.Sprintf("split_%d", len(p.splits))
	}
	p.splitNames[name] = true
	return name
}

// split writes one split_clients block. Envoy draws for each request, so the
// key is the request's own id. nginx wants shares above 0 that sum to 100 at
// most, and the last one takes what is left.
func (p *projection) split(s *split) {
	total, last := uint64(0), 0
	for i, pt := range s.parts {
		total += pt.weight
		if pt.weight > 0 {
			last = i
		}
	}
	p.open(exact(s.origin).with(lessonSplit), "split_clients $request_id $%s", s.name)
	for i, pt := range s.parts {
		share := percent(pt.weight, total)
		switch {
		case i == last:
			p.add(pt.mark, "* %s;  # %s", token(pt.name), share)
		case pt.weight*10_000/total == 0:
			p.note(pt.mark.none(lessonZeroWeight), "%s %s;", share, pt.name)
		default:
			if pt.weight*10_000%total != 0 {
				pt.mark = pt.mark.approx(lessonSplitRound)
			}
			p.add(pt.mark, "%s %s;", share, token(pt.name))
		}
	}
	p.end()
}

// percent is a share in hundredths of a percent, rounded down.
func percent(weight, total uint64) string {
	if total == 0 {
		return "0%"
	}
	h := weight * 10_000 / total
	if h%100 == 0 {
		return fmt.Sprintf("%d%%", h/100)
	}
	return fmt.Sprintf("%d.%02d%%", h/100, h%100)
}
