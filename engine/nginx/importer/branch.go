package importer

import (
	"slices"
	"strconv"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// branch follows an if. done is true where nothing can come after it.
//
// What nginx refuses must not reach an upstream because Envoy cannot say when: an
// if that refuses and cannot be said refuses everybody.
func (w *writer) branch(block, d *conf.Directive, rest []*conf.Directive, q *request) (done bool) {
	if block.Name == "server" && len(d.Args) == 3 && d.Arg(0) == "$request_uri" && nginx.Misread(d.Arg(2)) {
		w.moot(d) // Envoy reads the path in its own way
		return false
	}
	_, refuses := returnsRefusal(d.Block)
	if absent, ok := onFile(d); ok && (absent || !refuses) {
		return w.withoutFiles(d, absent, rest, *q)
	}
	yes, said, routed, why := w.condition(d, q)
	if why == "" && said.asksAddress() {
		why = w.mistaken(w.server.d) // nginx asks a location's real_ip_header only after its ifs
	}
	if why == "" {
		why = w.hidesRefusal(said, refuses, rest)
		refuses = refuses || why != ""
	}
	refuses = refuses || (why != "" || !routed) && w.leadsToGates(d.Block)
	switch {
	case why != "" && refuses:
		w.none(d, "all that comes here is refused (403), what nginx lets through too: "+why,
			"say the condition with a route's match or in an rbac policy, and take envoy.filters.http.rbac out of typed_per_filter_config of these routes")
		w.deny(block, rest, *q, anybody())
		return true
	case why != "":
		w.forget(q, d, why)
		w.none(d, why, "say the condition with a route of its own that matches the headers, the query or the path")
		return false
	case !routed && refuses:
		w.denied(block, d, rest, *q, said.principal())
		return true
	case said.op == opFalse || routed && len(yes) == 0:
		w.moot(d) // it never holds here
		return false
	}
	w.rawPath(d, refuses)
	w.claimed[d] = true
	if said.op == opTrue {
		w.script(d, slices.Concat(d.Block, rest), *q)
		return true
	}
	if !decides(d.Block) {
		if onlySets(d.Block) && (!routed || q.ifs >= mostIfs || d.Parent != nil && d.Parent.Name == "server") {
			for _, set := range d.Block {
				w.claimed[set] = true
				w.assign(q, set, said)
			}
			return false
		}
		if q.ifs++; q.ifs > mostIfs || d.Parent != nil && d.Parent.Name == "server" {
			why := "its condition decides of settings alone, for all that comes after it"
			w.forget(q, d, why)
			w.none(d, why, "say it with a route for each case")
			return false
		}
	}
	if !routed {
		why := "a route of Envoy's does not look at the client's address"
		w.forget(q, d, why)
		w.none(d, why, "give these clients a listener of their own, or let a header say who they are")
		return false
	}
	if atServer(d) && !answers(d.Block) && slices.ContainsFunc(yes, byPathToo) {
		why := "it looks at the path, and so does the location that comes after it: a route of Envoy's looks once"
		w.forget(q, d, why)
		w.none(d, why, "put it into the locations that it is meant for")
		return false
	}
	for _, c := range yes {
		w.script(d, slices.Concat(d.Block, rest), w.under(*q, d, c))
	}
	return false
}

// withoutFiles follows an if that asks for a file: none is there. done is true
// where it asks that none is.
func (w *writer) withoutFiles(d *conf.Directive, absent bool, rest []*conf.Directive, q request) (done bool) {
	if !absent {
		w.none(d, "Envoy has no files: it never holds, and the requests go on", "push a route that answers in the place of a file that is put there")
		return false
	}
	w.say(nginx.Approximate, d, "Envoy has no files: it always holds", "serve the files from an nginx or a bucket behind a cluster of its own", place{})
	w.script(d, slices.Concat(d.Block, rest), q)
	return true
}

// leadsToGates reports whether the directives of an if rewrite to a path of a
// location that keeps requests out.
func (w *writer) leadsToGates(ds []*conf.Directive) bool {
	return slices.ContainsFunc(ds, func(d *conf.Directive) bool {
		if d.Name != "rewrite" || !strings.HasPrefix(d.Arg(1), "/") {
			return false
		}
		path, _, _ := parse(d.Arg(1)).query()
		text, known := path.literal()
		l := w.root.search(text)
		return known && l != nil && len(w.gatesOf(l.d)) > 0
	})
}

// answers reports whether the directives of an if answer, or send elsewhere, so
// that no location is asked any more.
func answers(ds []*conf.Directive) bool {
	return slices.ContainsFunc(ds, func(d *conf.Directive) bool { return d.Name == "return" || d.Name == "rewrite" })
}

// byPathToo reports whether a condition is on the path.
func byPathToo(c condition) bool {
	switch p := c.match.GetPathSpecifier().(type) {
	case nil:
		return false
	case *routev3.RouteMatch_Prefix:
		return p.Prefix != "/"
	}
	return true
}

// returnsRefusal reports whether an if refuses the requests that meet it, and with what
// status.
func returnsRefusal(ds []*conf.Directive) (status uint64, refuses bool) {
	for _, d := range ds {
		switch d.Name {
		case "return":
			n, _ := strconv.ParseUint(d.Arg(0), 10, 16)
			return n, denial(d)
		case "rewrite", "break":
			return 0, false
		}
	}
	return 0, false
}

func onlySets(ds []*conf.Directive) bool {
	return len(ds) > 0 && !slices.ContainsFunc(ds, func(d *conf.Directive) bool { return d.Name != "set" })
}

// rawPath says of a condition on $request_uri that Envoy looks at another.
func (w *writer) rawPath(d *conf.Directive, refuses bool) {
	t, ok := testOf(d)
	if !ok || t.variable != "request_uri" || t.op == "" {
		return
	}
	if refuses && strings.ContainsAny(strings.NewReplacer(`\.\.`, "!", "..", "!", "//", "!", "%", "!").Replace(t.value), "!") {
		w.none(d, "requests that nginx refuses here go on: it looks at the path as it was sent, Envoy after it has resolved dots, slashes and escapes",
			"what reaches the upstream has none of them; a service behind ext_authz sees no more than that either")
	}
}

// denied is an if that refuses what only the rbac filter can tell.
func (w *writer) denied(block, d *conf.Directive, rest []*conf.Directive, q request, who *rbacv3.Principal) {
	status, _ := returnsRefusal(d.Block)
	w.moot(d)
	for _, m := range w.deny(block, rest, q, who) {
		if status == 403 {
			w.exact(d, at(m, "rbac.rules"))
		} else {
			w.approx(d, at(m, "rbac.rules"), "Envoy answers 403 there", "")
		}
	}
}

// deny goes on with a script, and refuses these in all the routes that come of it.
func (w *writer) deny(block *conf.Directive, rest []*conf.Directive, q request, who *rbacv3.Principal) (out []proto.Message) {
	from := len(w.out)
	w.script(block, rest, q)
	for _, r := range w.out[from:] {
		out = append(out, w.refuse(r, who))
	}
	return out
}

// refuse has a route's rbac refuse these too.
func (im *importer) refuse(r *routev3.Route, who *rbacv3.Principal) proto.Message {
	m := &rbacfilterv3.RBACPerRoute{}
	if old := r.GetTypedPerFilterConfig()[filterRBAC]; old == nil || old.UnmarshalTo(m) != nil || m.GetRbac().GetRules() == nil {
		m = &rbacfilterv3.RBACPerRoute{Rbac: &rbacfilterv3.RBAC{Rules: policy(rbacv3.RBAC_DENY, []*rbacv3.Principal{who})}}
	} else if rules := m.GetRbac().GetRules(); rules.GetAction() == rbacv3.RBAC_DENY {
		in := rules.GetPolicies()["access"]
		in.Principals = append(in.GetPrincipals(), who)
	} else {
		for _, p := range rules.GetPolicies() {
			for i, in := range p.GetPrincipals() {
				p.Principals[i] = but(in, []*rbacv3.Principal{who})
			}
		}
	}
	im.perRoute(r, filterRBAC, m)
	return m
}

// under is the requests that meet a condition as well.
func (w *writer) under(q request, d *conf.Directive, c condition) request {
	q.match = c.match
	q.name = strings.TrimSpace(q.name + " " + title(d))
	if c.captures != nil {
		q.captures = c.captures
	}
	return q
}

// decides reports whether the directives of an if end the rewrite phase.
func decides(ds []*conf.Directive) bool {
	return slices.ContainsFunc(ds, func(d *conf.Directive) bool {
		return d.Name == "return" || d.Name == "break" || d.Name == "rewrite" && len(d.Args) > 2
	})
}
