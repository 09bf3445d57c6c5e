package routes

// few is how many routes are quicker walked through than looked up.
const few = 16

// index finds the routes of a virtual host that may match a path, without
// looking at the others. What it names is still asked in full, so it may name
// too many, never too few.
type index struct {
	on bool // else the routes are walked through

	// exact are the routes with a whole path, by that path in lower case.
	exact map[string]choice
	// heads are those whose path begins with a known text.
	heads trie
	// inner are those whose path holds a known text somewhere.
	inner   trie
	innerAt [256]bool // the first bytes of inner's keys
	// open are those of whose path nothing is known.
	open choice
}

// newIndex makes the index. Path parameters that are ignored are not ignored by
// a template, so that the two look at different paths. Routes among which the
// path does not choose are told apart by their headers where they are more than
// least.
func newIndex(routes []route, ignoreParameters bool, least int) index {
	x := index{on: true, exact: map[string]choice{}}
	var heads, inner []keyed
	var open []int32
	exact := map[string][]int32{}
	held, shared := literalsOf(routes)
	for i := range routes {
		id, p := int32(i), &routes[i].path
		switch p.kind {
		case pathNever:
		case pathExact:
			key := lower(p.text)
			exact[key] = append(exact[key], id)
		case pathPrefix, pathSeparated:
			heads = append(heads, keyed{lower(p.text), id})
		case pathRegex, pathTemplate:
			if p.kind == pathTemplate && ignoreParameters {
				open = append(open, id)
				continue
			}
			switch best := rarest(held[i], shared); {
			case best.text == "":
				open = append(open, id)
			case best.head:
				heads = append(heads, keyed{best.text, id})
			default:
				inner = append(inner, keyed{best.text, id})
				x.innerAt[best.text[0]] = true
			}
		default:
			open = append(open, id)
		}
	}
	choose := func(ids []int32) choice { return newChoice(ids, routes, least) }
	for key, ids := range exact {
		x.exact[key] = choose(ids)
	}
	x.heads, x.inner, x.open = newTrie(heads, choose), newTrie(inner, choose), choose(open)
	return x
}

// first is the first route that takes the request, -1 when none does.
func (h *host) first(v *view) int {
	if !h.index.on {
		return h.walk(v, 0)
	}
	x, best := &h.index, int32(len(h.routes))
	best = h.among(&x.open, best, v)
	if !v.pathless {
		whole := x.exactly(v.bare)
		best = h.among(&whole, best, v)
		best = h.along(&x.heads, v.bare, best, v)
		if len(x.inner.nodes) > 0 {
			best = h.within(v, best)
		}
	}
	if int(best) == len(h.routes) {
		return -1
	}
	return int(best)
}

// walk is the first route from one on that takes the request, found without an
// index; -1 when none does.
func (h *host) walk(v *view, from int) int {
	for i := from; i < len(h.routes); i++ {
		if h.routes[i].matches(v) {
			return i
		}
	}
	return -1
}

// better is the first of the routes, which are in order, that takes the request
// and stands before best; best without one.
func (h *host) better(routes []int32, best int32, v *view) int32 {
	for _, id := range routes {
		if id >= best {
			break
		}
		if h.routes[id].matches(v) {
			return id
		}
	}
	return best
}

// exactly are the routes whose whole path it is, in any case.
func (x *index) exactly(path string) choice {
	var room [256]byte
	for i := range len(path) {
		if c := path[i]; 'A' <= c && c <= 'Z' {
			b := append(room[:0], path...)
			for ; i < len(b); i++ {
				b[i] = lowerByte(b[i])
			}
			return x.exact[string(b)]
		}
	}
	return x.exact[path]
}

// along asks the routes of every key that s begins with.
func (h *host) along(t *trie, s string, best int32, v *view) int32 {
	if len(t.nodes) == 0 {
		return best
	}
	for n := &t.nodes[0]; n != nil; {
		rest, ok := n.step(s)
		if !ok {
			break
		}
		best = h.among(&n.ids, best, v)
		s, n = rest, t.child(n, rest)
	}
	return best
}

// within asks the routes of every key that stands anywhere in the path.
func (h *host) within(v *view, best int32) int32 {
	for i := range len(v.bare) {
		if h.index.innerAt[lowerByte(v.bare[i])] {
			best = h.along(&h.index.inner, v.bare[i:], best, v)
		}
	}
	return best
}
