package importer

import (
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/nginx/conf"
)

// goal is what a route's target turned out to be.
type goal struct {
	host    string // $proxy_host: what nginx puts into Host by itself
	several bool   // there is a server to try next
	servers int    // how many, 0 where DNS says
	choices []choice
}

// choice is an upstream that a map chooses for requests of one kind.
type choice struct {
	from    *conf.Directive
	header  *routev3.HeaderMatcher
	query   *routev3.QueryParameterMatcher
	cluster string
	host    string
}

// target sets the cluster of a route for what proxy_pass (or grpc_pass …) names
// there without scheme and URI: an upstream's name, host:port, a variable. It
// makes the cluster that is needed. ok is false where it cannot be said, which
// is then in the report.
func (im *importer) target(loc, pass *conf.Directive, name string, a *routev3.RouteAction) (ok bool) {
	if strings.Contains(name, "$") {
		return im.variableTarget(loc, pass, name, a)
	}
	var resolver *conf.Directive // nginx asks it for the name in a variable
	if strings.HasPrefix(pass.Arg(0)[strings.Index(pass.Arg(0), "://")+1:], "//$") || strings.HasPrefix(pass.Arg(0), "$") {
		resolver = im.one(loc, "resolver")
	}
	p := im.pool(pass, name, resolver)
	if p == nil {
		im.none(pass, "there is no upstream and no address "+name, "")
		return false
	}
	c := im.reach(loc, pass, p)
	a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: c.GetName()}
	a.HashPolicy = p.hash
	im.goals[a] = &goal{host: hostHeader(pass, name), several: p.several, servers: p.servers}
	im.exact(pass, at(a, "cluster"))
	return true
}

// pool finds the upstream of that name, or makes one for an address. A resolver
// says that nginx asks DNS while it runs. It is nil where it is neither.
func (im *importer) pool(from *conf.Directive, name string, resolver *conf.Directive) *pool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "unix:") {
		name = strings.TrimSuffix(name, ":")
	} else if p, ok := im.pools[name]; ok {
		return p
	} else if !hasPort(name) {
		name += ":" + portOf(from)
	}
	if p, ok := im.pools[name]; ok {
		return p
	}
	p := im.lone(from, name, resolver)
	if p != nil {
		im.pools[name] = p
	}
	return p
}

// lone makes a pool of one address, with its port; nil for what is none.
func (im *importer) lone(from *conf.Directive, name string, resolver *conf.Directive) *pool {
	m := member{d: from, weight: 1, asked: resolver != nil}
	var ok bool
	if m.address, m.named, ok = serverAddress(name, 80); !ok {
		return nil
	}
	p := &pool{name: name, from: from, ways: map[dial]*clusterv3.Cluster{}}
	im.gather(p, []member{m})
	if resolver != nil && m.named {
		im.ask(p.cluster, resolver)
	}
	p.plain = proto.CloneOf(p.cluster)
	return p
}

// hasPort reports whether an address ends in a port.
func hasPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	return i >= 0 && !strings.HasSuffix(s, "]") && (strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1)
}

// schemeOf is the scheme that a pass names: "http", "https", "grpc", "grpcs"; what
// names none has that of its directive.
func schemeOf(pass *conf.Directive) string {
	if scheme, _, ok := strings.Cut(pass.Arg(0), "://"); ok {
		return strings.ToLower(scheme)
	}
	if pass.Name == "grpc_pass" {
		return "grpc"
	}
	return "http"
}

func portOf(pass *conf.Directive) string {
	if s := schemeOf(pass); s == "https" || s == "grpcs" {
		return "443"
	}
	return "80"
}

// hostHeader is $proxy_host: the name, with its port unless that is the scheme's
// own.
func hostHeader(pass *conf.Directive, name string) string {
	if strings.HasPrefix(name, "unix:") {
		return "localhost"
	}
	if hasPort(name) {
		return strings.TrimSuffix(name, ":"+portOf(pass))
	}
	return name
}

// resolver gives a cluster of names the resolver that its upstream asks. nginx
// asks it for those servers alone that say `resolve`.
func (im *importer) resolver(p *pool) {
	for _, s := range p.from.Children("server") {
		if d := im.one(p.from, "resolver"); d != nil && s.Flag("resolve") {
			im.ask(p.cluster, d)
			return
		}
	}
}

// ask has the cluster's names resolved by the servers of a resolver directive.
func (im *importer) ask(c *clusterv3.Cluster, d *conf.Directive) {
	config := &caresv3.CaresDnsResolverConfig{}
	for _, a := range d.Args {
		if a == "ipv6=off" {
			c.DnsLookupFamily = clusterv3.Cluster_V4_ONLY
		}
		if a == "ipv4=off" {
			c.DnsLookupFamily = clusterv3.Cluster_V6_ONLY
		}
		if strings.Contains(a, "=") {
			continue
		}
		address, named, ok := serverAddress(a, 53)
		if !ok || named {
			im.none(d, "the DNS server has a name, and Envoy wants its address", "")
			return
		}
		config.Resolvers = append(config.Resolvers, address)
	}
	packed, err := anypb.New(config)
	if err != nil || len(config.GetResolvers()) == 0 {
		return
	}
	c.TypedDnsResolverConfig = &corev3.TypedExtensionConfig{Name: "envoy.network.dns_resolver.cares", TypedConfig: packed}
	im.packed[config] = at(c, "typed_dns_resolver_config.typed_config")
	if _, ok := d.Parameter("valid"); ok {
		im.approx(d, at(config, "resolvers"), "Envoy asks again every 5 s whatever the record says, and before any request needs it", "set respect_dns_ttl or dns_refresh_rate by a DnsCluster")
		return
	}
	im.approx(d, at(config, "resolvers"), "nginx asks when a request needs the name and its record has aged; Envoy asks every 5 s", "set respect_dns_ttl by a DnsCluster")
}

// splitPass takes what a pass names apart: where to, and the URI that it is given
// there. A variable may begin the URI, or be all of the target.
func splitPass(s string) (name, uri string) {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		path, uri, _ = strings.Cut(path, ":")
		return "unix:" + path, uri
	}
	if i := strings.IndexAny(s, "/$"); i > 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
