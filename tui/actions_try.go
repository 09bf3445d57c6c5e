package tui

import (
	tea "github.com/charmbracelet/bubbletea"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
)

func tryActions() []*Action {
	const group = "Try a request"
	return []*Action{
		{ID: "try", Title: "try a request: the way it takes and why, then really send it", Short: "try a request", Group: group, Keys: []string{"t"},
			In: InMain, Run: (*App).openTry},
		{ID: "send", Title: "send the request, and compare", Short: "send", Group: group, Keys: []string{"enter"}, In: InTry,
			Enabled: canSend, Run: (*App).send},
		{ID: "field-next", Title: "the next field, then the reasons", Short: "field", Group: group, Keys: []string{"tab"}, In: InTry,
			Run: func(a *App) tea.Cmd { a.try.step(1); return nil }},
		{ID: "field-previous", Title: "the field before", Group: group, Keys: []string{"shift+tab"}, In: InTry,
			Run: func(a *App) tea.Cmd { a.try.step(-1); return nil }},
		{ID: "world", Title: "what nginx would do and why, or Envoy", Short: "nginx", Group: group, Keys: []string{"ctrl+n"}, In: InTry,
			Enabled: canCompare, Run: (*App).turnWorld},
		{ID: "keep", Title: "keep the request, with what it is expected to find", Short: "keep", Group: group, Keys: []string{"ctrl+s"}, In: InTry,
			Enabled: canKeep, Run: (*App).askKeep},
		{ID: "kept", Title: "the requests that are kept: which find what they should", Short: "kept", Group: group, Keys: []string{"ctrl+o"},
			In: InTry | InMain, Hidden: func(a *App) bool { return a.context() != InTry }, Run: (*App).openKept},
		{ID: "route-show", Title: "go to the request's route in the panes, or to nginx's line", Short: "its route", Group: group, Keys: []string{"ctrl+g"}, In: InTry,
			Run: (*App).showRoute},
		{ID: "curl", Title: "copy the request as a curl command", Short: "curl", Group: group, Keys: []string{"ctrl+y"}, In: InTry, Run: (*App).copyCurl},
		{ID: "live", Title: "predict on the live mesh, or on the draft", Short: "live or draft", Group: group, Keys: []string{"ctrl+t"}, In: InTry,
			Enabled: canTurn, Hidden: func(a *App) bool { ok, _ := canTurn(a); return !ok }, Run: func(a *App) tea.Cmd { a.try.live = !a.try.live; return nil }},
	}
}

func canTurn(a *App) (bool, string) {
	return a.data.draftWays != a.data.liveWays || a.try.live, "the draft is what is live"
}

// sampleAt is a request that the row's route would take; ok is false where the
// row has no route.
func (a *App) sampleAt(r *outline.Row) (req match.Request, ok bool) {
	if r.Kind != outline.RouteRow && r.Kind != outline.WeightRow && r.Kind != outline.VirtualHostRow {
		return match.Request{}, false
	}
	host, route := placeInConfig(r.Path)
	config := a.routesAt(r.Key, r.Path)
	hosts := config.GetVirtualHosts()
	if host < 0 || host >= len(hosts) {
		return match.Request{}, false
	}
	listener, chain := a.leadsTo(r)
	s := sample.New(chain, config)
	switch {
	case route < 0 || route >= len(hosts[host].GetRoutes()):
		req = s.VirtualHost(host)
	case r.Kind == outline.WeightRow:
		req = s.Weighted(host, route, indexOf(r.Path, "clusters["))
	default:
		req = s.Route(host, route)
	}
	req.Listener = listener
	return req, true
}

// routesAt is the route configuration that a row stands in: a resource, or
// inline in a listener.
func (a *App) routesAt(k mesh.Key, path string) *routev3.RouteConfiguration {
	switch m := a.message(k).(type) {
	case *routev3.RouteConfiguration:
		return m
	case *listenerv3.Listener:
		return outline.InlineRoutes(m, path)
	}
	return nil
}

func (a *App) message(k mesh.Key) proto.Message {
	if res := a.data.resource(k); res != nil {
		return res.Message
	}
	return nil
}

// leadsTo is the listener, and its filter chain, by which a request comes to a
// row's route; "" and nil where none does.
func (a *App) leadsTo(r *outline.Row) (listener string, chain *listenerv3.FilterChain) {
	at := selection{r.Key, r.Path}
	if r.Key.Type != mesh.Listener {
		at = selection{}
		for _, ref := range a.data.outline.UsedBy(r.Key) {
			if ref.From.Type == mesh.Listener {
				at = selection{ref.From, ref.Path}
				break
			}
		}
	}
	if l, ok := a.message(at.key).(*listenerv3.Listener); ok {
		return at.key.Name, outline.Chain(l, at.path)
	}
	return "", nil
}
