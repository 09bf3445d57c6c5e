package importer

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// writer makes the routes of one server at one site.
type writer struct {
	*importer
	site   *site
	server *server
	root   *scope
	out    []*routev3.Route
}

// request is what is known of the requests that come to a place in the file.
type request struct {
	match    *routev3.RouteMatch
	found    found
	name     string              // of the routes that are made of it
	captures *expression         // what $1 is of: the expression that matched last
	vars     map[string]template // what set has set
	tables   map[string]table    // what set has set behind an if, or has not
	owned    bool                // nobody else has these two
	uri      template            // what the path was rewritten to; nil as it came
	pattern  *expression         // that the rewrite matched the whole path with; nil for any
	proper   bool                // the path is the location's own: proxy_pass replaces its name
	internal bool                // nginx itself sent it here
	slashes  bool                // the paths of nothing but slashes, which nginx merges into "/"
	rewrote  *conf.Directive     // the rewrite that did
	moved    bool                // a rewrite did, and its location is still to be found
	hops     int                 // rewrites so far
	ifs      int                 // conditions that went on
	tried    []*conf.Directive   // the try_files that they have come through
	paged    bool                // an error_page has sent them here
}

// most is how many rewrites nginx follows, and how many conditions that do not
// decide are multiplied out.
const (
	mostHops = 10
	mostIfs  = 6
)

// routesOf are the routes of a server: what its own rewrite directives do, and
// its locations.
func (im *importer) routesOf(s *site, sv *server) []*routev3.Route {
	w := &writer{importer: im, site: s, server: sv, root: im.scopeOf(sv.d)}
	if im.full() {
		return w.tooMuch()
	}
	if im.uneven(sv.d) {
		w.out = append(w.out, hidden())
	}
	if s.mergesSlashes() && len(im.children(sv.d)["rewrite"]) > 0 {
		w.script(sv.d, sv.d.Block, onSlashes(request{vars: map[string]template{}, proper: true}))
	}
	vars := map[string]template{}
	if im.keepsProto(s) { // Envoy's scheme is then the one that X-Forwarded-Proto says
		vars["scheme"] = template{{text: w.scheme()}}
	}
	all := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	w.script(sv.d, sv.d.Block, request{match: all, found: found{form: byPrefix, text: "/"}, name: "server", vars: vars, proper: true})
	if im.full() {
		return w.tooMuch()
	}
	return w.out
}

// locations are the routes of the server's locations, for requests that its own
// directives have left alone.
func (w *writer) locations(q request) {
	if q.slashes {
		w.slashes(q)
		return
	}
	if w.site.mergesSlashes() && len(w.children(w.server.d)["rewrite"]) == 0 {
		slashes := onSlashes(q)
		slashes.match = besides(slashes.match, q.match)
		w.slashes(slashes)
	}
	slots, uneven := w.root.order(w.importer), w.uneven(w.server.d)
	for i, sl := range slots {
		if w.full() {
			return
		}
		at := q
		match := sl.match()
		if uneven {
			match = sl.spelled(w.way(w.server.d))
		}
		at.match, at.name = besides(match, q.match), ""
		if sl.slash {
			at.name = fmt.Sprintf("nginx: redirect %s to %s/", sl.text, sl.text)
			w.redirectTo(sl, at)
			continue
		}
		at.captures = sl.re
		w.location(sl.loc, at)
		if uneven {
			w.otherwise(slots, i, q)
		}
	}
}

// onSlashes is a request for a path of nothing but slashes.
func onSlashes(q request) request {
	q.match = &routev3.RouteMatch{PathSpecifier: regexPath(onlySlashes)}
	q.name, q.slashes, q.found = "nginx: only slashes", true, found{form: byPrefix, text: "/"}
	return q
}

// slashes is what "/" gets.
func (w *writer) slashes(q request) {
	if sls := w.root.decide("/", nil, map[string]bool{}); len(sls) > 0 && sls[0].slash {
		w.redirectTo(sls[0], q)
		return
	}
	w.location(w.root.search("/"), q)
}

