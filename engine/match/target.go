package match

import (
	"fmt"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match/routes"
)

// Target is where the request ends, in words that stay the same as long as it
// ends there: "web ▸ www ▸ foo ▸ app 90, app-v2 10", "redirect 301 https://…",
// "404". A cluster that cannot answer has its fate behind it: "app-v2 10 (not in
// the mesh: 503)". Kept requests are compared by it.
func (w Way) Target() string {
	switch w.Action {
	case Forward:
		target := w.Listener + " ▸ " + w.VirtualHost + " ▸ " + w.routeLabel() + " ▸ " + w.clusters()
		if w.Status != 0 && len(w.Fates) == 0 {
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

// clusters are the cluster or all of the weighted ones, each with its fate.
func (w Way) clusters() string {
	if len(w.Weighted) == 0 {
		switch {
		case w.Cluster == "" && len(w.Fates) > 0:
			return fmt.Sprintf("no cluster (%s: %s)", w.Fates[0].reason(), w.Fates[0].answer())
		case w.Cluster == "":
			return "no cluster"
		case len(w.Fates) > 0:
			return w.Cluster + " (" + w.Fates[0].String() + ")"
		}
		return w.Cluster
	}
	parts := make([]string, 0, len(w.Weighted))
	for _, c := range w.Weighted {
		name := c.Name
		f, doomed := w.FateOf(c)
		if name == "" {
			name = "header " + c.Header
		}
		name += " " + itoa(c.Weight)
		if doomed {
			name += " (" + f.String() + ")"
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, ", ")
}

// FateOf is the fate of a weighted cluster of the way; doomed is false where the
// cluster may answer, and where a random value that is known leaves it aside.
func (w Way) FateOf(c routes.Weighted) (f Fate, doomed bool) {
	name := c.Name
	if name == "" {
		name = "header " + c.Header
	}
	for _, f := range w.Fates {
		if f.Cluster == name && c.Weight > 0 {
			return f, true
		}
	}
	return Fate{}, false
}

// String is the fate in few words, to stand behind the cluster's name: "not in
// the mesh: 503", "no endpoint that takes requests: closed".
func (f Fate) String() string {
	why := strings.TrimPrefix(strings.TrimPrefix(f.reason(), "cluster "), f.Cluster+" ")
	why = strings.TrimPrefix(strings.TrimPrefix(why, "is "), "has ")
	return why + ": " + f.answer()
}

// reason is why the cluster cannot answer, without what explains it.
func (f Fate) reason() string {
	why, _, _ := strings.Cut(f.Why, ", and ")
	return why
}

// answer is what the client gets: the status, or a closed connection.
func (f Fate) answer() string {
	if f.Status == 0 {
		return "closed"
	}
	return strconv.Itoa(f.Status)
}
