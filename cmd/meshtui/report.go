package main

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// reportJSON is the answer of `match --json`.
type reportJSON struct {
	wayJSON
	Losers []loserJSON `json:"losers"`
	Nginx  *nginxJSON  `json:"nginx,omitempty"` // what nginx itself does, where an nginx.conf was asked
}

// wayJSON is the way that a request takes. What does not apply is left out.
type wayJSON struct {
	Listener         string         `json:"listener,omitempty"`
	FilterChain      string         `json:"filter_chain,omitempty"`
	VirtualHost      string         `json:"virtual_host,omitempty"`
	Domain           string         `json:"domain,omitempty"`
	Route            *routeJSON     `json:"route,omitempty"`
	Action           match.Action   `json:"action"`
	Cluster          string         `json:"cluster,omitempty"`
	WeightedClusters []weightedJSON `json:"weighted_clusters,omitempty"`
	Host             string         `json:"host,omitempty"`
	Path             string         `json:"path,omitempty"`
	Status           int            `json:"status,omitempty"`
	Location         string         `json:"location,omitempty"`
	Detail           string         `json:"detail,omitempty"` // Envoy's response_code_details, where it answers itself
	Reason           string         `json:"reason,omitempty"`
	Settings         []settingJSON  `json:"settings,omitempty"`
	Caveats          []string       `json:"caveats"`
}

// routeJSON is a route; File and Line are where it stands.
type routeJSON struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

// weightedJSON is a weighted cluster. Reason is there where it certainly cannot
// answer: then Status is answered instead, or with none the connection is closed.
type weightedJSON struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type settingJSON struct {
	Name  string       `json:"name"`
	Value string       `json:"value"`
	Level routes.Level `json:"level"`
}

// loserJSON is a virtual host (then route is null) or a route that did not
// take the request.
type loserJSON struct {
	VirtualHost string     `json:"virtual_host"`
	Route       *routeJSON `json:"route"`
	Reason      string     `json:"reason"`
	Next        bool       `json:"next,omitempty"` // it would take the request if the winner were not there
}

func reportOf(e match.Explanation, at *places) reportJSON {
	out := reportJSON{wayJSON: wayOf(e.Way), Losers: []loserJSON{}}
	for _, s := range e.Steps {
		if s.Kind == "route" && out.Route != nil {
			out.Route.File, out.Route.Line = at.of(s.Key, s.Path)
		}
	}
	for _, l := range e.Losers {
		j := loserJSON{VirtualHost: l.VirtualHost, Reason: l.Reason, Next: l.Next}
		if l.HasRoute {
			j.Route = &routeJSON{Index: l.Route.Index, Name: l.Route.Name}
			j.Route.File, j.Route.Line = at.of(l.Key, l.Path)
		}
		out.Losers = append(out.Losers, j)
	}
	return out
}

func wayOf(w match.Way) wayJSON {
	out := wayJSON{Listener: w.Listener, FilterChain: w.FilterChain, VirtualHost: w.VirtualHost, Domain: w.Domain,
		Action: w.Action, Cluster: w.Cluster, Host: w.Host, Path: w.Path, Status: w.Status, Location: w.Location,
		Detail: w.Detail, Reason: w.Reason, Caveats: orEmpty(w.Caveats)}
	if w.Matched {
		out.Route = &routeJSON{Index: w.Route.Index, Name: w.Route.Name}
	}
	for _, c := range w.Weighted {
		f, _ := w.FateOf(c)
		out.WeightedClusters = append(out.WeightedClusters, weightedJSON{Name: weightedName(c), Weight: c.Weight, Status: f.Status, Reason: f.Why})
	}
	for _, s := range w.Settings {
		out.Settings = append(out.Settings, settingJSON{Name: s.Name, Value: s.Value, Level: s.Level})
	}
	return out
}

// weightedName is the cluster's name, or which header names it.
func weightedName(c routes.Weighted) string {
	if c.Name == "" && c.Header != "" {
		return "header " + c.Header
	}
	return c.Name
}

// orEmpty makes a list that JSON shows as [] and not as null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// explained is the answer for people.
func explained(r match.Request, e match.Explanation, at *places) string {
	var b strings.Builder
	say := func(format string, a ...any) {
		fmt.Fprintln(&b, strings.TrimRight(printable(fmt.Sprintf(format, a...)), " "))
	}
	row := func(what, name, why string) { say("  %-20s %-24s %s", what, name, why) }
	say("%s %s%s", r.Method, r.Host, r.Path)
	for _, s := range e.Steps {
		row(s.Kind, s.Name, s.Why+in(at.short(s.Key, s.Path)))
	}
	say("")
	row(answer(e.Way))
	for _, s := range e.Settings {
		row(s.Name, s.Value, "("+string(s.Level)+")")
	}
	if len(e.Losers) > 0 {
		say("")
		say("  why not")
	}
	byItself := 0
	for _, l := range e.Losers {
		if strings.HasPrefix(l.Route.Name, "nginx: ") && !l.Next {
			byItself++
			continue
		}
		say("    %-28s %s%s%s", loserName(l), l.Reason, next(l), in(at.short(l.Key, l.Path)))
	}
	if byItself > 0 {
		say("    and %d that stand for what nginx refuses or redirects by itself (--json has them)", byItself)
	}
	if len(e.Caveats) > 0 {
		say("")
		say("  not known here")
	}
	for _, c := range e.Caveats {
		say("    %s", c)
	}
	return b.String()
}

// in is a place behind a sentence.
func in(place string) string {
	if place == "" {
		return ""
	}
	return "  [" + place + "]"
}

// answer is what comes of the request, as a row.
func answer(w match.Way) (what, name, why string) {
	switch w.Action {
	case match.Forward:
		if w.Status != 0 {
			return "answer", fmt.Sprint(w.Status), w.Reason
		}
		return "sent upstream", w.Host + w.Path, shares(w)
	case match.Redirect:
		return "redirect", fmt.Sprint(w.Status), w.Location
	case match.TCPProxy:
		return "tcp proxy", w.Cluster, cmp.Or(w.Reason, shares(w))
	case match.NoListener, match.NoFilterChain, match.Undecided:
		return strings.ReplaceAll(string(w.Action), "_", " "), "", w.Reason
	}
	return "answer", fmt.Sprint(w.Status), w.Reason
}

// shares is how a weighted route divides its requests, with what becomes of a
// share that cannot be answered; "" where the cluster is known.
func shares(w match.Way) string {
	if w.Cluster != "" {
		return ""
	}
	var parts []string
	for _, c := range w.Weighted {
		part := fmt.Sprintf("%s %d", weightedName(c), c.Weight)
		if f, doomed := w.FateOf(c); doomed {
			part += " (" + f.String() + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return "to " + strings.Join(parts, ", ")
}

func loserName(l match.Loser) string {
	if !l.HasRoute {
		return l.VirtualHost
	}
	name := fmt.Sprintf("%s route %d", l.VirtualHost, l.Route.Index)
	if l.Route.Name != "" {
		name += " " + l.Route.Name
	}
	return name
}

func next(l match.Loser) string {
	if l.Next {
		return " (the next in line)"
	}
	return ""
}
