package predict

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// kind is one of the five kinds of location.
type kind int

const (
	prefix kind = iota
	caret       // ^~
	exact       // =
	regex       // ~ and ~*
	called      // @name
)

// location is a compiled location.
type location struct {
	at    *conf.Directive
	kind  kind
	name  string
	re    *pattern
	slash bool   // `/x` is redirected to this location's name, `/x/`
	in    *scope // the locations within; nil without one
	outer *location
	code  []op
	index int // of the expression among its scope's
}

// scope is the locations of one block: of a server, or of another location.
type scope struct {
	all     []*location // in file order
	exact   map[string]*location
	prefix  map[string]*location
	lengths []int // of the names in prefix, longest first, each once
	regex   []*location
	named   map[string]*location
}

// passes are the directives that hand a location to an upstream, and so make
// nginx redirect to the name with a slash.
var passes = []string{"proxy_pass", "fastcgi_pass", "grpc_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"}

// locations compiles the locations of a block; nil where there are none.
func (s *Server) locations(block *conf.Directive, outer *location, depth int) *scope {
	var sc *scope
	for _, d := range block.Block {
		if d.Name != "location" || len(d.Args) == 0 || depth > maxDepth {
			continue
		}
		if sc == nil {
			sc = &scope{exact: map[string]*location{}, prefix: map[string]*location{}, named: map[string]*location{}}
		}
		sc.add(s.location(d, outer, depth))
	}
	if sc != nil {
		slices.SortFunc(sc.lengths, func(a, b int) int { return b - a })
		sc.lengths = slices.Compact(sc.lengths)
	}
	return sc
}

// maxDepth is deeper than any configuration nests locations.
const maxDepth = 100

func (s *Server) location(d *conf.Directive, outer *location, depth int) *location {
	l := &location{at: d, outer: outer}
	modifier, name := d.Arg(0), d.Arg(1)
	if len(d.Args) == 1 {
		modifier, name = glued(d.Arg(0))
	}
	l.name = name
	switch modifier {
	case "=":
		l.kind = exact
	case "^~":
		l.kind = caret
	case "~", "~*":
		l.kind, l.re = regex, s.regexOf(name, modifier == "~*")
	case "@":
		l.kind = called
	}
	for _, p := range passes {
		if len(s.set.here(d, p)) > 0 && strings.HasSuffix(name, "/") {
			l.slash = true
		}
	}
	l.code = s.code(d, 0)
	l.in = s.locations(d, l, depth+1)
	return l
}

// glued takes the modifier off a location that is written without a space.
func glued(arg string) (modifier, name string) {
	for _, m := range []string{"=", "^~", "~*", "~"} {
		if name, found := strings.CutPrefix(arg, m); found {
			return m, name
		}
	}
	if strings.HasPrefix(arg, "@") {
		return "@", arg
	}
	return "", arg
}

func (sc *scope) add(l *location) {
	sc.all = append(sc.all, l)
	switch l.kind {
	case exact:
		putLocation(sc.exact, l)
	case regex:
		l.index = len(sc.regex)
		sc.regex = append(sc.regex, l)
	case called:
		putLocation(sc.named, l)
	default:
		if putLocation(sc.prefix, l) {
			sc.lengths = append(sc.lengths, len(l.name))
		}
	}
}

// putLocation keeps the first of a name: nginx refuses a second one.
func putLocation(m map[string]*location, l *location) bool {
	if _, taken := m[l.name]; taken {
		return false
	}
	m[l.name] = l
	return true
}

// static is what the names of the scope make of a path, before any expression.
type static struct {
	exact    *location // `=`, or
	redirect *location // `/x/` for `/x`, or
	prefix   *location // the longest
}

func (sc *scope) static(path string) static {
	if l := sc.exact[path]; l != nil {
		return static{exact: l}
	}
	if l := sc.prefix[path]; l != nil {
		return static{prefix: l}
	}
	if l := sc.exact[path+"/"]; l != nil && l.slash {
		return static{redirect: l}
	}
	if l := sc.prefix[path+"/"]; l != nil && (l.slash || sc.exact[path+"/"] != nil && sc.exact[path+"/"].slash) {
		if e := sc.exact[path+"/"]; e != nil {
			return static{redirect: e}
		}
		return static{redirect: l}
	}
	for _, n := range sc.lengths {
		if n <= len(path) {
			if l := sc.prefix[path[:n]]; l != nil {
				return static{prefix: l}
			}
		}
	}
	return static{}
}

// outcome is how a search ended.
type outcome int

const (
	nothing  outcome = iota // no location
	again                   // a prefix, and no expression
	found                   // for good
	redirect                // to the name with a slash
	unsure                  // an expression that is not followed comes first
)

// search is where a path leads, and how: what was found in each scope that was
// looked into.
type search struct {
	path  string
	where *location // nil for none
	how   outcome
	hits  []hit // the expressions that matched, outermost first
	looks map[*scope]look
}

// hit is an expression that matched, and what its groups hold.
type hit struct {
	re     *pattern
	groups []string
}

// look is what one scope had for the path.
type look struct {
	static static
	quiet  bool      // ^~: its expressions are not tried
	ended  bool      // the search ended within, before its expressions
	regex  *location // the first expression that matches
}

// find is nginx's choice among the locations of a server: the exact one; else the
// expressions, innermost scope first, unless the longest prefix forbids it; else
// the longest prefix.
func find(sc *scope, path string) *search {
	s := &search{path: path, looks: map[*scope]look{}}
	if sc != nil {
		s.how = s.descend(sc)
	}
	return s
}

func (s *search) descend(sc *scope) (how outcome) {
	l := look{static: sc.static(s.path)}
	defer func() { s.looks[sc] = l }()
	switch {
	case l.static.exact != nil:
		s.where = l.static.exact
		return found
	case l.static.redirect != nil:
		s.where = l.static.redirect
		return redirect
	case l.static.prefix != nil:
		s.where, how = l.static.prefix, again
		l.quiet = s.where.kind == caret
		if s.where.in != nil {
			switch inner := s.descend(s.where.in); inner {
			case found, redirect, unsure:
				l.ended = true
				return inner
			}
		}
	}
	if l.quiet {
		return how
	}
	for _, r := range sc.regex {
		if r.re.bad != "" {
			s.where = r
			return unsure
		}
		groups := r.re.match(s.path)
		if groups == nil {
			continue
		}
		l.regex, s.where, s.hits = r, r, append(s.hits, hit{r.re, groups})
		if r.in != nil {
			if s.descend(r.in) == unsure { // a redirect within an expression is an ordinary location
				return unsure
			}
		}
		return found
	}
	return how
}
