package routes

// Match finds the virtual host and the route that take a request. The request
// is not kept. What the decision had to assume stands in the Hit.
func (t *Table) Match(r *Request) Hit {
	v := t.look(r)
	return t.match(&v)
}

func (t *Table) match(v *view) Hit {
	d := t.domains.find(v)
	if d == nil {
		return Hit{}
	}
	h := &t.hosts[d.host]
	hit := Hit{VirtualHost: h.source, HostIndex: int(d.host), Domain: d.written}
	if hit.TLSRequired = h.requiresTLS(v); hit.TLSRequired {
		return hit
	}
	if h.source.GetMatcher() != nil || v.forwardedProto() == "" {
		return hit
	}
	found := h.first(v)
	if found >= 0 {
		hit.Route, hit.RouteIndex = h.routes[found].source, found
	}
	if len(h.assuming) > 0 {
		hit.Assumed = h.assumptions(v, found)
	}
	return hit
}

// assumptions says what the decision for the route found, or for none, rests
// on: a route that was passed over, or taken, for a reason that the request
// does not tell.
func (h *host) assumptions(v *view, found int) []string {
	var out []string
	for _, id := range h.assuming {
		if found >= 0 && int(id) > found {
			break
		}
		r := &h.routes[id]
		if r.path.holds(v) && r.certain(v) {
			out = r.appendAssumptions(out, v, int(id))
		}
	}
	return out
}

// appendAssumptions adds a sentence for each condition that was decided by
// default.
func (r *route) appendAssumptions(out []string, v *view, i int) []string {
	if r.fraction != nil {
		if s := r.fraction.assumption(v, i); s != "" {
			out = append(out, s)
		}
		if !r.fraction.met(v) {
			return out
		}
	}
	for j := range r.metadata {
		if m := &r.metadata[j]; !m.told(v) {
			out = append(out, m.name()+" is assumed to be absent")
		}
	}
	for j := range r.state {
		if s := &r.state[j]; !s.told(v) {
			out = append(out, "filter state "+s.key+" is assumed to be absent")
		}
	}
	return out
}
