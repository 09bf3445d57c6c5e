package kept

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// Compare lists the requests that feel the step from the old mesh to the new
// one: they find another target, or are sent there with another Host, path or
// policy (timeout, retries, mirrors …). They come in their order. A route without
// a name that only changed its place is the same target. Not compared are headers
// that are added or removed, and what filters do.
func Compare(old, new *match.Matcher, rs []Request) []Move {
	var out []Move
	for _, r := range rs {
		from, to := old.Match(&r.Ask), new.Match(&r.Ask)
		c := changed(&from, &to)
		if len(c.why) == 0 {
			continue
		}
		m := Move{Request: r, From: from.Target(), To: to.Target(), Why: c.why, Rest: c.rest}
		if m.From == m.To {
			m.Rest = m.Why
		}
		out = append(out, m)
	}
	return out
}

// change is how two ways differ, a sentence each.
type change struct {
	why  []string
	rest []string // those of why that no target tells
}

// told adds a field that the target in words tells.
func (c *change) told(field, was, is string) bool {
	if was == is {
		return false
	}
	c.why = append(c.why, fmt.Sprintf("%s: %s → %s", field, shown(was), shown(is)))
	return true
}

// untold adds a field that it does not tell, worth a word where the two ways end
// alike.
func (c *change) untold(alike bool, field, was, is string) {
	if c.told(field, was, is) && alike {
		c.rest = append(c.rest, c.why[len(c.why)-1])
	}
}

// changed names each field in which two ways lead to another target. By what name
// the listener goes, a client does not notice.
func changed(from, to *match.Way) change {
	a, b := foundBy(*from), foundBy(*to)
	alike := a.Action == b.Action
	var c change
	c.told("action", a.Action, b.Action)
	c.told("virtual host", a.VirtualHost, b.VirtualHost)
	if from.Route.Name != "" || to.Route.Name != "" {
		c.told("route", a.Route, b.Route)
	}
	if !sameClusters(a.Cluster, b.Cluster) {
		c.told("cluster", a.Cluster, b.Cluster)
	}
	c.fates(from, to)
	c.untold(alike, "host", a.Host, b.Host)
	c.untold(alike, "path", a.Path, b.Path)
	c.told("status", number(a.Status), number(b.Status))
	c.told("location", a.Location, b.Location)
	if alike && from.Action == match.Forward {
		c.settings(from.Settings, to.Settings) // its body is said by the fate
	} else {
		c.untold(alike, "body", from.Body, to.Body)
	}
	return c
}

// fates adds the clusters that can answer on one side only, or fail otherwise.
func (c *change) fates(from, to *match.Way) {
	var names []string
	for _, f := range append(slices.Clone(from.Fates), to.Fates...) {
		if !slices.Contains(names, f.Cluster) {
			names = append(names, f.Cluster)
		}
	}
	for _, name := range names {
		called := name
		if !strings.HasPrefix(name, "header ") && name != "no cluster" {
			called = "cluster " + name
		}
		c.told(called, fateIn(from, name), fateIn(to, name))
	}
}

// fateIn is what becomes of what a way sends to a cluster; "" where it sends
// nothing there.
func fateIn(w *match.Way, cluster string) string {
	for _, f := range w.Fates {
		if f.Cluster == cluster {
			return f.String()
		}
	}
	if w.Cluster == cluster || slices.ContainsFunc(w.Weighted, func(c routes.Weighted) bool { return c.Name == cluster && c.Weight > 0 }) {
		return "can answer"
	}
	return ""
}

// settings adds the policies in force that differ. From which level a policy
// comes, a request does not feel.
func (c *change) settings(was, is []routes.Setting) {
	same := func(a, b routes.Setting) bool { return a.Name == b.Name && a.Value == b.Value }
	if slices.EqualFunc(was, is, same) {
		return
	}
	var names []string
	for _, s := range append(slices.Clone(was), is...) {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		c.untold(true, name, valueIn(was, name), valueIn(is, name))
	}
}

// valueIn is the value of a setting: all of them, where there are several of the
// name, in their order; "" where there is none.
func valueIn(all []routes.Setting, name string) string {
	var out []string
	for _, s := range all {
		if s.Name == name {
			out = append(out, s.Value)
		}
	}
	return strings.Join(out, ", ")
}
