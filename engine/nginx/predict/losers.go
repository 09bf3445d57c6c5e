package predict

import (
	"fmt"
	"strings"
)

// why says in a sentence why the search ended where it did.
func (s *search) why() string {
	l := s.where
	switch l.kind {
	case exact:
		if s.how == redirect {
			return "its name is " + shown(s.path) + " with a slash"
		}
		return "it is exactly " + shown(s.path) + ", which ends the search at once"
	case regex:
		if l.outer != nil && s.looks[l.outer.in].regex == l {
			return "within `" + l.outer.at.String() + "` its expression is the first that matches " + shown(s.path) + "; the innermost are tried first"
		}
		return "its expression is the first in the file that matches " + shown(s.path) + ", and expressions come before prefixes"
	}
	if s.how == redirect {
		return "its name is " + shown(s.path) + " with a slash"
	}
	why := "it is the longest prefix of " + shown(s.path)
	switch {
	case l.kind == caret:
		return why + ", and ^~ keeps the expressions beside it from being tried"
	case len(s.beside(l).regex) > 0:
		return why + ", and no expression matches"
	}
	return why
}

// beside is the scope that a location stands in.
func (s *search) beside(l *location) *scope {
	for sc, look := range s.looks {
		if look.static.prefix == l || look.static.exact == l || look.static.redirect == l || look.regex == l {
			return sc
		}
	}
	return &scope{}
}

// lose says of every other location of the server, and of every other server of
// the address, why it did not take the request.
func (e *run) lose() {
	if e.site == nil || e.addr == nil {
		return
	}
	for _, st := range e.addr.sites {
		if st != e.site {
			e.ans.Losers = append(e.ans.Losers, Loser{Name: siteName(st), Reason: e.whyNotServer(st), At: st.at})
		}
	}
	if e.site.in != nil {
		e.loseIn(e.site.in, "")
	}
}

// loseIn goes through a scope; closed says why it was not looked into.
func (e *run) loseIn(sc *scope, closed string) {
	for _, l := range sc.all {
		if l == e.loc {
			if l.in != nil {
				e.loseIn(l.in, "")
			}
			continue
		}
		reason := closed
		if reason == "" {
			reason = e.whyNot(sc, l)
		}
		e.ans.Losers = append(e.ans.Losers, Loser{Name: l.at.String(), Reason: reason, At: l.at})
		if l.in == nil {
			continue
		}
		inner := closed
		if inner == "" && (e.last == nil || !e.last.entered(l)) {
			inner = "it stands within `" + l.at.String() + "`, which does not take the request"
		}
		e.loseIn(l.in, inner)
	}
}

// entered reports whether the search looked into a location.
func (s *search) entered(l *location) bool {
	_, ok := s.looks[l.in]
	return ok
}

// whyNot says why a location of a scope that was looked into did not take the
// request.
func (e *run) whyNot(sc *scope, l *location) string {
	if l.kind == called {
		return "a named location is reached from error_page or try_files alone"
	}
	if e.last == nil {
		return "the request was answered before nginx looked for a location"
	}
	look, looked := e.last.looks[sc]
	if !looked {
		return "the search ended before it came to what stands within `" + l.outer.at.String() + "`"
	}
	path := e.last.path
	if l.kind == regex {
		return e.whyNotRegex(look, l, path)
	}
	switch {
	case l.kind == exact && l.name != path:
		return "only " + shown(l.name) + " itself would do, and the path is " + shown(path)
	case !strings.HasPrefix(path, l.name):
		if lower(l.name) != l.name && strings.HasPrefix(lower(path), lower(l.name)) {
			return "the path " + shown(path) + " does not begin with " + shown(l.name) + ": case matters"
		}
		return "the path " + shown(path) + " does not begin with " + shown(l.name)
	case look.static.exact != nil:
		return "it fits, but `" + look.static.exact.at.String() + "` is exact, and that ends the search"
	case look.static.redirect != nil:
		return "it fits, but `" + look.static.redirect.at.String() + "` is the path with a slash: nginx redirects there first"
	case look.static.prefix != nil && look.static.prefix != l:
		return "it fits, but `" + look.static.prefix.at.String() + "` is longer, and of prefixes the longest counts"
	case look.regex != nil:
		return "it is the longest prefix, but the expression of `" + look.regex.at.String() + "` matches, and without ^~ an expression comes first"
	case look.ended || e.loc != nil && inside(e.loc, l):
		return "a location within it is the better match"
	}
	if e.last.how == unsure {
		return "it fits, but the expression of `" + e.last.where.at.String() + "` comes before it, and whether that matches is not known"
	}
	return "it fits, but the request was led elsewhere"
}

func inside(l, outer *location) bool {
	for ; l != nil; l = l.outer {
		if l == outer {
			return true
		}
	}
	return false
}

func (e *run) whyNotRegex(look look, l *location, path string) string {
	switch {
	case look.static.exact != nil:
		return "its expression was not tried: `" + look.static.exact.at.String() + "` is exact, and that ends the search"
	case look.static.redirect != nil:
		return "its expression was not tried: `" + look.static.redirect.at.String() + "` is the path with a slash, and nginx redirects there first"
	case look.ended:
		return "its expression was not tried: a location within `" + look.static.prefix.at.String() + "` took the request, and the innermost come first"
	case look.quiet:
		return "its expression was not tried: the longest prefix is `" + look.static.prefix.at.String() + "`, and its ^~ forbids that"
	case look.regex != nil && look.regex.index < l.index:
		return "`" + look.regex.at.String() + "` stands before it in the file and matches: of expressions the first counts, not the longest"
	case e.last.how == unsure && e.last.where != l && l.index > e.last.where.index && e.last.where.outer == l.outer:
		return "whether `" + e.last.where.at.String() + "`, which stands before it, matches is not known"
	case l.re.bad != "":
		return "its expression is not followed: " + l.re.bad
	case look.regex == l:
		return "a location within it is the better match"
	}
	return fmt.Sprintf("its expression does not match %s", shown(path))
}

// whyNotServer says why another server of the address did not take the request.
func (e *run) whyNotServer(st *site) string {
	host := e.host
	if !e.entered {
		return "the request was refused before nginx looked for its server"
	}
	if host == "" {
		return "the request has no Host that its names could be compared with"
	}
	var texts []string
	for _, n := range st.names {
		texts = append(texts, n.text)
		one := newNames()
		one.add(n)
		if n.re != nil && n.re.bad != "" {
			continue
		}
		if _, way, _, _ := one.find(host); way != byDefault {
			return e.fitsToo(n)
		}
	}
	if strings.Join(texts, "") == "" {
		return "it has no server_name, and it is not the default server of this address"
	}
	return "its server_name " + strings.Join(texts, " ") + " does not fit the Host " + shown(host)
}

// fitsToo says why a name that fits came after the one that was taken.
func (e *run) fitsToo(n serverName) string {
	switch e.way {
	case byExact:
		return n.text + " fits, but the name that is exactly the Host comes first"
	case byHead:
		if n.re == nil && !strings.HasSuffix(n.text, ".*") {
			return n.text + " fits, but a longer one does, too, or it stands before it in the file"
		}
		return n.text + " fits, but a name with a star in front comes before it"
	case byTail:
		if n.re == nil {
			return n.text + " fits, but a longer one does, too, or it stands before it in the file"
		}
		return n.text + " fits, but a name with a star comes before any expression"
	}
	return n.text + " fits, but another expression stands before it in the file"
}
