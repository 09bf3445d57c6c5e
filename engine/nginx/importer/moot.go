package importer

import (
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// unused accounts for what nobody has claimed within http {}: what changes
// nothing in Envoy, what is known to have no counterpart, and what is read
// wherever it holds, and so holds nowhere.
func (im *importer) unused(http *conf.Directive) {
	for _, d := range http.Block {
		im.leftover(d)
	}
}

func (im *importer) leftover(d *conf.Directive) {
	if !im.claimed[d] {
		switch why, known := refusals[d.Name]; {
		case known && harmless[d.Name] == d.Arg(0) && len(d.Args) == 1:
			im.moot(d)
		case (d.Name == "map" || d.Name == "geo") && !im.asksFor(strings.TrimPrefix(d.Arg(len(d.Args)-1), "$")):
			im.moot(d) // nothing in the file looks at its variable
		case known:
			im.none(d, why.reason, why.instead)
		case moots[d.Name] || consulted(d.Name) || belongs(d.Name):
			im.moot(d)
		}
	}
	if im.claimed[d] {
		for _, in := range d.Block {
			im.leftover(in)
		}
	}
}

// harmless are directives of refusals with the argument that says what Envoy
// does anyway.
var harmless = map[string]string{"proxy_cache": "off", "proxy_store": "off", "ssi": "off", "gunzip": "off", "autoindex": "off", "userid": "off",
	"charset": "off", "override_charset": "off", "gzip_static": "off",
	"chunked_transfer_encoding": "on", "keepalive_time": "1h", "dav_methods": "off", "modsecurity": "off", "auth_jwt": "off", "proxy_force_ranges": "off"}

// consulted reports whether a directive is looked up for each route or site that
// it holds for. One that nobody has claimed in the end holds for none: it is
// overridden everywhere, or nothing there passes on.
func consulted(name string) bool {
	if held[name] {
		return true
	}
	for _, family := range []string{"proxy_", "grpc_"} {
		if rest, ok := strings.CutPrefix(name, family); ok && heldOf[rest] {
			return true
		}
	}
	return false
}

// belongs reports whether a directive only says more of one that is reported.
func belongs(name string) bool {
	for _, family := range []string{"fastcgi_", "uwsgi_", "scgi_", "proxy_cache_", "proxy_no_cache", "open_file_cache"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}
