package importer

import (
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// main walks the main context.
func (im *importer) main() {
	for d := range im.conf.All() {
		if d.Name == "include" && strings.ContainsAny(d.Arg(0), "*?[") {
			im.moot(d) // of files that are not there, which nginx does not mind
		}
	}
	blocks := map[string]bool{}
	for _, d := range im.conf.Main {
		switch {
		case !d.IsBlock:
		case blocks[d.Name]:
			im.none(d, "nginx takes one such block, and there is one above", "")
			continue
		default:
			blocks[d.Name] = true
		}
		switch d.Name {
		case "http":
			im.claimed[d] = true
			im.http(d)
		case "stream":
			im.claimed[d] = true
			im.stream(d)
		default:
			im.leftover(d)
		}
	}
}

// http makes listeners, route configurations and clusters of http {}.
func (im *importer) http(d *conf.Directive) {
	im.pools = im.upstreams(d)
	sites := im.sites(d)
	im.believes(sites)
	for _, s := range sites {
		if im.spend(siteCost); im.full() && s.first.listen != nil {
			im.none(s.first.listen, "there are more addresses and servers than are made of a file of this length: this one is not opened", "name the ports that are used")
			for _, sv := range s.servers {
				im.moot(sv.d)
			}
			continue
		}
		im.site(s)
	}
	if len(sites) > 0 {
		im.put(nil, runtime())
	}
	im.unused(d)
}

// site makes the listener and the route configuration of one address: virtual
// hosts and routes first, then the connection manager, the filter chains last.
func (im *importer) site(s *site) {
	s.listener = &listenerv3.Listener{Name: s.name, Address: s.address}
	s.routes = &routev3.RouteConfiguration{Name: s.name, IgnorePortInHostMatching: true}
	s.merge = im.one(s.first.d, "merge_slashes")
	im.put(s.first.d, s.listener)
	im.put(s.first.d, s.routes)
	im.listening(s)
	im.virtualHosts(s)
	s.manager = manager(s)
	im.packed[s.manager] = at(s.listener, "filter_chains[0].filters[0].typed_config")
	im.uriRules(s)
	im.manage(s)
	routed(s)
	im.chains(s, s.listener)
}
