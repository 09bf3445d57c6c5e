package nginx

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// named is one server_name line.
type named struct {
	mark
	text string
}

// scope is where a route stands.
type scope struct {
	site      *site
	routing   *routing
	host      *routev3.VirtualHost
	origin    Origin // of the virtual host
	mirrors   []mirror
	places    []*place
	guarding  map[Origin]int // how many routes to clusters each guard stands before
	forwards  int            // how many routes to clusters there are
	order     *order
	indexes   []int           // of its routes, nil where host has them all
	skip      int             // conditions on headers that the server's name has met
	names     []string        // expressions that it is named by, nil for its domains
	labels    map[string]bool // of named locations
	elsewhere bool            // another server stands for its domain "*"
	pending   []*row          // that were given a label and have no location yet
	copies    map[Origin]string
}

// virtualHosts writes one server for each virtual host.
func (p *projection) virtualHosts(s *site, r *routing) {
	if s.port == nil {
		s.port = &port{names: map[string]bool{}}
	}
	if len(r.config.GetVirtualHosts()) == 0 {
		p.note(mark{from: r.origin}.none(lessonNoRoutes), "route configuration %s has no virtual hosts", r.config.GetName())
	}
	p.configRest(r.origin, r.config)
	var last []*scope
	all := r.config.GetVirtualHosts()
	stands := standIn(all)
	for i, vh := range all {
		vh = decoded(vh)
		sc := newScope(s, r, i)
		subs, rest := subHosts(vh)
		for _, one := range subs {
			last = append(last, sc.sub(one))
		}
		sc.host, sc.indexes = only(vh, rest), rest
		if slices.Contains(vh.GetDomains(), "*") && stands >= 0 && len(s.sni) == 0 {
			sc.elsewhere = true
			if len(vh.GetDomains()) == 1 {
				continue
			}
		}
		m := exact(sc.origin).with(lessonServer)
		if i == 0 {
			m.also = []Origin{r.origin}
		}
		var copied *scope
		if i == stands && len(s.sni) == 0 {
			copied = newScope(s, r, starOf(all))
		}
		p.virtualHost(sc, copied, m)
	}
	for _, sc := range last {
		p.virtualHost(sc, nil, exact(sc.origin).with(lessonServer))
	}
}

func newScope(s *site, r *routing, i int) *scope {
	return &scope{site: s, routing: r, host: r.config.GetVirtualHosts()[i], origin: r.origin.at(fmt.Sprintf("virtual_hosts[%d]", i)),
		labels: map[string]bool{}, copies: map[Origin]string{}}
}

// sub is the scope of hosts that an expression takes.
func (sc *scope) sub(one subHost) *scope {
	out := newScope(sc.site, sc.routing, 0)
	out.host, out.origin, out.indexes, out.skip, out.names = one.host, sc.origin, one.indexes, 1, one.names
	return out
}

// index is where the route stands in its virtual host.
func (sc *scope) index(i int) int {
	if sc.indexes == nil {
		return i
	}
	return sc.indexes[i]
}

// virtualHost writes a server. copied is the scope of the domain "*" where this
// virtual host stands for it.
func (p *projection) virtualHost(sc, copied *scope, m mark) {
	names, isDefault := p.serverNamesOf(sc)
	if copied != nil && !sc.site.port.hasDefault {
		isDefault = true
	}
	if len(names) == 0 && !isDefault {
		defer p.mute(None)()
	}
	p.server(sc.site, m, isDefault, names, func() {
		if copied != nil {
			p.copied(copied)
		}
		p.host(sc)
	})
}

// copied says that the routes of the domain "*" are those of this server.
func (p *projection) copied(star *scope) {
	_, rest := subHosts(star.host)
	m := exact(star.origin).with(lessonDefaultCopy)
	if rest == nil {
		for i := range star.host.GetRoutes() {
			rest = append(rest, i)
		}
	}
	for _, i := range rest {
		m.also = append(m.also, star.origin.at(fmt.Sprintf("routes[%d]", i)))
	}
	p.note(m, "default_server: the domain * has the same routes")
}

// only is the virtual host with these of its routes; nil is all of them.
func only(vh *routev3.VirtualHost, indexes []int) *routev3.VirtualHost {
	if indexes == nil {
		return vh
	}
	out := &routev3.VirtualHost{}
	proto.Merge(out, vh)
	out.Routes = nil
	for _, i := range indexes {
		out.Routes = append(out.Routes, vh.GetRoutes()[i])
	}
	return out
}

func starOf(all []*routev3.VirtualHost) int {
	return slices.IndexFunc(all, func(vh *routev3.VirtualHost) bool { return slices.Contains(vh.GetDomains(), "*") })
}

// standIn is the index of the virtual host that does the same as the one of the
// domain "*", apart from hosts of an expression; -1 for none.
func standIn(all []*routev3.VirtualHost) int {
	star := starOf(all)
	if star < 0 {
		return -1
	}
	_, rest := subHosts(all[star])
	want := only(all[star], rest)
	return slices.IndexFunc(all, func(vh *routev3.VirtualHost) bool {
		if vh == all[star] || len(vh.GetRoutes()) != len(want.GetRoutes()) {
			return false
		}
		got := proto.CloneOf(vh)
		got.Name, got.Domains = want.GetName(), want.GetDomains()
		return proto.Equal(got, want)
	})
}

