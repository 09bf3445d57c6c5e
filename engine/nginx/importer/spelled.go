package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/spelling"
)

// nginx looks for a location with the path decoded, Envoy with the path as it was
// sent. Where a server keeps requests out of one location and lets them into
// another, no spelling may lead from the one to the other: its expressions, and
// the names that clients may write in several ways, take all spellings; a location
// that keeps requests out is followed by a route which refuses the rest.

// gatesOf are the directives that keep requests out of a block.
func (im *importer) gatesOf(block *conf.Directive) (out []*conf.Directive) {
	if rules := im.accessRules(block); slices.ContainsFunc(rules, func(d *conf.Directive) bool { return d.Name == "deny" }) {
		out = append(out, rules...)
	}
	for _, name := range gateNames {
		for _, d := range im.inherited(block, name) {
			if d.Arg(0) != "off" {
				out = append(out, d)
			}
		}
	}
	for _, d := range block.Block {
		switch {
		case d.Name == "return" && denial(d), d.Name == "limit_except", d.Name == "secure_link_secret", d.Name == "if" && refusing(d):
			out = append(out, d)
		}
	}
	return out
}

// gateNames are the directives that do, and hold in blocks within theirs.
var gateNames = []string{"auth_basic", "auth_request", "auth_jwt", "auth_digest", "auth_ldap", "auth_pam", "auth_gss", "auth_spnego", "auth_oidc",
	"internal", "access_by_lua", "access_by_lua_block", "access_by_lua_file", "js_access", "limit_req", "limit_conn"}

// uneven reports whether a server keeps requests out of some of its paths, and
// not of all of them by the same directives.
func (im *importer) uneven(server *conf.Directive) bool {
	if server == nil {
		return false
	}
	is, known := im.unevens[server]
	if !known {
		common := im.gatesOf(server)
		is = im.differs(server, common)
		im.unevens[server] = is
	}
	return is
}

// differs reports whether something within a block has other gates than these.
func (im *importer) differs(block *conf.Directive, common []*conf.Directive) bool {
	return slices.ContainsFunc(block.Block, func(d *conf.Directive) bool {
		switch d.Name {
		case "location":
			return !slices.Equal(im.gatesOf(d), common) || im.differs(d, common)
		case "if":
			return refusing(d)
		}
		return false
	})
}

// detours are the directives of a block that send requests on to where they may be
// kept out.
func detours(block *conf.Directive) (out []*conf.Directive) {
	for _, d := range block.Block {
		switch d.Name {
		case "try_files", "rewrite":
			out = append(out, d)
		case "if":
			out = append(out, detours(d)...)
		}
	}
	return out
}

// way is how nginx reads the paths of a server.
func (im *importer) way(server *conf.Directive) spelling.Way {
	d := im.one(server, "merge_slashes")
	return spelling.Way{Merge: d == nil || d.Arg(0) != "off"}
}

// spelled is the expression for a path of the block's server: one that takes all
// its spellings where those matter.
func (im *importer) spelled(e *expression, block *conf.Directive) *expression {
	server := enclosing(block, "server")
	if !im.uneven(server) {
		return e
	}
	text, aligned, changed := im.way(server).Expression(e.tree)
	splits := im.way(server).Splits(e.tree)
	if !changed && !aligned && !splits {
		return e
	}
	other := *e
	other.upTo = nil
	other.splits = splits
	if other.aligned = aligned; changed {
		other.plain, other.re2, other.fold = text, text, false
		other.tree = parsed(text)
	}
	return &other
}

// hidden refuses what hides where it leads.
func hidden() *routev3.Route {
	return &routev3.Route{Name: "nginx: hidden dots", Action: direct(400, ""), Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"},
		Headers: []*routev3.HeaderMatcher{header(":path", safeRegex(spelling.Hidden))}}}
}

