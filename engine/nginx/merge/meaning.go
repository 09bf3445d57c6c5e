package merge

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// meaning is what a text means to the importer, in a form in which two texts can
// be compared that say the same in other words: nothing in it has a name that only
// the file knows.
type meaning struct {
	result   *importer.Result
	clusters map[string]goal // by their names in the import
	items    map[string]item
}

// item is one thing that a text says: a route of a host at an address, what holds
// for the host, for the address.
type item struct {
	says  string
	tries string               // what a route tries again
	to    string               // where it leads: the servers, and how they are balanced
	way   []*clusterv3.Cluster // how it connects to them: clusters that say nothing else
	from  nginx.Origin         // where the import has it
	at    string               // the address that is listened on
	host  string               // the item that holds it
	rest  bool                 // it is of the hosts that no name takes
	tcp   bool                 // no HTTP is spoken at the address
	path  string               // what a route asks of the path
	what  string               // for people: "the answer to /x of a.example.com"
}

// meaningOf reads an import.
func meaningOf(r *importer.Result) *meaning {
	m := &meaning{result: r, clusters: map[string]goal{}, items: map[string]item{}}
	names := map[string]string{}
	for _, c := range r.Mesh.List(mesh.Cluster) {
		names[c.Key.Name] = fmt.Sprintf("%x", sha256.Sum256([]byte(m.goal(c.Key.Name).to)))
	}
	for _, r := range r.Mesh.List(mesh.Listener) {
		if l, ok := r.Message.(*listenerv3.Listener); ok {
			m.listener(r.Key, l, names)
		}
	}
	return m
}

// listener takes in an address with its hosts.
func (m *meaning) listener(key mesh.Key, l *listenerv3.Listener, clusters map[string]string) {
	at := mesh.Address(l.GetAddress())
	plain := withoutTrace(l)
	renameIn(plain.ProtoReflect(), clusters)
	m.items[at] = item{says: bytesOf(plain), from: nginx.Origin{Key: key}, what: "what holds for " + at, tcp: len(managers(l)) == 0, at: at}
	rc, _ := m.message(mesh.Route, key.Name).(*routev3.RouteConfiguration)
	for i, h := range rc.GetVirtualHosts() {
		o := nginx.Origin{Key: mesh.Key{Type: mesh.Route, Name: rc.GetName()}, Path: fmt.Sprintf("virtual_hosts[%d]", i)}
		for _, domain := range domainsOf([]*routev3.VirtualHost{h}) {
			m.host(at, domain, o, h)
		}
	}
}

// withoutTrace is a listener but for whether its requests get a number of their
// own: that follows from what their locations send on.
func withoutTrace(l *listenerv3.Listener) *listenerv3.Listener {
	l = proto.CloneOf(l)
	for _, at := range managers(l) {
		c, ok := lookup(l, strings.TrimSuffix(at, ".typed_config"))
		if !ok {
			continue
		}
		f, _ := c.message().Interface().(*listenerv3.Filter)
		hcm := &hcmv3.HttpConnectionManager{}
		if f.GetTypedConfig().UnmarshalTo(hcm) == nil {
			hcm.GenerateRequestId = nil
			f.GetTypedConfig().Value = []byte(bytesOf(hcm))
		}
	}
	return l
}

// host takes in what is said of one domain. Of its routes the expressions keep
// their order; all others are where their kind and length have them.
func (m *meaning) host(address, domain string, o nginx.Origin, h *routev3.VirtualHost) {
	at := address + " " + domain
	plain := proto.CloneOf(h)
	plain.Name, plain.Domains, plain.Routes = "", nil, nil
	m.items[at] = item{says: bytesOf(plain), from: o, at: address, rest: domain == "*", what: "what holds for " + domain}
	before := "" // the expressions so far
	for i, was := range h.GetRoutes() {
		if i+1 < len(h.GetRoutes()) && isTwinOf(was, h.GetRoutes()[i+1]) {
			continue // it is there for what is not tried again
		}
		if strings.HasPrefix(was.GetName(), ownName) && was.GetRedirect() == nil {
			continue // what nginx refuses before any location, of which the report of the import tells
		}
		r := proto.CloneOf(was)
		match := bytesOf(r.GetMatch())
		r.Name, r.Match = "", nil
		it := item{from: nginx.Origin{Key: o.Key, Path: fmt.Sprintf("%s.routes[%d]", o.Path, i)}, host: at, at: address, rest: domain == "*", path: pathOf(was.GetMatch()), what: fmt.Sprintf("the answer to %s of %s", pathOf(was.GetMatch()), domain)}
		it.to, it.way = m.leads(r)
		it.tries = bytesOf(r.GetRoute().GetRetryPolicy())
		if r.GetRoute() != nil {
			r.GetRoute().RetryPolicy = nil
		}
		it.says = bytesOf(r)
		switch {
		case isOfNamed(was):
			match, it.what = "@"+it.says+it.to, "a named location of "+domain
		case was.GetMatch().GetSafeRegex() != nil:
			it.says, before = before+it.says, match
		}
		if _, taken := m.items[at+" "+match]; !taken { // else the first one takes the request
			m.items[at+" "+match] = it
		}
	}
}

