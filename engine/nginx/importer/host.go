package importer

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// noHost is the domain that stands for a request without Host. It is what the
// connection manager puts there, see manager.
const noHost = "nohost.invalid"

// serverNames are a server's names, "" for one without, as nginx has it.
func serverNames(d *conf.Directive) []string {
	var out []string
	for _, n := range d.Children("server_name") {
		for _, a := range n.Args {
			if !strings.HasPrefix(a, "~") {
				a = strings.TrimSuffix(strings.ToLower(a), ".")
			}
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		out = []string{""}
	}
	return out
}

// domains are those that take what an nginx name takes. nginx knows each by its
// first: a name that is taken is ignored whole.
func domains(name string) []string {
	switch {
	case name == "":
		return []string{noHost}
	case strings.HasPrefix(name, "*."):
		return []string{name, name[1:]}
	case strings.HasPrefix(name, "."):
		return []string{name[1:], "*" + name, name}
	}
	return []string{name}
}

// host is a server with the domains and expressions that are its own.
type host struct {
	*server
	domains []string
	regexes []*expression
}

// hosts gives each server its names, the first that has a name keeps it.
func (im *importer) hosts(s *site) []*host {
	taken := map[string]bool{}
	var out []*host
	for _, sv := range s.servers {
		h := &host{server: sv}
		for _, name := range sv.names {
			if re, ok := strings.CutPrefix(name, "~"); ok {
				im.regexName(h, re)
				continue
			}
			if why := unsayable(name); why != "" {
				im.name(sv, name, why)
				continue
			}
			h.claim(name, taken)
		}
		out = append(out, h)
	}
	return out
}

// claim adds the domains of a name unless it is taken. nginx ignores all of ".x"
// where "x" or "*.x" is, and "x" is taken by it even then.
func (h *host) claim(name string, taken map[string]bool) {
	ds := domains(name)
	for _, d := range ds[:len(ds)-literalDots(name)] {
		if taken[d] {
			return
		}
		taken[d] = true
	}
	h.domains = append(h.domains, ds...)
}

// literalDots is how many of a name's domains, the last ones, are there for a
// Host that begins with a dot: no other name has those.
func literalDots(name string) int {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "*.") {
		return 1
	}
	return 0
}

func unsayable(name string) string {
	switch {
	case name == "$hostname":
		return "nginx puts the machine's own name there"
	case name == noHost:
		return "this name stands for requests without Host"
	case strings.Contains(strings.TrimSuffix(strings.TrimPrefix(name, "*."), ".*"), "*"):
		return "nginx refuses a * within a name"
	case strings.HasPrefix(name, "*") && strings.HasSuffix(name, ".*"):
		return "Envoy has no domain with a * on both sides"
	}
	return ""
}

// name reports a server name that is not carried over.
func (im *importer) name(sv *server, name, why string) {
	for _, d := range sv.d.Children("server_name") {
		if slices.ContainsFunc(d.Args, func(a string) bool { return strings.EqualFold(a, name) }) {
			im.say(nginx.None, d, fmt.Sprintf("the name %s is not carried over: %s", name, why), "name the hosts themselves", place{})
		}
	}
}

func (im *importer) regexName(h *host, re string) {
	e, why := im.compile(re, true)
	if why != "" {
		im.name(h.server, "~"+re, why)
		return
	}
	h.regexes = append(h.regexes, e)
}

// authority takes a Host, with a port or without, where nginx would find the
// expression in its name.
func authority(es []*expression) string {
	var all []string
	for _, e := range es {
		re := "(?:" + e.re2 + ")" + anyText
		if cut := strings.TrimSuffix(e.text, "$"); cut != e.text && !strings.HasSuffix(cut, `\`) && !alternates(e.text) {
			if e, why := compile(cut, true); why == "" {
				re = "(?:" + e.re2 + ")(?::.*)?"
			}
		} else if strings.Contains(e.text, "$") {
			re = e.before(':')
		}
		all = append(all, re)
	}
	return anyText + "(?:" + strings.Join(all, "|") + ")"
}

// virtualHosts are those of a site. Servers that are found by an expression
// have their routes at the head of the last one, "*", because nginx tries
// expressions after all other names.
func (im *importer) virtualHosts(s *site) {
	hosts := im.hosts(s)
	byRegex, without := false, true
	for _, h := range hosts {
		byRegex = byRegex || len(h.regexes) > 0
		without = without && !slices.Contains(h.domains, noHost)
	}
	names := map[string]int{}
	s.of = map[*routev3.VirtualHost]*server{}
	var last *routev3.VirtualHost
	for _, h := range hosts {
		vh := &routev3.VirtualHost{Domains: h.domains}
		isDefault := h.server == s.first
		if isDefault && byRegex && without {
			vh.Domains = append(vh.Domains, noHost)
		}
		if isDefault && !byRegex {
			vh.Domains = append(vh.Domains, "*")
			last = vh
		}
		if len(vh.Domains) == 0 {
			if len(h.regexes) == 0 {
				im.moot(h.d) // all its names are taken: nginx does not reach it either
			}
			continue
		}
		s.of[vh] = h.server
		vh.Name = unique(names, h.title(isDefault))
		vh.Routes = append(im.refused(s), im.routesOf(s, h.server)...)
		im.named(h.server, vh)
		if last != vh {
			s.routes.VirtualHosts = append(s.routes.VirtualHosts, vh)
		}
	}
	if byRegex {
		last = &routev3.VirtualHost{Name: unique(names, "default"), Domains: []string{"*"}, Routes: im.refused(s)}
		s.of[last] = s.first
		im.regexHosts(s, hosts, last)
		last.Routes = append(last.Routes, im.routesOf(s, s.first)...)
		im.exact(s.first.d, at(last, ""))
	}
	if last != nil {
		s.routes.VirtualHosts = append(s.routes.VirtualHosts, last)
	}
}

// regexHosts puts the routes of the servers with expressions at the head.
func (im *importer) regexHosts(s *site, hosts []*host, last *routev3.VirtualHost) {
	for len(hosts) > 0 && (len(hosts[len(hosts)-1].regexes) == 0 || hosts[len(hosts)-1].server == s.first) {
		hosts = hosts[:len(hosts)-1] // the default server takes what is left anyway
	}
	for _, h := range hosts {
		if len(h.regexes) == 0 {
			continue
		}
		re := authority(h.regexes)
		for _, r := range im.routesOf(s, h.server) {
			r.Match.Headers = append([]*routev3.HeaderMatcher{header(":authority", safeRegex(re))}, r.Match.Headers...)
			last.Routes = append(last.Routes, r)
		}
		for _, d := range h.d.Children("server_name") {
			im.exact(d, at(last, "routes"))
		}
		im.exact(h.d, at(last, "routes"))
	}
}

// named links a server and its names to its virtual host.
func (im *importer) named(sv *server, vh *routev3.VirtualHost) {
	im.exact(sv.d, at(vh, ""))
	for _, d := range sv.d.Children("server_name") {
		im.exact(d, at(vh, "domains"))
	}
}

// title is a name for the virtual host: the first that is one.
func (h *host) title(isDefault bool) string {
	for _, n := range h.names {
		if n != "" && n != "_" && !strings.HasPrefix(n, "~") {
			return n
		}
	}
	if isDefault {
		return "default"
	}
	return "server"
}

// unique is the name, with a number where it is taken. taken has the number that
// each name last got.
func unique(taken map[string]int, name string) string {
	out := name
	for taken[out] > 0 {
		taken[name]++
		out = fmt.Sprintf("%s-%d", name, taken[name])
	}
	taken[out] = max(taken[out], 1)
	return out
}