// serverNamesOf is what the virtual host's domains are in nginx. A domain that
// cannot be said, or is taken, is noted before the server.
func (p *projection) serverNamesOf(sc *scope) (names []named, isDefault bool) {
	pt := sc.site.port
	if sc.names != nil {
		m := exact(sc.origin.at(fmt.Sprintf("routes[%d].match.headers[0]", sc.index(0)))).with(lessonHostRegex)
		for _, name := range sc.names {
			if !pt.names[name] {
				names = append(names, named{m, token(name)})
			}
		}
		return names, false
	}
	for i, d := range sc.host.GetDomains() {
		m := exact(sc.origin.at(fmt.Sprintf("domains[%d]", i)))
		switch {
		case d == "*" && sc.elsewhere:
			p.note(m.with(lessonDefaultCopy), "server_name _;  (the default server has these routes)")
		case d == sc.site.manager.GetHttpProtocolOptions().GetDefaultHostForHttp_10() && d != "" && !pt.names[""]:
			if !p.muted {
				pt.names[""] = true
			}
			names = append(names, named{m.with(lessonNoHost), `""`})
		case strings.HasPrefix(d, ".") && slices.Contains(sc.host.GetDomains(), "*"+d):
			p.note(m.with(lessonDotName), "a Host of %s itself: *%s", d, d)
		case d == "*" && len(sc.site.sni) > 0:
			names = append(names, p.sniNames(sc.site, m)...)
		case d == "*" && (pt.hasDefault || isDefault):
			p.note(m.none(lessonNameTaken), "server_name _;  (the default)")
		case d == "*":
			isDefault = true
			names = append(names, named{m.with(lessonDefault), "_"})
		default:
			if n, ok := p.serverName(sc, m, d); ok {
				names = append(names, n)
			}
		}
	}
	return names, isDefault
}

// sniNames stand in for a chain's "*": nginx has the name of the handshake in
// server_name too. Those that a server has are left out.
func (p *projection) sniNames(s *site, m mark) (names []named) {
	for _, d := range s.sni {
		text, _, _, ok := serverName(d)
		if !ok || strings.HasPrefix(text, "~") {
			p.note(m.none(lessonServerRegex), "server_name %s;", d)
			continue
		}
		if s.port.names[text] {
			continue
		}
		if !p.muted {
			s.port.names[text] = true
		}
		names = append(names, named{m.approx(lessonSNI), token(text)})
	}
	return names
}

// elsewhere reports whether another chain of the port is for this name in the
// handshake, and this one is not.
func (s *site) elsewhere(domain string) bool {
	if m := withPort.FindStringSubmatch(domain); m != nil {
		domain = m[1]
	}
	return !slices.Contains(s.sni, domain) && (takesSNI(s.port.refused, domain) || len(s.sni) > 0 && !takesSNI(s.sni, domain) && takesSNI(s.port.sni, domain))
}

func takesSNI(names []string, domain string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		suffix, wild := strings.CutPrefix(name, "*")
		return strings.EqualFold(name, domain) || wild && strings.HasSuffix(strings.ToLower(domain), strings.ToLower(suffix))
	})
}

func (p *projection) serverName(sc *scope, m mark, domain string) (named, bool) {
	text, kind, lesson, ok := serverName(domain)
	if !ok {
		p.note(m.none(lessonServerRegex), "server_name %s;", domain)
		return named{}, false
	}
	if sc.site.elsewhere(domain) {
		p.note(m.none(lessonSNIOther), "server_name %s;", domain)
		return named{}, false
	}
	if pt := sc.site.port; pt.names[text] {
		p.note(m.none(lessonNameTaken), "server_name %s;", domain)
		return named{}, false
	} else if !p.muted {
		pt.names[text] = true
	}
	if kind == Exact && !sc.routing.config.GetIgnorePortInHostMatching() && !sc.site.manager.GetStripAnyHostPort() &&
		sc.site.manager.GetStripPortMode() == nil {
		kind, lesson = Approximate, lessonHostPort
	}
	m.kind, m.lesson = kind, lesson
	return named{m, token(text)}, true
}

// server writes a server block. body writes its locations.
func (p *projection) server(s *site, m mark, isDefault bool, names []named, body func()) {
	p.open(m, "server")
	if isDefault && !p.muted {
		s.port.hasDefault = true
	}
	p.listenLines(s.port, isDefault)
	p.tlsLines(s)
	for _, n := range names {
		p.add(n.mark, "server_name %s;", n.text)
		if !p.muted {
			p.serverNames++
			p.longestServer = max(p.longestServer, len(n.text))
		}
	}
	if len(names) == 0 {
		p.add(mark{}, "server_name _;")
	}
	p.manager(s)
	body()
	p.end()
}

// host writes what stands within a virtual host's server.
func (p *projection) host(sc *scope) {
	vh := sc.host
	if vh.GetRequireTls() != routev3.VirtualHost_NONE && sc.site.tls == nil {
		m := mark{from: sc.origin.at("require_tls")}.approx(lessonRequireTLS)
		p.add(m, "if ($scheme = http) { return 301 https://$host$request_uri; }")
	}
	if rp := vh.GetRetryPolicy(); rp != nil && !p.shared.next.common() {
		for _, by := range p.families(vh.GetRoutes()) {
			p.retry(by, sc.origin.at("retry_policy"), rp, false, 0)
		}
	}
	p.hostRest(sc)
	p.locations(sc)
	p.mirrorLocations(sc)
}
