package importer

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// main walks the main context.
func (im *importer) main() {
	for _, d := range im.conf.Main {
		switch d.Name {
		case "http":
			im.claimed[d] = true
			im.http(d)
		case "stream":
			im.claimed[d] = true
			im.stream(d)
		case "events", "worker_processes", "pid", "user", "daemon", "master_process", "worker_rlimit_nofile", "load_module":
			im.moot(d)
		}
	}
}

// http makes listeners, route configurations and clusters of http {}.
func (im *importer) http(d *conf.Directive) {
	im.upstreams(d)
	sites := im.sites(d)
	for _, s := range sites {
		im.site(s)
	}
	if len(sites) > 0 {
		im.put(nil, fragments())
	}
}

// site makes the listener and the route configuration of one address: virtual
// hosts and routes first, then the connection manager, the filter chains last.
func (im *importer) site(s *site) {
	s.listener = &listenerv3.Listener{Name: s.name, Address: s.address}
	s.routes = &routev3.RouteConfiguration{Name: s.name, IgnorePortInHostMatching: true}
	im.put(s.first.d, s.listener)
	im.put(s.first.d, s.routes)
	im.listening(s)
	im.virtualHosts(s)
	s.manager = manager(s)
	im.packed[s.manager] = at(s.listener, "filter_chains[0].filters[0].typed_config")
	im.uriRules(s)
	im.manage(s)
	im.chains(s, s.listener)
	im.plainChain(s)
}

// upstreams makes a cluster, and its endpoints, of every upstream of http {}.
func (im *importer) upstreams(http *conf.Directive) {}

// target sets the cluster of a route for what proxy_pass (or grpc_pass …) names
// there without scheme and URI: an upstream's name, host:port, a variable. It
// makes the cluster that is needed. ok is false where it cannot be said, which
// is then in the report.
func (im *importer) target(loc, pass *conf.Directive, name string, a *routev3.RouteAction) (ok bool) {
	return false
}

// forward adds to a route that proxies what the directives that hold in loc say
// of it: timeouts, retries, the Host and other headers, mirrors, hash policies.
func (im *importer) forward(loc, pass *conf.Directive, r *routev3.Route) {}

// answer adds to any route what the directives that hold in loc say of its
// requests and answers whatever its action: add_header, limits, access rules,
// filters of its own.
func (im *importer) answer(loc *conf.Directive, r *routev3.Route) {}

// manage adds to the connection manager of a site what its servers say together:
// HTTP filters, access logs, idle times, upgrades, answers of its own. It stands
// in im.packed already.
func (im *importer) manage(s *site) {}

// stream makes TCP and UDP listeners of stream {}, and their clusters.
func (im *importer) stream(d *conf.Directive) {}
