package matchtest

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// hostOverride is the header that takes the Host's place where a table has a
// vhost_header.
const hostOverride = "x-host-override"

// table is a route configuration of a few virtual hosts.
func (m *maker) table() *routev3.RouteConfiguration {
	t := &routev3.RouteConfiguration{
		Name: "table", ValidateClusters: boolean(false),
		IgnorePortInHostMatching:           m.may("ignore_port_in_host_matching", 35),
		IgnorePathParametersInPathMatching: m.may("ignore_path_parameters", 20),
	}
	if m.may("vhost_header", 5) {
		t.VhostHeader = hostOverride
	}
	for i := range 1 + m.IntN(5) {
		if vh := m.virtualHost(fmt.Sprintf("v%d", i)); vh != nil {
			t.VirtualHosts = append(t.VirtualHosts, vh)
		}
	}
	if !m.taken["*"] && m.chance(35) {
		m.taken["*"] = true
		t.VirtualHosts = append(t.VirtualHosts, m.filled("all", "*"))
	}
	if len(t.VirtualHosts) == 0 {
		t.VirtualHosts = append(t.VirtualHosts, m.filled("only", "a.com"))
	}
	return t
}

// virtualHost is nil when every domain drawn for it is taken.
func (m *maker) virtualHost(name string) *routev3.VirtualHost {
	var domains []string
	for range 1 + m.IntN(3) {
		d := m.domain()
		if lower := strings.ToLower(d); !m.taken[lower] {
			m.taken[lower] = true
			domains = append(domains, d)
		}
	}
	if len(domains) == 0 {
		return nil
	}
	return m.filled(name, domains...)
}

// domain is one of all the kinds.
func (m *maker) domain() string {
	host := pick(m, hostWords...)
	dot := strings.Index(host, ".")
	switch n := m.IntN(20); {
	case n < 7:
		return host
	case n < 8:
		return flipCase(m.Rand, host)
	case n < 9:
		return fmt.Sprintf("%s:%d", host, pick(m, m.o.Port, 8080, 80))
	case n < 10:
		return host + "."
	case n < 14:
		return "*" + host[m.IntN(len(host)):]
	case n < 16 && dot >= 0:
		return "*" + host[dot:]
	case n < 19:
		return host[:1+m.IntN(len(host)-1)] + "*"
	default:
		return "*"
	}
}

func (m *maker) filled(name string, domains ...string) *routev3.VirtualHost {
	vh := &routev3.VirtualHost{Name: name, Domains: domains, ResponseHeadersToAdd: []*corev3.HeaderValueOption{put(vhostHeader, name)}}
	if m.may("require_tls", 6) {
		vh.RequireTls = pick(m, routev3.VirtualHost_EXTERNAL_ONLY, routev3.VirtualHost_ALL)
	}
	for range 1 + m.IntN(6) {
		vh.Routes = append(vh.Routes, m.route(m.match()))
	}
	if m.chance(45) {
		vh.Routes = append(vh.Routes, m.route(&routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}))
	}
	return vh
}

// route gives a match a name and an action that fits it.
func (m *maker) route(match *routev3.RouteMatch) *routev3.Route {
	name := fmt.Sprintf("r%d", m.serial)
	m.serial++
	r := &routev3.Route{Name: name, Match: match, ResponseHeadersToAdd: []*corev3.HeaderValueOption{put(routeHeader, name)}}
	switch n := m.IntN(20); {
	case n < 13:
		r.Action = &routev3.Route_Route{Route: m.forward(match)}
	case n < 17:
		r.Action = &routev3.Route_Redirect{Redirect: m.redirect(match)}
	default:
		r.Action = &routev3.Route_DirectResponse{DirectResponse: m.direct()}
	}
	return r
}
