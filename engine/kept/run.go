package kept

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// Run asks each request and compares what it finds with what it expects.
func Run(m *match.Matcher, rs []Request) []Result {
	out := make([]Result, 0, len(rs))
	for _, r := range rs {
		w := m.Match(&r.Ask)
		out = append(out, Result{Request: r, Way: w, Differs: differs(r.Expect, w)})
	}
	return out
}

// Of is a request to keep, which expects what it finds now. Its name says what
// is asked. The place of a route without a name is not expected: it changes with
// every route that is put before it. Nor is it expected that a share of the
// requests fails, or a connection: what is kept so is not as expected until that
// is mended.
func Of(r match.Request, w match.Way) Request {
	f := foundBy(w)
	return Request{Name: nameOf(r), Ask: r, Expect: Expect{
		Action: f.Action, VirtualHost: f.VirtualHost, Route: w.Route.Name,
		Cluster: f.Cluster, Status: f.Status, Location: f.Location,
	}}
}

// foundBy is all that a way says that can be expected.
func foundBy(w match.Way) Expect {
	e := Expect{
		Action: string(w.Action), Listener: w.Listener, VirtualHost: w.VirtualHost, Cluster: w.Cluster,
		Host: w.Host, Path: w.Path, Status: w.Status, Location: w.Location,
	}
	if w.Matched {
		e.Route = w.Route.Name
		if e.Route == "" {
			e.Route = strconv.Itoa(w.Route.Index)
		}
	}
	if e.Cluster == "" && len(w.Weighted) > 0 {
		e.Cluster = weights(w.Weighted)
	}
	return e
}

// weights are weighted clusters as an expectation has them: "app=90,app-v2=10".
func weights(all []routes.Weighted) string {
	var out []string
	for _, w := range all {
		name := w.Name
		if name == "" {
			name = "{" + w.Header + "}"
		}
		out = append(out, fmt.Sprintf("%s=%d", name, w.Weight))
	}
	return strings.Join(out, ",")
}

// failing names the clusters of the way that cannot answer, where a cluster was
// expected to: one that is named, or that of a route or of a TCP proxy. Where a
// status is expected, that one says it.
func failing(e Expect, w match.Way) []string {
	passed := e.Action == string(match.Forward) || e.Action == string(match.TCPProxy)
	if e.Status != 0 || e.Cluster == "" && !passed || e.Action != "" && e.Action != string(w.Action) {
		return nil
	}
	var out []string
	for _, f := range w.Fates {
		if f.Status == 0 {
			out = append(out, f.Why+": its connections are closed")
		} else {
			out = append(out, fmt.Sprintf("%s: its requests are answered %d", f.Why, f.Status))
		}
	}
	return out
}

// differs compares what is expected with what was found, a sentence each.
func differs(e Expect, w match.Way) []string {
	f := foundBy(w)
	var out []string
	add := func(field, expected, found string, same bool) {
		if expected != "" && !same {
			out = append(out, fmt.Sprintf("%s: expected %s, found %s", field, expected, shown(found)))
		}
	}
	text := func(field, expected, found string) { add(field, expected, found, expected == found) }
	text("action", e.Action, f.Action)
	text("listener", e.Listener, f.Listener)
	text("virtual_host", e.VirtualHost, f.VirtualHost)
	add("route", e.Route, f.Route, e.Route == f.Route || w.Matched && e.Route == strconv.Itoa(w.Route.Index))
	found := f.Cluster
	if strings.Contains(e.Cluster, "=") && len(w.Weighted) > 0 {
		found = weights(w.Weighted) // also where a random value has chosen one
	}
	add("cluster", e.Cluster, found, sameClusters(e.Cluster, found))
	text("host", e.Host, f.Host)
	text("path", e.Path, f.Path)
	if e.Status != 0 {
		add("status", strconv.Itoa(e.Status), number(f.Status), e.Status == f.Status)
	}
	text("location", e.Location, f.Location)
	out = append(out, failing(e, w)...)
	if len(out) > 0 && w.Reason != "" && len(w.Fates) == 0 && string(w.Action) != e.Action { // a fate says it already
		out = append(out, w.Reason)
	}
	return out
}

// sameClusters compares clusters; the order of weighted ones does not count.
func sameClusters(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.Contains(a, "=") || !strings.Contains(b, "=") {
		return false
	}
	return maps.Equal(shares(a), shares(b))
}

func shares(s string) map[string]uint64 {
	out := map[string]uint64{}
	for _, part := range strings.Split(s, ",") {
		i := strings.LastIndexByte(part, '=')
		if i < 0 {
			out[strings.TrimSpace(part)]++
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(part[i+1:]), 10, 64)
		if err != nil {
			out[part]++ // compares as a text
			continue
		}
		out[strings.TrimSpace(part[:i])] += n
	}
	return out
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// shownLength is how much of a value is shown.
const shownLength = 120

func shown(s string) string {
	if s == "" {
		return "none"
	}
	if r := []rune(s); len(r) > shownLength {
		return string(r[:shownLength]) + "…"
	}
	return s
}
