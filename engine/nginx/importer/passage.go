package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// tryFiles is the last argument of try_files: nothing is on Envoy's disk. done is
// false where that serves a file, too.
func (w *writer) tryFiles(d *conf.Directive, q request) (done bool) {
	last := d.Arg(len(d.Args) - 1)
	if status, ok := strings.CutPrefix(last, "="); ok {
		n, err := strconv.ParseUint(status, 10, 16)
		if err != nil || n < 200 || n > 599 {
			return false
		}
		r := &routev3.Route{Name: q.name, Match: q.match, Action: direct(uint32(n), "")}
		w.say(nginx.None, d, "Envoy serves no files: every request gets "+status, "serve the files from an nginx or a bucket behind a cluster, and proxy_pass to it", place{})
		w.add(d.Parent, r, q)
		return true
	}
	named := strings.HasPrefix(last, "@")
	if slices.Contains(q.tried, d) || len(q.tried) == mostHops {
		if named {
			w.around(d, q)
		}
		return named
	}
	q.tried = append(slices.Clone(q.tried), d)
	from := len(w.out)
	if !w.goTo(d, last, q) {
		return false
	}
	why := "Envoy serves no files: every request goes to " + last
	if !named && !strings.Contains(last, "?") {
		why += ", and keeps its query, which nginx drops"
	}
	for _, r := range w.out[from:] {
		w.approx(d, at(r, ""), why, "serve the files from an nginx or a bucket behind a cluster of its own")
		w.through(d.Parent, r)
		if named {
			w.body(d.Parent, r) // nginx looks at the length where it looks for the location
		}
	}
	return true
}

// around is the answer to requests that go round without an end.
func (w *writer) around(d *conf.Directive, q request) {
	r := &routev3.Route{Name: q.name, Match: q.match, Action: direct(500, "")}
	w.approx(d, at(r, "direct_response"), "it leads back to itself: nginx gives up after ten internal redirects, with 500", "let the last argument lead to a location that answers")
	w.add(d.Parent, r, q)
}

// goTo sends requests to a named location, or within the server to a path. ok is
// false where nothing but files is there.
func (w *writer) goTo(d *conf.Directive, to string, q request) (ok bool) {
	q.internal = true
	if strings.HasPrefix(to, "@") {
		l := w.root.named[to]
		if l == nil {
			return false
		}
		q.name = cmpName(q.name, title(l.d))
		w.location(l, q)
		return true
	}
	if !strings.HasPrefix(to, "/") || w.directs() {
		return false // nginx runs the server's own directives once more
	}
	for _, rest := range []string{"?$args", "?$query_string", "$is_args$args"} {
		to = strings.TrimSuffix(to, rest) // what Envoy does by itself
	}
	q.uri, q.pattern, q.proper = parse(to).expand(w.values(q)), nil, true
	path, _, _ := q.uri.query()
	text, known := path.literal()
	if l := w.root.search(text); !known || l == nil || l.d == d.Parent || first(l.d, append([]string{"return", "rewrite", "if", "try_files"}, passes[:2]...)...) == nil {
		return false
	}
	w.relocate(d, q)
	return true
}

// directs reports whether the server's own directives may end the rewrite phase.
func (w *writer) directs() bool {
	in := w.children(w.server.d)
	return len(in["if"])+len(in["return"])+len(in["break"]) > 0 || decides(in["rewrite"])
}

// errorPage follows a status that an error_page sends elsewhere. d is the return
// that answers with it, nil where there is nothing that answers.
func (w *writer) errorPage(block, d *conf.Directive, status uint32, q request) (done bool) {
	if q.paged || status < 300 || status == 444 {
		return false
	}
	page, to, change := w.pageFor(block, status)
	if page == nil || !strings.HasPrefix(to, "@") && limitsMethods(enclosing(block, "server")) {
		return false
	}
	q.paged = true
	from := len(w.out)
	if !w.goTo(page, to, q) {
		return false
	}
	for _, r := range w.out[from:] {
		switch {
		case change == "" || r.GetRedirect() != nil:
			w.approx(page, at(r, ""), fmt.Sprintf("the requests go to %s, and get the status that is answered there, where nginx keeps %d", to, status), "write `=` before the target where nginx is to do the same")
		case change != "=":
			w.approx(page, at(r, ""), "the requests go to "+to+", and get the status that is answered there, where nginx says "+change[1:], "let the upstream answer with it")
		default:
			w.near(page, at(r, ""))
		}
		if d != nil {
			w.near(d, at(r, ""))
		}
	}
	return true
}

// limitsMethods reports whether some location of a server asks for the method:
// nginx makes a GET of a request that an error_page sends to a path, and a route
// keeps its method.
func limitsMethods(d *conf.Directive) bool {
	return d != nil && slices.ContainsFunc(d.Block, func(in *conf.Directive) bool { return in.Name == "limit_except" || limitsMethods(in) })
}