// spelled is the slot's match for all spellings of its name, where it is found by
// one that clients write in several ways.
func (s slot) spelled(w spelling.Way) *routev3.RouteMatch {
	m := s.match()
	for i, g := range s.guards {
		if g.re == nil {
			m.Headers[i] = header(":path", safeRegex(w.Prefix(g.prefix)))
		}
	}
	if s.splits() {
		runs := header(":path", safeRegex(spelling.Runs))
		runs.InvertMatch = true
		m.Headers = append(m.Headers, runs)
	}
	switch {
	case s.form == byRegex || s.slash || !spelling.Special(s.text):
	case s.form == byPath:
		m.PathSpecifier = regexPath(w.Path(s.text))
	case s.form == byPrefix:
		m.PathSpecifier = regexPath(w.Prefix(s.text))
	}
	return m
}

// splits reports whether the expressions of a slot may take for several slashes
// what nginx takes for one.
func (s slot) splits() bool {
	return s.re != nil && s.re.splits || slices.ContainsFunc(s.guards, func(g guard) bool { return g.re != nil && g.re.splits })
}

// otherwise adds the route that refuses what spells the name of a location which
// keeps requests out with escaped slashes, where a slot behind the i-th would take it.
func (w *writer) otherwise(slots []slot, i int, q request) {
	s := slots[i]
	plain := s.form != byRegex && s.text != "/" && !spelling.Special(s.text)
	if s.loc == nil || s.slash || !plain && !s.splits() {
		return
	}
	gates := append(w.gatesOf(s.loc.d), detours(s.loc.d)...)
	if !w.passedBy(s, gates, slots[i+1:]) {
		return
	}
	closed := w.refusal(s.loc.d)
	status := cmp.Or(closed, 403)
	r := &routev3.Route{Name: "nginx: " + title(s.loc.d) + " in other letters", Action: direct(status, ""), Match: besides(s.anySpelling(w.way(w.server.d)), q.match)}
	if closed != 0 && !w.opened(s, slots[:i]) {
		w.near(s.loc.d, at(r, "match"))
	} else {
		w.approx(s.loc.d, at(r, "match"), fmt.Sprintf("a path that spells the location's name with escaped slashes (/%%2Fx) is refused here (%d), to those too whom nginx lets in", status), "")
	}
	w.out = append(w.out, r)
}

// refusal is what everybody gets from a location that lets nobody in; 0 of one that
// may let some in.
func (w *writer) refusal(loc *conf.Directive) uint32 {
	if w.one(loc, "internal") != nil {
		return 404
	}
	for _, d := range loc.Block {
		if d.Name == "return" && denial(d) {
			if status, err := strconv.ParseUint(d.Arg(0), 10, 32); err == nil {
				return uint32(status)
			}
		}
	}
	if w.closedToAll(loc) {
		return 403
	}
	return 0
}

// opened reports whether some of the slot's paths belong to a longer name that may
// let requests in.
func (w *writer) opened(s slot, before []slot) bool {
	return s.form == byPrefix && slices.ContainsFunc(before, func(o slot) bool {
		return o.form != byRegex && o.loc != nil && o.loc != s.loc && strings.HasPrefix(o.text, s.text) && w.refusal(o.loc.d) == 0
	})
}

// anySpelling takes all that nginx may take for the slot.
func (s slot) anySpelling(way spelling.Way) *routev3.RouteMatch {
	m := s.spelled(way)
	if s.splits() {
		m.Headers = m.Headers[:len(m.Headers)-1]
	}
	switch s.form {
	case byPath:
		m.PathSpecifier = regexPath(way.Path(s.text))
	case byPrefix:
		m.PathSpecifier = regexPath(way.Prefix(s.text))
	}
	return m
}

// passedBy reports whether a path that spells the slot's name in another way would
// come to a slot that lacks one of its gates.
func (w *writer) passedBy(s slot, gates []*conf.Directive, after []slot) bool {
	if len(gates) == 0 {
		return false
	}
	return slices.ContainsFunc(after, func(o slot) bool {
		if o.loc == nil || o.loc == s.loc || o.slash || o.form != byRegex && s.form != byRegex && !strings.HasPrefix(s.text, o.text) {
			return false
		}
		have := w.gatesOf(o.loc.d)
		return slices.ContainsFunc(gates, func(g *conf.Directive) bool { return !slices.Contains(have, g) })
	})
}