// besides is a match of what meets the conditions of a server, too.
func besides(m, conditions *routev3.RouteMatch) *routev3.RouteMatch {
	m.Headers = append(m.Headers, conditions.GetHeaders()...)
	m.QueryParameters = append(m.QueryParameters, conditions.GetQueryParameters()...)
	return m
}

// redirectTo is the routes of a name without its last slash.
func (w *writer) redirectTo(sl slot, q request) {
	if in := w.one(sl.loc.d, "internal"); in != nil { // which nginx looks at before
		w.keptIn(sl.loc.d, in, &routev3.Route{Name: q.name, Match: q.match})
		return
	}
	for _, q := range w.cases(q, w.headerTexts(sl.loc.d, nil)) {
		ra := &routev3.RedirectAction{PathRewriteSpecifier: &routev3.RedirectAction_PathRedirect{PathRedirect: escaped(sl.text + "/")}}
		w.ownAddress(sl.loc.d, ra)
		r := &routev3.Route{Name: q.name, Match: q.match, Action: &routev3.Route_Redirect{Redirect: ra}}
		w.exact(sl.loc.d, at(r, ""))
		w.addedHeaders(sl.loc.d, r, q)
		w.expires(sl.loc.d, r)
		w.body(sl.loc.d, r) // nginx asks who may come in after it has sent them here
		w.out = append(w.out, r)
	}
}

// location adds the routes of what a location does with the requests; nil is
// where nginx would look for a file.
func (w *writer) location(l *location, q request) {
	if l == nil {
		from := len(w.out)
		if w.errorPage(w.server.d, nil, 404, q) {
			for _, r := range w.out[from:] {
				w.through(w.server.d, r)
			}
			return
		}
		r := &routev3.Route{Name: cmpName(q.name, "nginx: no location"), Match: q.match, Action: direct(404, "")}
		w.addedHeaders(w.server.d, r, q)
		w.out = append(w.out, r)
		return
	}
	q.found, q.name = l.found, cmpName(q.name, title(l.d))
	w.claimed[l.d] = true
	if l.closed {
		r := &routev3.Route{Name: q.name, Match: q.match, Action: direct(403, "")}
		w.near(l.d, at(r, "match"))
		w.out = append(w.out, r)
		return
	}
	if in := w.one(l.d, "internal"); in != nil && !q.internal { // locations within one are that, too
		r := &routev3.Route{Name: q.name, Match: q.match}
		w.keptIn(l.d, in, r)
		w.link(l, r)
		for _, d := range l.d.Block { // whoever sends requests here says what becomes of them
			if !w.claimed[d] {
				w.moot(d)
			}
		}
		return
	}
	from := len(w.out)
	w.otherMethods(l.d, q)
	w.script(l.d, l.d.Block, q)
	for _, r := range w.out[from:] {
		w.link(l, r)
	}
}

// keptIn is the answer of a location that only nginx itself sends requests to.
func (w *writer) keptIn(block, internal *conf.Directive, r *routev3.Route) {
	r.Action = direct(404, "")
	w.exact(internal, at(r, "direct_response"))
	w.addedHeaders(block, r, request{})
	if page, _, _ := w.pageFor(block, 404); page != nil {
		w.pages(block)
	}
	w.out = append(w.out, r)
}

// link says which location a route is of. An expression is searched for by
// another engine in Envoy.
func (w *writer) link(l *location, r *routev3.Route) {
	if l.form == byRegex {
		w.near(l.d, at(r, "match"))
	} else {
		w.exact(l.d, at(r, "match"))
	}
}

