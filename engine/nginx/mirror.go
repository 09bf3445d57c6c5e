package nginx

import (
	"fmt"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// mirror is an internal location that a request is copied to.
type mirror struct {
	path   string
	target target
}

// mirror writes the copies of a route's requests; their locations follow at the
// end of the server.
func (p *projection) mirror(sc *scope, o Origin, ra *routev3.RouteAction) {
	for i, mp := range ra.GetRequestMirrorPolicies() {
		at := o.at(fmt.Sprintf("request_mirror_policies[%d]", i))
		t := p.clusterTarget(at.at("cluster"), mp.GetCluster())
		if t.text == "" {
			p.note(t.mark.none(lessonNoCluster), "mirror to %s, which the mesh does not have", mp.GetCluster())
			continue
		}
		m := mark{kind: Exact, from: at, also: t.mark.also, lesson: lessonMirror}
		if t.http2 {
			p.note(m.none(lessonHTTP2), "mirror to %s, by HTTP/2", mp.GetCluster())
			continue
		}
		if mp.GetRuntimeFraction() != nil {
			m = m.approx(lessonMirrorPart)
		}
		path, again := sc.copies[at]
		if !again {
			path = fmt.Sprintf("/_mirror_%d", len(sc.mirrors)+1)
			for sc.order.paths[path] != nil {
				path += "_"
			}
		}
		p.add(m, "mirror %s;", path)
		if !p.muted && !again {
			sc.copies[at] = path
			t.mark = m
			sc.mirrors = append(sc.mirrors, mirror{path, t})
		}
	}
}

// mirrorLocations writes the locations that mirrors go to.
func (p *projection) mirrorLocations(sc *scope) {
	for _, mi := range sc.mirrors {
		p.open(mi.target.mark, "location = %s", mi.path)
		p.add(mark{}, "internal;")
		p.variable(&mi.target)
		p.add(mi.target.mark, "%s", mi.target.pass("$request_uri"))
		p.upstreamTLSLines(&mi.target)
		p.end()
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