// pageFor is the error_page that holds for a status, and what it says: the status
// as it stands ("=", "=200"), "" for none.
func (im *importer) pageFor(block *conf.Directive, status uint32) (page *conf.Directive, to, change string) {
	for _, d := range im.inherited(block, "error_page") {
		for _, a := range d.Args[:max(0, len(d.Args)-1)] {
			if strings.HasPrefix(a, "=") {
				change = a
			} else if a == strconv.FormatUint(uint64(status), 10) && page == nil {
				page, to = d, d.Arg(len(d.Args)-1)
			}
		}
		if page != nil {
			return page, to, change
		}
		change = ""
	}
	return nil, "", ""
}

// pages accounts for the error_page that hold in a block of a location: Envoy
// follows those alone that a return leads to.
func (im *importer) pages(block *conf.Directive) {
	for _, d := range im.inherited(block, "error_page") {
		if d.Parent != nil && (d.Parent.Name == "location" || d.Parent.Name == "if") && !im.claimed[d] {
			im.none(d, "Envoy has no file and no other location to answer with: what is answered in this location, its refusals among it, stays as it is", "route the requests there, or let the upstream answer with the page")
		}
	}
}

// through has a route's requests pass the checks of a location that they have come
// through as well: nginx makes those before try_files. The limit of requests is
// that of the first location that has one.
func (im *importer) through(outer *conf.Directive, r *routev3.Route) {
	im.limits(outer, r)
	asked, inner := r.GetTypedPerFilterConfig()[filterAuthz], rulesOf(r)
	delete(r.GetTypedPerFilterConfig(), filterRBAC)
	im.gates(outer, r)
	rules := rulesOf(r)
	if now := r.GetTypedPerFilterConfig()[filterAuthz]; asked != nil && now != asked {
		d := im.one(outer, "auth_request")
		im.none(d, "requests that try_files sends on would be asked for twice, and Envoy asks once: they are refused (403)", "let one service decide for both")
		rules, inner = closed(), nil
	}
	if inner == nil {
		inner, rules = rules, nil
	}
	if inner != nil {
		im.perRoute(r, filterRBAC, &rbacfilterv3.RBACPerRoute{Rbac: &rbacfilterv3.RBAC{Rules: both(rules, inner)}})
	}
}

// rulesOf are the rules that a route has of its own, nil for none.
func rulesOf(r *routev3.Route) *rbacv3.RBAC {
	m := &rbacfilterv3.RBACPerRoute{}
	if r.GetTypedPerFilterConfig()[filterRBAC].UnmarshalTo(m) != nil {
		return nil
	}
	return m.GetRbac().GetRules()
}

// both lets in whom both rules let in; nil is everybody.
func both(a, b *rbacv3.RBAC) *rbacv3.RBAC {
	if a == nil {
		return b
	}
	out := &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: map[string]*rbacv3.Policy{}}
	for i, p := range admitted(a) {
		for j, o := range admitted(b) {
			out.Policies[fmt.Sprintf("access %d %d", i, j)] = &rbacv3.Policy{
				Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: []*rbacv3.Permission{anyRule(p.GetPermissions()), anyRule(o.GetPermissions())}}}}},
				Principals:  []*rbacv3.Principal{{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: []*rbacv3.Principal{anyOf(p.GetPrincipals()), anyOf(o.GetPrincipals())}}}}}}
		}
	}
	if len(out.GetPolicies()) == 0 {
		return closed()
	}
	return out
}

// admitted is rules as policies that each let somebody in.
func admitted(rules *rbacv3.RBAC) (out []*rbacv3.Policy) {
	policies := rules.GetPolicies()
	names := make([]string, 0, len(policies))
	for name := range policies {
		names = append(names, name)
	}
	slices.Sort(names)
	if rules.GetAction() == rbacv3.RBAC_ALLOW {
		for _, name := range names {
			out = append(out, policies[name])
		}
		return out
	}
	var denied []*rbacv3.Principal // the importer denies by address alone
	for _, name := range names {
		denied = append(denied, policies[name].GetPrincipals()...)
	}
	if slices.ContainsFunc(denied, (*rbacv3.Principal).GetAny) {
		return nil
	}
	return []*rbacv3.Policy{{Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}},
		Principals: []*rbacv3.Principal{{Identifier: &rbacv3.Principal_NotId{NotId: anyOf(denied)}}}}}
}

func anyOf(who []*rbacv3.Principal) *rbacv3.Principal {
	if len(who) == 1 {
		return who[0]
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: who}}}
}

func anyRule(what []*rbacv3.Permission) *rbacv3.Permission {
	if len(what) == 1 {
		return what[0]
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: &rbacv3.Permission_Set{Rules: what}}}
}

// largestText is how long a text of set may become while it is followed.
const largestText = 64 << 10

// set is the value of a variable after a set.
func (w *writer) set(d *conf.Directive, q request) template {
	t := parse(d.Arg(1)).expand(w.values(q))
	long := 0
	for _, p := range t {
		long += len(p.text) + len(p.variable)
	}
	name := strings.TrimPrefix(d.Arg(0), "$")
	if long > largestText {
		w.none(d, fmt.Sprintf("its text is longer than %d bytes, and is followed no further", largestText), "let a backend make such a text")
		return template{{variable: name}}
	}
	return t
}
