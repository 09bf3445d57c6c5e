package check

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// noVirtualHost reports route configurations that answer everything with 404.
func noVirtualHost(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		if len(rc.GetVirtualHosts()) == 0 && rc.GetVhds() == nil {
			c.report(mesh.Warning, n.key, n.at("virtual_hosts"),
				"this route configuration has no virtual host, and Envoy answers every request with 404", "add one")
		}
	})
	each(c, func(n node, vh *routev3.VirtualHost) {
		if len(vh.GetRoutes()) == 0 && vh.GetMatcher() == nil {
			c.report(mesh.Note, n.key, n.path, fmt.Sprintf(
				"virtual host %q has no routes, and Envoy answers its requests with 404", vh.GetName()), "")
		}
	})
}

// duplicateDomain reports domains that two virtual hosts want, or one wants
// twice. Envoy compares them without regard to case.
func duplicateDomain(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		first := map[string]string{}
		look := func(k mesh.Key, at string, vh *routev3.VirtualHost) {
			for j, d := range vh.GetDomains() {
				other, taken := first[strings.ToLower(d)]
				if !taken {
					first[strings.ToLower(d)] = vh.GetName()
					continue
				}
				c.report(mesh.Error, k, text.Item(text.Field(at, "domains"), j),
					fmt.Sprintf("domain %q stands in virtual host %q already", d, other),
					"remove one of them: Envoy rejects a route configuration that has a domain twice")
			}
		}
		for i, vh := range rc.GetVirtualHosts() {
			look(n.key, n.item("virtual_hosts", i), vh)
		}
		if rc.GetVhds() != nil {
			for _, r := range c.joined(rc.GetName()) {
				look(r.Key, "", r.Message.(*routev3.VirtualHost))
			}
		}
	})
}

// duplicateVirtualHost notes virtual hosts of one name, whose statistics
// cannot be told apart.
func duplicateVirtualHost(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		seen := map[string]bool{}
		for i, vh := range rc.GetVirtualHosts() {
			if seen[vh.GetName()] {
				c.report(mesh.Note, n.key, text.Field(n.item("virtual_hosts", i), "name"),
					fmt.Sprintf("two virtual hosts are called %q", vh.GetName()),
					"Envoy takes both and counts them as one in its statistics")
			}
			seen[vh.GetName()] = true
		}
	})
}

// domainPattern reports domains with a wildcard that Envoy does not read as one.
func domainPattern(c *checker) {
	each(c, func(n node, vh *routev3.VirtualHost) {
		for i, d := range vh.GetDomains() {
			if strings.Count(d, "*") > 1 || strings.Contains(strings.Trim(d, "*"), "*") {
				c.report(mesh.Warning, n.key, n.item("domains", i),
					fmt.Sprintf("domain %q matches no host name: Envoy knows one wildcard, at the beginning or at the end", d),
					"write *.example.com or example.*")
			}
		}
	})
}

// domainPort reports domains with a port, which match other requests than most
// people expect.
func domainPort(c *checker) {
	stripped := c.strippedPorts()
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		ignored := rc.GetIgnorePortInHostMatching() || stripped[place{n.key, n.path}]
		for i, vh := range rc.GetVirtualHosts() {
			for j, d := range vh.GetDomains() {
				cut := rc.GetIgnorePortInHostMatching() && routes.WithoutPort(d) != d
				if !hasPort(d) && !cut {
					continue
				}
				at := text.Item(text.Field(n.item("virtual_hosts", i), "domains"), j)
				if ignored {
					c.report(mesh.Warning, n.key, at,
						fmt.Sprintf("domain %q never matches: the port is taken off a request's Host before it is compared", d),
						"write the domain without its port")
				} else {
					c.report(mesh.Note, n.key, at,
						fmt.Sprintf("domain %q matches only requests whose Host names that port", d),
						"to match any port, set ignore_port_in_host_matching and write the domain without it")
				}
			}
		}
	})
}

// hostLetters are what the Host of a request can hold; Envoy answers any other
// with 400.
const hostLetters = "!$%&'()*+,-.0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"

// domainHost reports domains that no client can send as a Host.
func domainHost(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		if rc.GetVhostHeader() != "" {
			return // what that header says need not be a host
		}
		for i, vh := range rc.GetVirtualHosts() {
			for j, d := range vh.GetDomains() {
				if message, hint := notHost(d); message != "" {
					c.report(mesh.Warning, n.key, text.Item(text.Field(n.item("virtual_hosts", i), "domains"), j),
						fmt.Sprintf("domain %q matches no request: %s", d, message), hint)
				}
			}
		}
	})
}

