package importer

import (
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// streamCluster is the cluster for what nginx calls by this name, reached as the
// server says. ok is false for what cannot be reached, which is in the report.
func (im *importer) streamCluster(p *port, d *conf.Directive, name string) (cluster string, ok bool) {
	key := strings.ToLower(name)
	up := p.pools[key]
	if up == nil && (hasPort(key) || strings.HasPrefix(key, "unix:")) {
		up = im.lone(d, key, nil)
	}
	if up == nil {
		im.none(d, "it names no upstream, and no address with a port", "")
		return "", false
	}
	p.pools[key] = up
	return im.reach(p.server, d, up).GetName(), true
}
