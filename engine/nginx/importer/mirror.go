package importer

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// mirrors sends copies of the requests to where the location that `mirror` names
// passes them.
func (im *importer) mirrors(f *forwarding) {
	for _, d := range im.inherited(f.loc, "mirror") {
		if d.Arg(0) == "off" {
			im.moot(d)
			continue
		}
		target := im.internal(f.loc, d.Arg(0))
		if target == nil {
			im.none(d, "the location that it names does not pass on to an upstream", "")
			continue
		}
		m := &routev3.RouteAction_RequestMirrorPolicy{Cluster: target.cluster, DisableShadowHostSuffixAppend: true,
			RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}}
		f.action.RequestMirrorPolicies = append(f.action.RequestMirrorPolicies, m)
		if target.path != "$request_uri" && target.path != "" {
			im.approx(d, at(m, "cluster"), "the copy goes to the path of the request itself; Envoy rewrites none for it", "")
		} else {
			im.exact(d, at(m, "cluster"))
		}
	}
	if d := im.one(f.loc, "mirror_request_body"); d != nil {
		if len(f.action.GetRequestMirrorPolicies()) > 0 && d.Arg(0) == "off" {
			im.none(d, "Envoy's copies have the body", "")
		} else {
			im.moot(d)
		}
	}
}

// subrequest is where a location that nginx asks by itself sends what it gets.
type subrequest struct {
	pass    *conf.Directive
	loc     *conf.Directive
	cluster string
	host    string
	path    string // the URI that the pass gives it, "" for the location's own
}

// internal finds the location for a path that a directive in loc names, and what
// it passes to; nil where it passes nothing on, or what cannot be said.
func (im *importer) internal(loc *conf.Directive, path string) *subrequest {
	server := enclosing(loc, "server")
	if server == nil {
		return nil
	}
	for _, l := range im.children(server)["location"] {
		name := l.Arg(len(l.Args) - 1)
		if name != path || l.Arg(0) == "~" || l.Arg(0) == "~*" {
			continue
		}
		for _, pass := range im.children(l)["proxy_pass"] {
			name, uri := splitPass(pass.Arg(0))
			a := &routev3.RouteAction{}
			if !im.target(l, pass, name, a) || a.GetCluster() == "" {
				return nil
			}
			return &subrequest{pass: pass, loc: l, cluster: a.GetCluster(), host: im.goals[a].host, path: uri}
		}
	}
	return nil
}
