package merge

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// open are the findings about what the operator wrote to keep requests out and the
// report tells is not carried over: to tell of it is not enough, as they would be
// let in all the same.
func (v *verifier) open() (out []mesh.Finding) {
	dropped := map[int]bool{}
	for _, e := range v.change.Report {
		if e.Kind == nginx.None {
			dropped[e.Line] = true
		}
	}
	for e := range v.now.All() {
		if !keepsOut(e) || ofReading(e) {
			continue
		}
		for d := e; d != nil; d = d.Parent {
			was := v.edit.was[d]
			if dropped[d.Line] && (was == nil || !same(was, d)) {
				f := mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: d.Line,
					Message: fmt.Sprintf("%q keeps requests out, and cannot be carried over: Envoy would let them in", e), Hint: instead}
				if isServer(parent(d)) && isScript(d) {
					f.Hint = "write it into the locations one by one, or change the routes in Envoy's own terms"
				}
				out = append(out, f)
				break
			}
		}
	}
	return out
}

// keepsOut reports whether a directive is there to refuse requests.
func keepsOut(d *conf.Directive) bool {
	switch d.Name {
	case "return":
		return len(d.Arg(0)) == 3 && d.Arg(0)[0] == '4' && (d.Parent == nil || !isQuestion(d.Parent))
	case "internal", "limit_except":
		return true
	case "deny", "auth_request":
		return !answered(d.Parent)
	case "auth_basic":
		return d.Arg(0) != "off" && !answered(d.Parent)
	case "ssl_verify_client":
		return d.Arg(0) != "off"
	}
	return false
}

// answered reports whether nginx answers all requests for a block before it asks
// who may have them.
func answered(block *conf.Directive) bool { return block != nil && len(block.Children("return")) > 0 }

// conditions adds routes for the conditions that are new in a location, or around
// it: they stand before the route that takes the rest.
func (m *merger) conditions(o nginx.Origin, was, now *conf.Directive) {
	if !same(was, now) || isNamed(now) {
		return
	}
	var had []*routev3.RouteMatch
	for _, at := range m.before.routes(was) {
		had = append(had, m.before.route1(at).GetMatch())
	}
	path, _ := lastIndex(o.Path)
	list := spot{o.Key, path}
	ours, ok := lookup(m.message(list.key), list.path)
	best, okBest := m.after.route(now)
	if !ok || !okBest {
		return
	}
	for _, at := range m.after.routes(now) {
		r := m.after.route1(at)
		if at == best || at.Key != best.Key || hostPath.FindString(at.Path) != hostPath.FindString(best.Path) || isTwin(r) ||
			len(r.GetMatch().GetHeaders())+len(r.GetMatch().GetQueryParameters()) == 0 || slices.ContainsFunc(had, func(h *routev3.RouteMatch) bool { return proto.Equal(h, r.GetMatch()) }) {
			continue
		}
		bare, ok := m.bare(at, r)
		if !ok {
			continue
		}
		value, err := routeYAML(bare)
		if err != nil {
			continue
		}
		l := m.ops.list(list, ours.value.List().Len())
		l.insert(m.placeFor(l, list, at, bare), value)
		m.placed[at] = value
		m.say("%s of %s: new route %q", now, m.hostName(o), strings.TrimSpace(bare.GetName()))
	}
}

// becameRoutes reports whether a condition that is new is carried over: what stands
// in it leads to routes that are new.
func (m *merger) becameRoutes(d *conf.Directive) bool {
	return d.Name == "if" && slices.ContainsFunc(d.Block, func(in *conf.Directive) bool {
		return slices.ContainsFunc(m.after.links[in], func(o nginx.Origin) bool {
			_, ok := m.placed[nginx.Origin{Key: o.Key, Path: routePath.FindString(o.Path)}]
			return ok
		})
	})
}
