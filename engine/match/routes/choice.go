package routes

// choice are routes among which the path does not choose, in a form that leaves
// most of them out where an exact header does: tables with a route for each
// tenant have them by the thousand under one prefix.
type choice struct {
	ids []int32   // asked one after another, in order
	by  []telling // the others
}

// telling are routes that all want one header, each with a value of its own.
type telling struct {
	header string // in lower case
	routes map[string][]int32
}

// newChoice makes a choice of routes in order. Up to least of them, of all or of
// those that a header tells, are quicker asked one after another.
func newChoice(ids []int32, routes []route, least int) choice {
	if len(ids) <= least {
		return choice{ids: ids}
	}
	rare := rarestValues(ids, routes)
	users := map[string]int{}
	for _, m := range rare {
		if m != nil {
			users[m.name]++
		}
	}
	c, at := choice{}, map[string]int{}
	for i, id := range ids {
		m := rare[i]
		if m == nil || users[m.name] <= least {
			c.ids = append(c.ids, id)
			continue
		}
		if _, there := at[m.name]; !there {
			at[m.name] = len(c.by)
			c.by = append(c.by, telling{header: m.name, routes: map[string][]int32{}})
		}
		by := c.by[at[m.name]].routes
		by[m.text.want] = append(by[m.text.want], id)
	}
	return c
}

// rarestValues is, for each of the routes, the condition on an exact header that
// the fewest share; nil for a route without any.
func rarestValues(ids []int32, routes []route) []*valueMatch {
	type value struct{ header, want string }
	shared := map[value]int{}
	each := func(id int32, do func(m *valueMatch)) {
		headers := routes[id].headers
		for i := range headers {
			if _, exact := headers[i].known(); exact {
				do(&headers[i])
			}
		}
	}
	for _, id := range ids {
		each(id, func(m *valueMatch) { shared[value{m.name, m.text.want}]++ })
	}
	out := make([]*valueMatch, len(ids))
	for i, id := range ids {
		least := 0
		each(id, func(m *valueMatch) {
			if n := shared[value{m.name, m.text.want}]; out[i] == nil || n < least {
				out[i], least = m, n
			}
		})
	}
	return out
}

// among is the first route of a choice that takes the request and stands before
// best; best without one.
func (h *host) among(c *choice, best int32, v *view) int32 {
	best = h.better(c.ids, best, v)
	for i := range c.by {
		t := &c.by[i]
		if value, there, once := v.single(t.header); once {
			if there {
				best = h.better(t.routes[value], best, v)
			}
			continue
		}
		for j := range v.r.Headers {
			if one := &v.r.Headers[j]; equalFold(one.Name, t.header) {
				best = h.better(t.routes[one.Value], best, v)
			}
		}
	}
	return best
}
