package mark

import (
	"strings"
	"time"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/xds/envoy"
)

// Endpoint is how one endpoint stands over the nodes that know it.
type Endpoint struct {
	Health envoy.Health
	Why    string
	Since  time.Time
	Nodes  int // how many nodes know it
	Count  int // how many see it in Health
	Stale  bool
	Known  bool // false when no node has told anything of it

	Requests, Errors uint64 // summed over the nodes
}

// Add takes in what one node says of the endpoint; the worst health is kept.
func (e *Endpoint) Add(n *envoy.Endpoint, stale bool) {
	e.Nodes++
	e.Stale = e.Stale || stale
	e.Requests += n.Requests
	e.Errors += n.Errors
	switch {
	case !e.Known || n.Health > e.Health:
		e.Known, e.Health, e.Why, e.Since, e.Count = true, n.Health, n.Why, n.Since, 1
	case n.Health == e.Health:
		e.Count++
		if n.Since.Before(e.Since) {
			e.Since = n.Since
		}
	}
}

// Word is the endpoint's state in a word or two, at most 15 cells.
func (e Endpoint) Word() string {
	switch e.Health {
	case envoy.CheckFailed:
		if strings.Contains(strings.ToLower(e.Why), "refused") {
			return "refused"
		}
		return "check fails"
	case envoy.CheckTimeout:
		return "timing out"
	case envoy.NotChecked:
		return "not checked"
	case envoy.EDSUnhealthy:
		return "unhealthy (EDS)"
	case envoy.EDSTimeout:
		return "timeout (EDS)"
	}
	return e.Health.String()
}

// Draw is the glyph and style of an endpoint's health.
func Draw(h envoy.Health, t *theme.Theme) (string, theme.Style) {
	switch h {
	case envoy.Healthy:
		return t.Glyph.Healthy, t.Good
	case envoy.Degraded:
		return t.Glyph.Degraded, t.Warn
	case envoy.NotChecked:
		return t.Glyph.Unchecked, t.Dim
	case envoy.Draining, envoy.RemovalPending:
		return t.Glyph.Draining, t.Warn
	case envoy.Ejected:
		return t.Glyph.Ejected, t.Bad
	case envoy.HealthUnknown:
		return t.Glyph.Unknown, t.Dim
	}
	return t.Glyph.Ill, t.Bad
}
