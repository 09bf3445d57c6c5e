package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/outline"
)

// askRemove removes an endpoint at once (u takes it back), and asks before it
// deletes a resource that others name.
func (a *App) askRemove() tea.Cmd {
	r := a.selected()
	if r.Kind == outline.EndpointRow {
		if r.Key.Type == mesh.Endpoints {
			return a.apply("remove "+r.Address, engine.RemoveEndpoint{Key: r.Key, Address: r.Address})
		}
		return a.apply("remove "+r.Address, engine.DeleteField{Key: r.Key, Path: r.Path})
	}
	k := r.Key
	text := "Nothing else names it."
	if used := a.data.outline.UsedBy(k); len(used) > 0 {
		var by []string
		for _, ref := range used {
			by = append(by, "  "+ref.From.String()+"  at "+ref.Path)
		}
		text = "It is used by\n" + strings.Join(by[:min(len(by), 8)], "\n")
		if len(by) > 8 {
			text += fmt.Sprintf("\n  and %d more", len(by)-8)
		}
		text += "\n" + a.consequence(k.Type, used)
	}
	a.open(&confirm{head: "Delete " + k.String() + " from the draft?", text: text + "\nNothing is sent before you push; u takes it back.",
		yes: "x", yesText: "delete", harm: true, do: func(a *App) tea.Cmd { return a.apply("delete "+k.String(), engine.Remove{Key: k}) }})
	return nil
}

// consequence is what Envoy does when something that is named is missing.
func (a *App) consequence(t mesh.Type, used []mesh.Reference) string {
	switch t {
	case mesh.Route:
		return "Without it, the listener answers 404 to every request."
	case mesh.Cluster:
		return a.withoutCluster(used)
	case mesh.Endpoints:
		return "Without it, the cluster has no hosts: 503 (UH, no healthy upstream)."
	case mesh.Secret:
		return "Without it, TLS handshakes there fail."
	case mesh.VirtualHost:
		return "Without it, requests to its domains get 404."
	case mesh.ScopedRoute:
		return "Without it, requests with its key get 404."
	case mesh.Extension:
		return "Without it, " + a.product().the + " goes on with the filter that it has; one that starts anew answers 500 there."
	case mesh.Runtime:
		return "Without it, its keys fall back to what the bootstrap or the resources say."
	}
	return ""
}

// withoutCluster says for each kind of place that names a cluster what Envoy
// does once it is missing.
func (a *App) withoutCluster(used []mesh.Reference) string {
	var out []string
	said := map[string]bool{}
	for _, ref := range used {
		s := "Without it, " + a.product().the + " closes the connections of " + ref.From.String() + "."
		inline := ref.From.Type == mesh.Listener && strings.Contains(ref.Path, "route_config.")
		switch {
		case ref.From.Type == mesh.Cluster:
			s = "Without it, " + ref.From.String() + " loses it as an upstream."
		case ref.From.Type != mesh.Route && !inline:
		case a.validated(ref):
			s = "Without it, " + a.product().the + " rejects " + ref.From.String() + " (it validates clusters) and keeps the version that it has."
		default:
			s = "Without it, " + ref.From.String() + " answers 503 there (NC, no cluster), although " + a.product().the + " ACKs it."
		}
		if !said[s] {
			said[s] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

// validated reports whether Envoy looks for the clusters that a route
// configuration names: when it says so; when it says nothing, then only where
// it stands inline in a listener.
func (a *App) validated(ref mesh.Reference) bool {
	res := a.data.resource(ref.From)
	if res == nil {
		return false
	}
	if rc, ok := res.Message.(*routev3.RouteConfiguration); ok {
		return rc.GetValidateClusters().GetValue()
	}
	i := strings.Index(ref.Path, "route_config.")
	if i < 0 {
		return false
	}
	c, ok := text.Sub(res.Source.Text, ref.Path[:i]+"route_config.validate_clusters")
	return !ok || strings.TrimSpace(c.Text) != "false"
}
