package nginx

import (
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// Project says in nginx.conf what the mesh says. It never fails: what nginx
// cannot say, or would refuse, is a comment of Kind None where it would stand.
// nil is the empty mesh.
//
// Every line that is not Structure names a resource of the mesh, and every
// resource, route and endpoint has a line. `nginx -t` accepts the text, except
// for what it holds against the machine rather than the file: a listener on an
// address that the machine does not have, on a port that needs more rights, or
// on a unix socket in a folder that is not there, and files of certificates that
// are not there.
func Project(m *mesh.Mesh) *Config { return ProjectWith(m, Options{}) }

func newProjection(m *mesh.Mesh, o Options) *projection {
	return &projection{
		mesh: m, options: o, names: newNames(), taken: map[string]bool{}, hashKeys: map[string]hashKey{}, tcpKeys: map[string]hashKey{},
		attached: map[mesh.Key]bool{}, splitNames: map[string]int{}, shown: map[mesh.Key]bool{}, named: map[string]byName{}, drawn: map[Origin]string{}, counted: map[string]counted{},
	}
}

func (p *projection) config() *Config {
	p.prepare()
	p.depth = 1
	for _, r := range p.mesh.List(mesh.Listener) {
		p.listener(r)
	}
	p.unattached()
	servers := p.take()
	overTCP := p.clustersOverTCP()
	for _, r := range p.mesh.List(mesh.Cluster) {
		if !overTCP[r.Key.Name] {
			p.upstream(r)
		}
	}
	for i := range p.splits {
		p.split(&p.splits[i])
	}
	upstreams := p.take()
	p.depth = 0
	p.streams(overTCP)
	streams := p.take()
	p.depth = 1
	p.orphans()
	content := slices.Concat(upstreams, servers, p.take())
	p.depth = 0
	p.header()
	lines := p.take()
	if slices.ContainsFunc(content, func(l Line) bool { return !strings.HasPrefix(strings.TrimSpace(l.Text), "#") }) {
		content = p.http(content)
	} else {
		for i := range content {
			content[i].Text = strings.TrimPrefix(content[i].Text, indent)
		}
	}
	return &Config{Lines: slices.Concat(lines, content, streams)}
}

// http puts its block around what stands in it. What anybody looks for, the
// upstreams and servers, comes first; nginx does not mind the order.
func (p *projection) http(content []Line) []Line {
	p.open(mark{}, "http")
	p.resolver()
	head := p.take()
	if len(p.https) > 0 {
		p.defaults()
	}
	p.hashes()
	p.add(mark{}, "access_log off;")
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		p.add(mark{}, "%s_temp_path %s_temp;", of, of)
	}
	p.end()
	return slices.Concat(head, content, p.take())
}

// projection is one run of Project.
type projection struct {
	writer
	mesh       *mesh.Mesh
	options    Options
	names      *names
	shared     shared
	taken      map[string]bool    // listen addresses that are in use
	hashKeys   map[string]hashKey // by cluster
	attached   map[mesh.Key]bool  // route configurations that a listener asks for
	shown      map[mesh.Key]bool  // endpoints and secrets that some line mirrors
	https      []Origin           // connection managers, for what holds for all of http {}
	tcp        []stream           // TCP proxies
	overHTTP   []string           // clusters that routes send to
	splits     []split
	splitNames map[string]int    // variables that are taken, with the last number
	drawn      map[Origin]string // variables of a weighted choice or a share
	named      map[string]byName // by cluster
	resolved   []*clusterv3.Cluster
	counted    map[string]counted // by cluster
	closures   []closure          // where nginx refuses more than Envoy does
	openings   []opening          // what may refuse in Envoy, and does not run in nginx
	everywhere map[string]*agreed // directives of the connection managers, by name
	inStream   bool               // within stream {}
	tcpKeys    map[string]hashKey // by cluster, within stream {}

	serverNames   int
	longestServer int
	longestHeader int
}

// take hands over what was written so far.
func (p *projection) take() []Line {
	out := p.lines
	p.lines = nil
	return out
}

// prepare looks ahead: clusters get their names first, so that one with a plain
// name keeps it, and hash policies are gathered from the routes.
func (p *projection) prepare() {
	for _, plain := range []bool{true, false} {
		for _, r := range p.mesh.List(mesh.Cluster) {
			if plainUpstream.MatchString(r.Key.Name) == plain {
				p.names.upstream(r.Key.Name)
			}
		}
	}
	for _, r := range p.mesh.List(mesh.Cluster) {
		if c, ok := r.Message.(*clusterv3.Cluster); ok {
			p.findNamed(Origin{Key: r.Key}, c)
		}
	}
	for _, r := range p.mesh.List(mesh.Route) {
		if rc, ok := r.Message.(*routev3.RouteConfiguration); ok {
			p.gatherHashKeys(Origin{Key: r.Key}, rc)
			p.usedBy(rc)
			p.shared.survey(p, Origin{Key: r.Key}, rc)
		}
	}
	p.gather()
}

