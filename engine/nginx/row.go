package nginx

import "regexp"

// row is one path that a route asks for. A route with a path_separated_prefix
// has two, any other has one.
type row struct {
	index int
	pl    *place
	c     candidate
	asks  asks
	used  bool   // some location does what its route says
	label string // of its named location, once it has one
}

// sure reports whether the route takes every request that has the path.
func (r *row) sure() bool { return len(r.asks.tests) == 0 && r.asks.share == nil }

// same reports whether the two do the same with the same expression.
func (r *row) same(s *row) bool {
	return r == s || r.pl.wide == s.pl.wide && r.c.text == s.c.text && r.c.fold == s.c.fold && sameEffect(r.pl.route, s.pl.route)
}

// paths that a question has to ask for itself.
func (r *row) pathTests() []test {
	at := r.pl.origin.at("match")
	if r.c.form == byPrefix {
		return []test{{"$uri", "~", "^" + regexp.QuoteMeta(r.c.text), at}}
	}
	operator := "~"
	if r.c.fold {
		operator = "~*"
	}
	out := []test{{"$uri", operator, r.c.text, at}}
	if r.asks.guard != "" {
		out = append(out, test{"$uri", "~", "^" + regexp.QuoteMeta(r.asks.guard), at})
	}
	return out
}
