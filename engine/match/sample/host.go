package sample

import (
	"cmp"
	"slices"
	"strings"

	"example.com/meshtui/engine/match"
)

// maxHosts bounds how many Hosts are tried for one route.
const maxHosts = 8

// Host is a Host that one of a virtual host's domains takes: an exact domain as
// it is, else a concrete one for a wildcard; "localhost" for "*", and where
// there is no domain.
func Host(domains []string) string { return concrete(domains, nil)[0] }

// concrete are Hosts that the domains take, the surest first. Names
// are tried where a domain takes any; there is always one.
func concrete(domains, names []string) []string {
	type one struct {
		host string
		rank int
	}
	var all []one
	add := func(rank int, hosts ...string) {
		for _, h := range hosts {
			all = append(all, one{h, rank})
		}
	}
	for _, d := range domains {
		switch {
		case d == "*" || d == "":
			for _, n := range names {
				add(4, strings.Replace(n, "*", anything, 1))
			}
			add(4, "localhost", anything+".example", "127.0.0.1")
		case strings.HasPrefix(d, "*"):
			add(1, anything+d[1:], anything+"."+anything+d[1:], anything+"-"+anything+d[1:], "x"+d[1:])
		case strings.HasSuffix(d, ":*"):
			add(2, d[:len(d)-1]+"80", d[:len(d)-1]+"443")
		case strings.HasSuffix(d, "*"):
			add(2, d[:len(d)-1]+"com", d[:len(d)-1]+anything, d[:len(d)-1]+"1")
		case hasPort(d) || strings.HasSuffix(d, "."):
			add(3, d) // a connection manager may take off what it ends in
		default:
			add(0, d)
		}
	}
	if len(all) == 0 {
		return []string{"localhost"}
	}
	slices.SortStableFunc(all, func(a, b one) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].host
	}
	return out
}

// hostsOf are Hosts that reach a virtual host, at least one; where none is
// found that does, its domains alone decide.
func (s *Sampler) hostsOf(i int) []string {
	if found := s.hosts[i]; found != nil {
		return found
	}
	all := concrete(s.virtualHost(i).GetDomains(), s.chain.GetFilterChainMatch().GetServerNames())
	found := s.reaching(i, all, false)
	if len(found) == 0 {
		found = all[:1]
	}
	s.hosts[i] = found
	return found
}

// reaching are those of the Hosts, up to maxHosts, that the table gives to a
// virtual host.
func (s *Sampler) reaching(i int, hosts []string, connect bool) []string {
	var out []string
	for _, h := range hosts {
		if len(out) == maxHosts {
			break
		}
		req := match.Request{Path: "/"}
		if connect {
			req = match.Request{Method: "CONNECT"}
		}
		s.aim(&req, h)
		if hit := s.table.Match(seen(&req)); hit.VirtualHost != nil && hit.HostIndex == i {
			out = append(out, h)
		}
	}
	return out
}

// hosts are those to try for the match, the best first; there is always one.
func (d *draft) hosts(i int) []string {
	s, ms := d.sampler, d.named(":authority", "host")
	connect := d.match.GetConnectMatcher() != nil
	if len(ms) == 0 && !connect {
		return s.hostsOf(i)[:1]
	}
	domains := s.virtualHost(i).GetDomains()
	all := concrete(domains, s.chain.GetFilterChainMatch().GetServerNames())
	var asked []string
	if values, _ := headerValues(ms); len(ms) > 0 {
		for _, v := range values {
			asked = append(asked, v)
			for _, dom := range domains[:min(len(domains), maxValues)] {
				if strings.HasPrefix(dom, "*") {
					asked = append(asked, v+dom[1:])
				} else if strings.HasSuffix(dom, "*") {
					asked = append(asked, dom[:len(dom)-1]+v)
				}
			}
		}
		asked = slices.DeleteFunc(asked, func(h string) bool { return h == "" || strings.ContainsAny(h, " /;=?#~,") })
		t := newTrial(onAnyPath(ms))
		all = slices.DeleteFunc(append(all, asked...), func(h string) bool { return !t.takes(match.Request{Host: h, Path: "/"}) })
	}
	if connect {
		all = withPorts(all)
	}
	found := s.reaching(i, all, connect)
	switch {
	case len(found) > 0:
		return found
	case len(all) > 0:
		return all[:1]
	}
	return s.hostsOf(i)[:1]
}

// withPorts gives a port to each Host that has none: a CONNECT names one always.
func withPorts(hosts []string) []string {
	var out []string
	for _, h := range hosts {
		if !hasPort(h) {
			h += ":443"
		}
		out = append(out, h)
	}
	return out
}

func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}