// header is what stands before everything else: what an ordinary user needs to
// run it.
func (p *projection) header() {
	if file := p.options.StreamModule; len(p.tcp) > 0 && p.options.Stream && file != "" {
		p.add(mark{}, "load_module %s;", token(file))
	}
	p.announce()
	for _, line := range []string{"worker_processes auto;", "pid nginx.pid;", "error_log stderr;", "events {}"} {
		p.add(mark{}, "%s", line)
	}
}

// hashes widens nginx's tables for many or long names.
func (p *projection) hashes() {
	if size := bucketSize(p.longestServer); size > 64 {
		p.add(mark{}, "server_names_hash_bucket_size %d;", size)
	}
	if size := tableSize(p.serverNames); size > 512 {
		p.add(mark{}, "server_names_hash_max_size %d;", size)
	}
	if size := bucketSize(p.longestHeader); size > 64 {
		p.add(mark{}, "proxy_headers_hash_bucket_size %d;", size)
		p.add(mark{}, "proxy_headers_hash_max_size 4096;")
	}
	if size := tableSize(len(p.splitNames)); size > 512 {
		p.add(mark{}, "variables_hash_max_size %d;", size)
	}
}

// defaults are Envoy's habits, said aloud because nginx has others, and what all
// connection managers and routes have alike.
func (p *projection) defaults() {
	m := mark{from: p.https[0], also: p.https[1:], kind: Exact}
	p.add(m.approx(lessonVersion), "proxy_http_version 1.1;")
	p.add(m.with(lessonVersion), `proxy_set_header Connection "";`)
	if p.shared.host.is("$proxy_host") {
		p.note(p.shared.host.mark, "Host: the upstream's name, nginx by itself")
	} else {
		p.add(m.with(lessonHost), "proxy_set_header Host $http_host;")
	}
	p.forwarding(byProxy, m)
	if p.speakGRPC() {
		p.add(m.with(lessonHost), "grpc_set_header Host $http_host;")
		p.forwarding(byGRPC, m)
	}
	for _, name := range sortedKeys(p.everywhere) {
		if a := p.everywhere[name]; !a.differs {
			p.add(a.mark, "%s", a.value)
		}
	}
}

// forwarding is how long to wait for an upstream, and whether to try the next.
func (p *projection) forwarding(by string, m mark) {
	read, connect, next := agreed{value: "15s", mark: m.approx(lessonTimeout)}, agreed{value: "5s", mark: m.with(lessonConnect)}, agreed{value: "off", mark: m.with(lessonNoRetry)}
	for _, one := range []struct{ usual, all *agreed }{{&read, &p.shared.read}, {&connect, &p.shared.connect}, {&next, &p.shared.next}} {
		if one.all.common() {
			*one.usual = *one.all
		}
	}
	p.add(read.mark, "%s_read_timeout %s;", by, read.value)
	p.add(connect.mark, "%s_connect_timeout %s;", by, connect.value)
	words, tries, _ := strings.Cut(next.value, " / ")
	p.add(next.mark, "%s_next_upstream %s;", by, words)
	if tries != "" {
		p.add(next.mark.with(lessonTries), "%s_next_upstream_tries %s;", by, tries)
	}
}

// speakGRPC reports whether some cluster is spoken to in HTTP/2.
func (p *projection) speakGRPC() bool {
	for _, r := range p.mesh.List(mesh.Cluster) {
		if c, ok := r.Message.(*clusterv3.Cluster); ok && speaksHTTP2(c) {
			return true
		}
	}
	return false
}

// unattached shows the route configurations that no listener asks for.
func (p *projection) unattached() {
	for _, r := range p.mesh.List(mesh.Route) {
		if p.attached[r.Key] {
			continue
		}
		rc, ok := r.Message.(*routev3.RouteConfiguration)
		if !ok {
			continue
		}
		o := Origin{Key: r.Key}
		p.note(mark{from: o}.none(lessonUnused), "route configuration %s: no listener asks for it", r.Key.Name)
		unmute := p.mute(None)
		p.virtualHosts(&site{}, &routing{origin: o, config: rc})
		unmute()
	}
}

// orphans shows endpoints and secrets that nothing else has shown.
func (p *projection) orphans() {
	for _, r := range p.mesh.List(mesh.Endpoints) {
		if !p.shown[r.Key] {
			p.orphanEndpoints(r)
		}
	}
	for _, r := range p.mesh.List(mesh.Secret) {
		if !p.shown[r.Key] {
			p.note(mark{from: Origin{Key: r.Key}}.none(lessonSecret), "secret %s", r.Key.Name)
		}
	}
}

// at is the origin of a field below o.
func (o Origin) at(field string) Origin {
	if field == "" {
		return o
	}
	if o.Path == "" || strings.HasPrefix(field, "[") {
		return Origin{Key: o.Key, Path: o.Path + field}
	}
	return Origin{Key: o.Key, Path: o.Path + "." + field}
}