// notHost says why no request has such a Host, "" when one may.
func notHost(domain string) (message, hint string) {
	if _, rest, ok := strings.Cut(domain, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return "a Host has no scheme", fmt.Sprintf("write %q", host)
	}
	if host, _, ok := strings.Cut(domain, "/"); ok {
		return "a Host has no path", fmt.Sprintf("write %q, and match the path in the routes", host)
	}
	for _, r := range domain {
		if !strings.ContainsRune(hostLetters, r) {
			return fmt.Sprintf("a Host cannot hold %q, and Envoy answers such a request with 400", r),
				"write the name as a client sends it; one in other letters is sent in Punycode (xn--…)"
		}
	}
	return "", ""
}

// hasPort reports whether a domain ends in a port: "a.test:80", "[::1]:80",
// but not "::1".
func hasPort(domain string) bool {
	i := strings.LastIndexByte(domain, ':')
	if i <= 0 || i == len(domain)-1 || digits(domain[i+1:]) < len(domain)-i-1 {
		return false
	}
	host := domain[:i]
	return !strings.Contains(host, ":") || strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
}

// strippedPorts finds the route configurations that are only reached through
// connection managers which take every port off the Host header.
func (c *checker) strippedPorts() map[place]bool {
	strips := map[place]bool{}
	each(c, func(n node, m *hcmv3.HttpConnectionManager) {
		at := place{n.key, n.at("route_config")}
		if m.GetRds() != nil {
			at = place{key: mesh.Key{Type: mesh.Route, Name: m.GetRds().GetRouteConfigName()}}
		}
		before, known := strips[at]
		strips[at] = m.GetStripAnyHostPort() && (before || !known)
	})
	return strips
}

// clusterWeights reports weighted clusters that Envoy rejects.
func clusterWeights(c *checker) {
	each(c, func(n node, m *routev3.WeightedCluster) {
		var sum uint64
		missing := false
		for i, w := range m.GetClusters() {
			at := n.item("clusters", i)
			if w.GetWeight() == nil {
				missing = true
				c.report(mesh.Error, n.key, at, fmt.Sprintf("cluster %q has no weight", w.GetName()),
					"write its weight; weight: 0 sends it nothing")
			}
			if w.GetName() == "" && w.GetClusterHeader() == "" {
				c.report(mesh.Error, n.key, at, "this weighted cluster has no name", "write the name of a cluster")
			}
			sum += uint64(w.GetWeight().GetValue())
		}
		if len(m.GetClusters()) > 0 && sum == 0 && !missing {
			c.report(mesh.Error, n.key, n.at("clusters"), "the weights of these clusters sum to 0, and Envoy rejects that",
				"give at least one a weight above 0")
		}
	})
}

// routePath reports paths that no request has.
func routePath(c *checker) {
	each(c, func(n node, m *routev3.RouteMatch) {
		field, path := "", ""
		switch p := m.GetPathSpecifier().(type) {
		case *routev3.RouteMatch_Prefix:
			field, path = "prefix", p.Prefix
		case *routev3.RouteMatch_Path:
			field, path = "path", p.Path
		case *routev3.RouteMatch_PathSeparatedPrefix:
			field, path = "path_separated_prefix", p.PathSeparatedPrefix
		default:
			return
		}
		switch {
		case field == "prefix" && path == "":
		case path == "*" && field == "path": // OPTIONS *
		case !strings.HasPrefix(path, "/"):
			c.report(mesh.Warning, n.key, n.at(field),
				fmt.Sprintf("no request matches %s %q: the path of a request begins with a slash", field, path),
				fmt.Sprintf("write %q", "/"+path))
		case strings.ContainsAny(path, "?#"):
			c.report(mesh.Warning, n.key, n.at(field),
				fmt.Sprintf("no request matches %s %q: Envoy compares the path without its query", field, path),
				"match the query with query_parameters")
		}
	})
}

// routeTimeout notes, once for each route configuration, that Envoy's default
// is not what people who come from nginx are used to.
func routeTimeout(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		first, count := "", 0
		for i, vh := range rc.GetVirtualHosts() {
			for j, r := range vh.GetRoutes() {
				if r.GetRoute() == nil || r.GetRoute().GetTimeout() != nil {
					continue
				}
				if count++; count == 1 {
					first = text.Field(text.Item(text.Field(n.item("virtual_hosts", i), "routes"), j), "route")
				}
			}
		}
		if count > 0 {
			c.report(mesh.Note, n.key, first,
				fmt.Sprintf("%s no timeout, so a response must be complete within 15 s", oneOrMore(count, "route sets", "routes set")),
				"set timeout: 0s for streams and long answers; nginx by default allows 60 s of silence, however long it all takes")
		}
	})
}

// oneOrMore is "1 route sets" or "3 routes set".
func oneOrMore(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// retryWithoutReason notes retry policies that never retry.
func retryWithoutReason(c *checker) {
	each(c, func(n node, m *routev3.RetryPolicy) {
		if m.GetRetryOn() == "" && len(m.GetRetriableStatusCodes()) == 0 {
			c.report(mesh.Note, n.key, n.path, "this retry policy has no retry_on, and so retries nothing by itself",
				"set retry_on: 5xx or the like; without it only a request's own x-envoy-retry-on header asks for retries")
		}
	})
}
