package nginx

import (
	"fmt"
	"regexp"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
)

// target is where a route sends its requests.
type target struct {
	mark     mark
	text     string // upstream or variable; "" when there is none to send to
	variable bool
	set      string       // what the variable is set to in the location, "" where it has a value
	http2    bool         // it is spoken to in HTTP/2
	tls      *upstreamTLS // nil for plain text
	cluster  Origin
	connect  *durationpb.Duration // nil for Envoy's own 5 s
	only     string               // expression for what the variable may hold, "" for anything
	servers  int                  // that nginx sees, 0 where that is not known
}

// split is one weighted cluster's split_clients.
type split struct {
	name   string
	origin Origin // of the weighted_clusters
	lesson string // why it is not exact, "" when it is
	key    string // what it draws by, "" for each request anew
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
		key := ""
		if cs.WeightedClusters.GetUseHashPolicy().GetValue() {
			for _, hp := range ra.GetHashPolicy() {
				key += hashText(hp)
			}
		}
		return p.splitTarget(o.at("weighted_clusters"), cs.WeightedClusters, key)
	case *routev3.RouteAction_ClusterHeader:
		m := exact(o.at("cluster_header"))
		if v, only := variable("http_", cs.ClusterHeader), p.anyUpstream(); v != "" && only != "" {
			return target{mark: m.approx(lessonClusterBy), text: v, variable: true, only: only}
		}
		return target{mark: m.approx(lessonNoAction)}
	}
	return target{mark: mark{from: o}.approx(lessonNoAction)}
}

// anyUpstream is the expression for the names of the clusters that a request may ask
// for by itself; "" where they are none, or too many to write. Whatever else it
// named nginx would take for a host, and send to it.
func (p *projection) anyUpstream() string {
	var names []string
	length := 0
	for _, r := range p.mesh.List(mesh.Cluster) {
		name := r.Key.Name
		if _, byName := p.named[name]; !byName && p.names.upstream(name) == name {
			names, length = append(names, regexp.QuoteMeta(name)), length+len(name)+2
		}
	}
	if len(names) == 0 || length > tokenLimit {
		return ""
	}
	return "^(?:" + strings.Join(names, "|") + ")$"
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
	t := target{mark: m, text: p.names.upstream(name), cluster: Origin{Key: k}}
	c, ok := r.Message.(*clusterv3.Cluster)
	if !ok {
		return t
	}
	t.servers = p.count(t.cluster, c).servers
	t.connect, t.tls, t.http2 = c.GetConnectTimeout(), p.upstreamTLS(t.cluster, c), speaksHTTP2(c)
	if t.http2 {
		t.mark = t.mark.approx(lessonHTTP2)
	}
	if by, ok := p.named[name]; ok {
		t.variable, t.text, t.set = true, "$"+by.variable, by.set
		t.mark = t.mark.approx(lessonResolver)
	}
	return t
}

// splitTarget is a weighted choice, which needs a split_clients of its own.
func (p *projection) splitTarget(o Origin, wc *routev3.WeightedCluster, key string) target {
	s := split{origin: o, key: key}
	if key != "" {
		s.lesson = lessonSplitKeyed
	}
	t := target{mark: exact(o).with(lessonSplit), variable: true}
	total, found := uint64(0), false
	for i, w := range wc.GetClusters() {
		at := o.at(fmt.Sprintf("clusters[%d]", i))
		one := p.clusterTarget(at, w.GetName())
		m := mark{kind: Exact, from: at.at("weight"), also: append([]Origin{at}, one.mark.also...), lesson: lessonSplit}
		switch {
		case one.text == "":
			m = m.approx(lessonNoCluster)
		case !found:
			found, t.http2, t.tls = true, one.http2, one.tls
		case t.http2 != one.http2 || (t.tls == nil) != (one.tls == nil):
			m = m.approx(lessonSplitMixed)
			t.mark = t.mark.approx(lessonSplitMixed)
		}
		if t.connect == nil && one.connect != nil {
			t.connect, t.cluster = one.connect, one.cluster
		}
		t.mark.also = append(t.mark.also, one.mark.also...)
		name := p.names.upstream(w.GetName())
		if by, ok := p.named[w.GetName()]; ok {
			name, m = by.first, m.approx(lessonResolver)
		}
		s.parts = append(s.parts, part{m, name, uint64(w.GetWeight().GetValue())})
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
	name, again := p.drawn[o]
	if !again {
		name = p.splitName(s.parts[0].name)
		s.name, p.drawn[o] = name, name
		p.splits = append(p.splits, s)
	}
	t.text = "$" + name
	return t
}

// splitName is a variable's name that is free: its first cluster's, so that
// the line reads well.
func (p *projection) splitName(first string) string {
	return p.variableName("split_" + identifier(first, 24))
}

// variableName is the stem, or the stem with the first number that is free.
func (p *projection) variableName(stem string) string {
	name := stem
	for i := max(2, p.splitNames[stem]+1); p.splitNames[name] > 0; i++ {
		name = fmt.Sprintf("%s_%d", stem, i)
		p.splitNames[stem] = i
	}
	p.splitNames[name]++
	return name
}

// splitKey is what a split draws by: something of its own for each request, or
// each connection.
func (p *projection) splitKey() string {
	if p.inStream {
		return "$remote_addr$remote_port"
	}
	return "$request_id"
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
	m := exact(s.origin).with(lessonSplit)
	if s.lesson != "" {
		m = m.approx(s.lesson)
	}
	key := p.splitKey()
	if s.key != "" {
		key = s.key
	}
	p.open(m, "split_clients %s $%s", token(key), s.name)
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
