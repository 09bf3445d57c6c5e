package routes

import (
	"fmt"
	"strings"
)

// Why says why the virtual host and the route of a hit take the request: "domain
// *.example.com", "path /foo/x starts with /foo". What did not take it is "".
func (t *Table) Why(h Hit, r *Request) (domain, route string) {
	v := t.look(r)
	if h.VirtualHost == nil {
		return "", ""
	}
	domain = t.domainWhy(h, &v)
	if rt := t.at(h); rt != nil {
		route = rt.metBy(&v)
	}
	return domain, route
}

// domainWhy is "domain *.example.com", with what was compared where that is not
// the Host as it came.
func (t *Table) domainWhy(h Hit, v *view) string {
	s := "domain " + show(h.Domain)
	d := readDomain(h.Domain)
	switch {
	case d.kind == domainAll:
		return s + ", which takes every Host"
	case t.domains.header != "":
		return s + ", by header " + t.domains.header
	case t.domains.ignorePort && WithoutPort(v.r.Authority) != v.r.Authority:
		return s + ", the port aside"
	}
	return s
}

// Explain gives a reason for every other virtual host and for every other route
// of the one that took the request, in the order of the configuration. At most
// one route is Next: the first that would take the request without the winner.
// And at most one virtual host is: the one whose domain fits next best.
func (t *Table) Explain(r *Request, h Hit) []Loser {
	v := t.look(r)
	e := explainer{t: t, v: &v, hit: h, route: -1}
	if t.at(h) != nil {
		e.route = h.RouteIndex
	}
	e.hostNext = e.nextHost()
	var out []Loser
	for i := range t.hosts {
		if h.VirtualHost != nil && i == h.HostIndex {
			out = e.routes(out, i)
			continue
		}
		out = append(out, Loser{HostIndex: i, RouteIndex: -1, Reason: e.host(i), Next: i == e.hostNext})
	}
	return out
}

// explainer goes through the losers of one request.
type explainer struct {
	t        *Table
	v        *view
	hit      Hit
	route    int // that won, -1 for none
	hostNext int // the virtual host whose domain fits next best, -1 for none
}

// routes adds the losing routes of the virtual host that took the request.
func (e *explainer) routes(out []Loser, i int) []Loser {
	h := &e.t.hosts[i]
	next := -1
	if e.route >= 0 {
		next = h.walk(e.v, e.route+1)
	}
	for j := range h.routes {
		if j == e.route {
			continue
		}
		out = append(out, Loser{HostIndex: i, RouteIndex: j, Reason: e.routeReason(h, j), Next: j == next})
	}
	return out
}

// routeReason says why one route of the virtual host did not take the request.
func (e *explainer) routeReason(h *host, j int) string {
	r := &h.routes[j]
	failed := r.failedBy(e.v)
	switch {
	case e.hit.TLSRequired:
		return "never asked: require_tls sends the request to https first"
	case e.v.forwardedProto() == "":
		return "never asked: x-forwarded-proto is empty, and Envoy then looks at no route"
	case e.route < 0 || j < e.route:
		return failed
	}
	winner := &h.routes[e.route]
	switch {
	case failed != "":
		return failed
	case winner.unconditional() && winner.path.covers(&r.path, e.t.ignoreParameters):
		return fmt.Sprintf("never reached: route %d takes %s", e.route, winner.path.subject())
	}
	return fmt.Sprintf("would match too (%s), but route %d stands before it", r.metBy(e.v), e.route)
}

// nextHost is the virtual host that would take the request if the winner's were
// not there, -1 without one.
func (e *explainer) nextHost() int {
	if e.hit.VirtualHost == nil {
		return -1
	}
	next, best := -1, (*domain)(nil)
	for i := range e.t.hosts {
		if i == e.hit.HostIndex {
			continue
		}
		if d := e.best(i); d != nil && (best == nil || better(d, best) < 0) {
			next, best = i, d
		}
	}
	return next
}

// name is the Host that domains are compared with. Envoy asks for none where
// the only domain is "*".
func (e *explainer) name() (string, bool) { return e.t.domains.host(e.v) }

// best is the domain of a virtual host that fits the request best, nil when
// none does.
func (e *explainer) best(i int) *domain {
	name, ok := e.name()
	var best *domain
	for _, written := range e.t.hosts[i].source.GetDomains() {
		d := readDomain(written)
		d.host = int32(i)
		if !d.fits(name) || !ok && d.kind != domainAll {
			continue
		}
		if best == nil || better(&d, best) < 0 {
			best = &d
		}
	}
	return best
}

// host says why another virtual host did not take the request.
func (e *explainer) host(i int) string {
	name, ok := e.name()
	if !ok {
		return fmt.Sprintf("header %s is absent, and it would name the virtual host", e.t.domains.header)
	}
	if d := e.best(i); d != nil {
		return e.outdone(d)
	}
	domains := e.t.hosts[i].source.GetDomains()
	shown := make([]string, 0, 3)
	for _, d := range domains[:min(len(domains), 3)] {
		shown = append(shown, show(d))
	}
	list := strings.Join(shown, ", ")
	if more := len(domains) - len(shown); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	subject := "Host " + show(name)
	if e.t.domains.header != "" {
		subject = "header " + e.t.domains.header + " (" + show(name) + ")"
	}
	subject += " fits none of the domains "
	if len(domains) == 1 {
		subject = strings.Replace(subject, " fits none of the domains ", " does not fit the domain ", 1)
	}
	return subject + list + nearHost(name, domains)
}

// outdone says by what the virtual host's best domain was beaten.
func (e *explainer) outdone(d *domain) string {
	s := "domain " + show(d.written) + " fits too, but "
	won := readDomain(e.hit.Domain)
	by := show(e.hit.Domain) + " of virtual host " + show(e.hit.VirtualHost.GetName())
	switch {
	case e.hit.VirtualHost == nil:
		return s + "another was taken"
	case better(&won, d) == 0:
		return s + by + " stands before it; Envoy refuses a domain that stands there twice"
	case won.kind == domainExact:
		return s + by + " is exact"
	case won.kind == d.kind:
		return s + by + " is longer"
	case won.kind == domainSuffix && d.kind == domainPrefix:
		return s + by + " has its wildcard at the beginning, which goes before one at the end"
	}
	return s + by + " is closer"
}

// nearHost tells of a near miss, as people come to ask about it.
func nearHost(name string, domains []string) string {
	bare, dotless := WithoutPort(name), strings.TrimSuffix(name, ".")
	for _, written := range domains {
		d := readDomain(written)
		switch {
		case bare != name && d.fits(bare):
			return " (without its port it would: set ignore_port_in_host_matching)"
		case dotless != name && d.fits(dotless):
			return " (without the dot at its end it would: set strip_trailing_host_dot)"
		case d.kind == domainSuffix && (name == d.text || name == strings.TrimPrefix(d.text, ".")), d.kind == domainPrefix && name == d.text:
			return " (a wildcard stands for at least one letter)"
		}
	}
	return ""
}