func cmpName(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// add takes a route of some requests in, with what holds in its block for every
// answer.
func (w *writer) add(block *conf.Directive, r *routev3.Route, q request) {
	w.answer(block, r, q)
	w.spendOn(r)
	w.out = append(w.out, w.spread(r)...)
}

// script follows nginx's rewrite phase through a block, and then its content.
func (w *writer) script(block *conf.Directive, ds []*conf.Directive, q request) {
	q.owned = false
	for i, d := range ds {
		if w.spend(stepCost); w.full() {
			return
		}
		switch d.Name {
		case "return":
			w.returns(block, d, q)
			return
		case "break":
			w.claimed[d] = true
			q.moved = false
			w.content(block, q)
			return
		case "set":
			w.claimed[d] = true
			w.assign(&q, d, holds(true))
		case "rewrite":
			if w.rewrite(block, d, ds[i+1:], &q) {
				return
			}
		case "if":
			if w.branch(block, d, ds[i+1:], &q) {
				return
			}
		}
	}
	w.content(block, q)
}

// atServer reports whether a block is an if of a server itself.
func atServer(d *conf.Directive) bool {
	return d.Name == "if" && d.Parent != nil && d.Parent.Name == "server"
}

// values are the variables that are known when the file is read.
func (w *writer) values(q request) func(string) (template, bool) {
	return func(name string) (template, bool) {
		if t, ok := q.vars[name]; ok {
			return t, true
		}
		if (name == "uri" || name == "document_uri") && q.uri != nil {
			path, _, _ := q.uri.query()
			return path, true
		}
		switch name {
		case "scheme":
			return template{{text: w.scheme()}}, true
		case "server_port":
			if w.site.port > 0 {
				return template{{text: fmt.Sprint(w.site.port)}}, true
			}
		case "server_name":
			if n := w.server.names[0]; !strings.ContainsAny(n, "~*$") {
				return template{{text: strings.TrimPrefix(n, ".")}}, true
			}
		case "https":
			if w.server.tls {
				return template{{text: "on"}}, true
			}
			return nil, true
		case "document_uri":
			return template{{variable: "uri"}}, true
		case "query_string":
			return template{{variable: "args"}}, true
		}
		return nil, false
	}
}

func (w *writer) scheme() string {
	if w.server.tls {
		return "https"
	}
	return "http"
}

// content is what a block does with requests once nothing is rewritten any more.
func (w *writer) content(block *conf.Directive, q request) {
	if q.moved {
		w.relocate(q.rewrote, q)
		return
	}
	if (block.Name == "server" || atServer(block)) && q.uri == nil {
		w.locations(q)
		return
	}
	// nginx tries files before it passes on, but not where an if holds.
	if try := first(block, "try_files"); try != nil && block.Name == "location" {
		if !w.tryFiles(try, q) {
			w.unserved(block, q)
		}
		return
	}
	for b := block; b != nil && b.Name != "server"; b = b.Parent {
		if pass := first(b, "proxy_pass", "grpc_pass"); pass != nil {
			w.pass(block, pass, q)
			return
		}
		if b.Name == "location" {
			break // nginx inherits what serves a request within an if alone
		}
	}
	w.unserved(block, q)
}

// files are the directives that serve what Envoy cannot, the most telling first.
var files = []string{"fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass", "stub_status", "empty_gif", "flv", "mp4", "dav_methods",
	"content_by_lua_block", "content_by_lua_file", "js_content", "perl", "try_files", "alias", "root", "autoindex", "index"}

// unserved is a route for what only nginx can serve.
func (w *writer) unserved(block *conf.Directive, q request) {
	r := &routev3.Route{Name: q.name, Match: q.match, Action: direct(404, "")}
	if w.closedToAll(block) {
		r.Action = direct(403, "")
		w.add(block, r, q) // nobody comes as far as a file
		return
	}
	from := block
	for _, name := range files {
		if d := w.one(block, name); d != nil {
			from = d
			break
		}
	}
	why, instead := "Envoy serves no files: the requests get 404", "serve the files from an nginx or a bucket behind a cluster, and proxy_pass to it"
	if strings.HasSuffix(from.Name, "_pass") || strings.Contains(from.Name, "_by_lua") || from.Name == "js_content" || from.Name == "stub_status" {
		why, instead = "Envoy has no counterpart of "+from.Name+": the requests get 404", "put what answers there behind HTTP, and proxy_pass to it"
	}
	w.say(nginx.None, from, why, instead, place{})
	w.add(block, r, q)
}

// clone is a match that can be changed.
func clone(m *routev3.RouteMatch) *routev3.RouteMatch { return proto.Clone(m).(*routev3.RouteMatch) }
