package routes

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// manyAlike bounds how many earlier routes with the same text and different
// conditions are compared with a later one. Past it a shadow may go unnoticed;
// none is ever made up.
const manyAlike = 64

// Shadowed names the routes that no request can reach, because one earlier
// route of the same virtual host takes every request that they would. Only what
// is certain is named, so it may be silent where several routes together, or two
// expressions, leave nothing over.
func (t *Table) Shadowed() []Shadow {
	var out []Shadow
	for i := range t.hosts {
		s := newShadows(t, i)
		for j := range t.hosts[i].routes {
			if by := s.find(j); by >= 0 {
				out = append(out, Shadow{HostIndex: i, RouteIndex: j, By: by, Reason: s.reason(by, j)})
			}
			s.add(j)
		}
	}
	return out
}

// shadows are the routes so far, by what they take away from later ones.
type shadows struct {
	host             *host
	ignoreParameters bool
	// by holds routes by the text, in lower case, that their paths begin with,
	// and by the whole of what they say where no text is known.
	by map[string][]int32
	// all are the paths of which an earlier route takes every request, so that a
	// later one with the same path takes nothing away.
	all map[pathMatch]bool
}

func newShadows(t *Table, host int) shadows {
	return shadows{
		host: &t.hosts[host], ignoreParameters: t.ignoreParameters,
		by: map[string][]int32{}, all: map[pathMatch]bool{},
	}
}

// said is the key of a path that is compared as it is written.
func said(p *pathMatch) string { return "\x00" + string(rune('0'+p.kind)) + p.text }

// fingerprint is the key of all that a match says.
func fingerprint(r *route) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.source.GetMatch())
	if err != nil {
		return said(&r.path)
	}
	return "\x01" + string(b)
}

func (s *shadows) add(i int) {
	r := &s.host.routes[i]
	keep := func(key string, always bool) {
		if always || len(s.by[key]) < manyAlike {
			s.by[key] = append(s.by[key], int32(i))
		}
	}
	if key := fingerprint(r); len(s.by[key]) == 0 {
		keep(key, true)
	}
	switch p := &r.path; p.kind {
	case pathPrefix, pathExact, pathSeparated:
		if !s.all[*p] {
			s.all[*p] = r.unconditional()
			keep(lower(p.text), s.all[*p])
		}
	case pathRegex, pathTemplate:
		head, _ := headOf(p.re.tree, 0)
		keep(lower(head), false)
	case pathConnect:
		keep(said(p), false)
	}
}

// find is the first earlier route that takes everything that route j would, -1
// without one.
func (s *shadows) find(j int) int {
	p := &s.host.routes[j].path
	best := s.among(s.by[fingerprint(&s.host.routes[j])], j, -1)
	best = s.among(s.by[said(p)], j, best)
	r := p.reach(s.ignoreParameters)
	if !r.known {
		return best
	}
	start := lower(r.start)
	for end := range len(start) + 1 {
		best = s.among(s.by[start[:end]], j, best)
	}
	return best
}

// among is the first of the routes, which are in order, that shadows route j and
// stands before best.
func (s *shadows) among(routes []int32, j, best int) int {
	q := &s.host.routes[j]
	for _, id := range routes {
		if best >= 0 && int(id) >= best {
			break
		}
		if r := &s.host.routes[id]; r.implied(q) && r.path.covers(&q.path, s.ignoreParameters) {
			return int(id)
		}
	}
	return best
}

// reason says what the earlier route takes away.
func (s *shadows) reason(by, j int) string {
	r, q := &s.host.routes[by], &s.host.routes[j]
	text := fmt.Sprintf("route %d stands before it and ", by)
	if proto.Equal(r.source.GetMatch(), q.source.GetMatch()) {
		return text + "matches the very same requests"
	}
	switch p := &r.path; p.kind {
	case pathPrefix, pathSeparated:
		text += fmt.Sprintf("takes every path under %q", p.text)
	case pathExact:
		text += fmt.Sprintf("takes the path %q", p.text)
	case pathRegex:
		text += fmt.Sprintf("takes every path that matches %q", p.text)
	case pathTemplate:
		text += fmt.Sprintf("takes every path that fits %q", p.text)
	case pathConnect:
		text += "takes every CONNECT"
	}
	if r.path.fold {
		text += " in any case"
	}
	if !r.unconditional() {
		text += ", and asks for nothing that this one does not ask for too"
	}
	return text
}
