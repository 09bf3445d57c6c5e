package match

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// problems are those of a listener: filters that cannot be read, and of the
// routes that stand in it.
func (l *listener) problems() []mesh.Finding {
	cs := l.compiled()
	var out []mesh.Finding
	for _, c := range append(slices.Clone(cs.all), cs.fallback) {
		if c == nil {
			continue
		}
		if c.conn.wrong != "" {
			out = append(out, mesh.Finding{
				Severity: mesh.Error, Rule: "unreadable-filter", Key: l.key, Path: c.conn.path, Message: c.conn.wrong,
			})
		}
		out = append(out, c.conn.manager.problems()...)
	}
	return out
}

func (n *manager) problems() []mesh.Finding {
	if n == nil {
		return nil
	}
	var out []mesh.Finding
	if n.inline != nil {
		out = n.inline.findings()
	}
	if n.scopes != nil {
		for _, s := range n.scopes.proto.GetScopedRouteConfigurationsList().GetScopedRouteConfigurations() {
			if t := n.scopes.inline[s]; t != nil {
				out = append(out, t.findings()...)
			}
		}
	}
	return out
}