// pathOf is what a match asks of the path, for people.
func pathOf(m *routev3.RouteMatch) string {
	switch {
	case m.GetPath() != "":
		return m.GetPath()
	case m.GetSafeRegex() != nil:
		return m.GetSafeRegex().GetRegex()
	}
	return prefixOf(m)
}

// leads is where a route leads and how it connects to there; the names of the
// clusters are taken out of it.
func (m *meaning) leads(r *routev3.Route) (to string, way []*clusterv3.Cluster) {
	add := func(name string) {
		g := m.goal(name)
		to, way = to+"\x00"+g.to, append(way, g.way)
	}
	a := r.GetRoute()
	if a == nil {
		return "", nil
	}
	if name := a.GetCluster(); name != "" {
		add(name)
		a.ClusterSpecifier = nil
	}
	for _, c := range a.GetWeightedClusters().GetClusters() {
		add(c.GetName())
		c.Name = ""
	}
	for _, p := range a.GetRequestMirrorPolicies() {
		add(p.GetCluster())
		p.Cluster = ""
	}
	return to, way
}

// goal is where a cluster leads, and how it connects.
type goal struct {
	to  string
	way *clusterv3.Cluster
}

// goal reads a cluster. What it counts as a failure, and what follows from that, is
// left out: in nginx it depends on how many servers there are.
func (m *meaning) goal(name string) goal {
	if g, ok := m.clusters[name]; ok {
		return g
	}
	c, ok := m.message(mesh.Cluster, name).(*clusterv3.Cluster)
	if !ok {
		return goal{}
	}
	cla := c.GetLoadAssignment()
	if c.GetType() == clusterv3.Cluster_EDS {
		service := c.GetEdsClusterConfig().GetServiceName()
		if service == "" {
			service = name
		}
		cla, _ = m.message(mesh.Endpoints, service).(*endpointv3.ClusterLoadAssignment)
	}
	g := goal{way: &clusterv3.Cluster{ConnectTimeout: c.GetConnectTimeout(), TransportSocket: c.GetTransportSocket(), UpstreamBindConfig: c.GetUpstreamBindConfig(),
		TypedExtensionProtocolOptions: c.GetTypedExtensionProtocolOptions()}}
	c = proto.CloneOf(c)
	c.Name, c.LoadAssignment, c.AltStatName, c.ClusterDiscoveryType, c.EdsClusterConfig, c.OutlierDetection, c.CommonLbConfig = "", nil, "", nil, nil, nil, nil
	c.ConnectTimeout, c.TransportSocket, c.UpstreamBindConfig, c.TypedExtensionProtocolOptions = nil, nil, nil, nil
	g.to = bytesOf(c)
	if cla != nil {
		cla = proto.CloneOf(cla)
		cla.ClusterName = ""
		g.to += "\x00" + bytesOf(cla)
	}
	m.clusters[name] = g
	return g
}

func (m *meaning) message(t mesh.Type, name string) proto.Message {
	if r := m.result.Mesh.Get(mesh.Key{Type: t, Name: name}); r != nil {
		return r.Message
	}
	return nil
}

