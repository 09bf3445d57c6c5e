package match

import (
	"fmt"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Target is where the request ends, in words that stay the same as long as it
// ends there: "web ▸ www ▸ foo ▸ app 90, app-v2 10", "redirect 301 https://…",
// "404". Kept requests are compared by it.
func (w Way) Target() string {
	switch w.Action {
	case Forward:
		target := w.Listener + " ▸ " + w.VirtualHost + " ▸ " + w.routeLabel() + " ▸ " + w.clusters()
		if w.Status != 0 {
			target += fmt.Sprintf(" (%d %s)", w.Status, w.Detail)
		}
		return target
	case Redirect:
		return fmt.Sprintf("redirect %d %s", w.Status, w.Location)
	case DirectResponse:
		return fmt.Sprintf("direct response %d", w.Status)
	case NotFound:
		return strconv.Itoa(w.Status)
	case TCPProxy:
		return w.Listener + " ▸ tcp ▸ " + w.clusters()
	case Refused:
		if w.Location != "" {
			return fmt.Sprintf("%d %s", w.Status, w.Location)
		}
		return fmt.Sprintf("%d %s", w.Status, w.Detail)
	case NoListener:
		return "no listener"
	case NoFilterChain:
		return "connection closed"
	}
	return "undecided"
}

// routeLabel names a route by what stays the same when others are put before
// it: its name, else what it matches.
func (w Way) routeLabel() string {
	if w.Route.Name != "" {
		return w.Route.Name
	}
	switch p := w.Entry.GetMatch().GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return "prefix " + p.Prefix
	case *routev3.RouteMatch_Path:
		return "path " + p.Path
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return "prefix " + p.PathSeparatedPrefix
	case *routev3.RouteMatch_SafeRegex:
		return "regex " + p.SafeRegex.GetRegex()
	case *routev3.RouteMatch_ConnectMatcher_:
		return "CONNECT"
	}
	return "route " + w.Route.called()
}

// clusters are the cluster or all of the weighted ones.
func (w Way) clusters() string {
	if len(w.Weighted) == 0 {
		if w.Cluster == "" {
			return "no cluster"
		}
		return w.Cluster
	}
	parts := make([]string, 0, len(w.Weighted))
	for _, c := range w.Weighted {
		name := c.Name
		if name == "" {
			name = "header " + c.Header
		}
		parts = append(parts, name+" "+itoa(c.Weight))
	}
	return strings.Join(parts, ", ")
}