// bytesOf is a message in a form that can be compared.
func bytesOf(m proto.Message) string {
	b, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// strays are the findings about what the text means and the result does not, or
// means otherwise, and that the report does not tell of.
func (v *verifier) strays(reported map[int]bool) (out []mesh.Finding) {
	want, got := meaningOf(v.change.theirs), meaningOf(imported(v.whole()))
	lines := linesOf(v.change.theirs)
	left, to := v.alongside(want, got)
	all := maps.Clone(want.items)
	maps.Copy(all, got.items)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w, okW := want.items[key]
		g, okG := got.items[key]
		same := okW && okG && w.says == g.says && w.to == g.to
		if same && sameWay(w.way, g.way) && w.tries == g.tries || !okW && g.tcp || left[w.at] != nil {
			continue
		}
		if d := to[cmp.Or(w.at, g.at)]; d != nil && (w.rest || g.rest) {
			v.change.tell(importer.Entry{Kind: nginx.Approximate, Directive: d.String(), File: file, Line: d.Line,
				Reason: "a host that no server_name takes gets 404 there, as it did before; nginx would give it to the first server of the address", Instead: "write default_server behind the address of the server that is to take it"})
			continue
		}
		if !okW {
			what := g.what
			w = want.items[g.host]
			w.what = what
		}
		ds := lines[w.from]
		if slices.ContainsFunc(ds, func(d *conf.Directive) bool { return excused(d, reported) }) || !okW && v.toldGone(g.path) {
			continue
		}
		message := fmt.Sprintf("Envoy would not do what the text says: %s would be another", w.what)
		switch {
		case same && !sameWay(w.way, g.way):
			if message = v.connects(ds, w.way, g.way); message == "" {
				continue
			}
		case same && !slices.ContainsFunc(ds, func(d *conf.Directive) bool { return strings.Contains(d.Name, "_next_upstream") && v.touched(d) }):
			continue // how many servers there are decides how often nginx tries
		}
		out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: v.lineAmong(ds), Message: message, Hint: instead})
	}
	return out
}

// toldGone reports whether the report tells that a location which the operator took
// out, or renamed, is still there.
func (v *verifier) toldGone(path string) bool {
	return slices.ContainsFunc(v.change.Report, func(e importer.Entry) bool {
		if e.Kind != nginx.None || path == "" {
			return false
		}
		for d := range v.was.All() {
			now := v.edit.now[d]
			if !isLocation(d) || now != nil && same(now, d) || d.String() != e.Directive && (now == nil || now.String() != e.Directive) {
				continue
			}
			if _, name := location(d); strings.TrimSuffix(name, "/") == strings.TrimSuffix(path, "/") || strings.Contains(path, name) {
				return true
			}
		}
		return false
	})
}

// whole is what the result is projected to, with stream {} where the text has one.
func (v *verifier) whole() *conf.Config {
	if !slices.ContainsFunc(v.now.Main, func(d *conf.Directive) bool { return d.Name == "stream" }) {
		return v.after
	}
	c, err := read(nginx.ProjectWith(v.made, nginx.Options{Stream: true}).String())
	if err != nil {
		return v.after
	}
	return c
}

// alongside are the addresses that the servers of the mesh left, where the text
// has only the server that Project adds for the hosts that no name takes, and those
// to which they went: that server goes along.
func (v *verifier) alongside(want, got *meaning) (left, to map[string]*conf.Directive) {
	left, to = map[string]*conf.Directive{}, map[string]*conf.Directive{}
	for at, it := range want.items {
		if d := v.change.theirs.Made[it.from.Key]; at == it.at && got.items[at].at == "" && d != nil && v.isOwn(v.edit.was[d]) {
			left[at] = d
		}
	}
	if len(left) == 0 {
		return left, to
	}
	for d := range v.now.All() {
		if was := v.edit.was[d]; d.Name == "listen" && was != nil && !same(was, d) && inHTTP(parent(d)) {
			for _, l := range v.change.theirs.Links {
				if l.From == d && l.To.Key.Type == mesh.Listener {
					if r, ok := v.change.theirs.Mesh.Get(l.To.Key).Message.(*listenerv3.Listener); ok {
						to[mesh.Address(r.GetAddress())] = d
					}
				}
			}
		}
	}
	return left, to
}

// isOwn reports whether a server of the shown text is one that Project adds.
func (v *verifier) isOwn(d *conf.Directive) bool {
	if d == nil || !inHTTP(d) {
		return false
	}
	l := v.shown.Lines[d.Line-1]
	return hostPath.FindString(l.From.Path) == ""
}

// lineAmong is the line of a directive that the operator touched, one of some
// where there is one.
func (v *verifier) lineAmong(ds []*conf.Directive) int {
	for _, d := range ds {
		if v.touched(d) {
			return d.Line
		}
	}
	for d := range v.now.All() {
		if v.touched(d) {
			return d.Line
		}
	}
	return 1
}

// linesOf are the directives of a text by the entities of the import that they
// lead to.
func linesOf(r *importer.Result) map[nginx.Origin][]*conf.Directive {
	out := map[nginx.Origin][]*conf.Directive{}
	for _, l := range r.Links {
		for _, entity := range entitiesOf(l.To.Path) {
			at := nginx.Origin{Key: l.To.Key, Path: entity}
			out[at] = append(out[at], l.From)
		}
	}
	return out
}
