package check

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// compiled is a route configuration as requests meet it, and what is wrong with
// it as such.
type compiled struct {
	table    *routes.Table
	problems []routes.Problem
}

// compile makes the table of a route configuration, once for all rules.
func (c *checker) compile(rc *routev3.RouteConfiguration) compiled {
	t, ok := c.tables[rc]
	if !ok {
		t.table, t.problems = routes.Compile(rc)
		c.tables[rc] = t
	}
	return t
}

// shadowedRoute reports routes that no request reaches because an earlier one
// takes them all. Only what is certain is reported.
func shadowedRoute(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		for _, s := range c.compile(rc).table.Shadowed() {
			hint := "move it before the other one: Envoy takes the first route that matches, not the longest as nginx does"
			if strings.HasSuffix(s.Reason, "the very same requests") {
				hint = "remove one of them, or give the first a further condition"
			}
			c.report(mesh.Warning, n.key, text.Item(text.Field(n.item("virtual_hosts", s.HostIndex), "routes"), s.RouteIndex),
				fmt.Sprintf("no request reaches route %d: %s", s.RouteIndex, s.Reason), hint)
		}
	})
}

// regexPath reports expressions that no path can match in full.
func regexPath(c *checker) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		for _, p := range c.compile(rc).table.Unmatchable() {
			c.report(mesh.Warning, n.key, n.below(p.Path), p.Message, p.Hint)
		}
	})
}

// pathTemplate reports path templates, in a match or a rewrite, that Envoy
// refuses.
func pathTemplate(c *checker) {
	c.problems(routes.BadTemplate, mesh.Error, "Envoy rejects this route configuration: correct the template")
}

// rewriteGroup reports rewrites that do nothing, as they name a group that the
// pattern lacks.
func rewriteGroup(c *checker) {
	c.problems(routes.BadRewrite, mesh.Warning, "correct it")
}

// rewriteConflict reports rewrites that exclude each other.
func rewriteConflict(c *checker) { c.problems(routes.RewriteConflict, mesh.Error, "") }

// problems reports what compiling found of one kind. Expressions that are wrong
// as such are bad-regex's.
func (c *checker) problems(kind routes.ProblemKind, s mesh.Severity, hint string) {
	each(c, func(n node, rc *routev3.RouteConfiguration) {
		for _, p := range c.compile(rc).problems {
			if p.Kind != kind || strings.HasSuffix(p.Path, ".regex") {
				continue
			}
			h := p.Hint
			if h == "" {
				h = hint
			}
			c.report(s, n.key, n.below(p.Path), p.Message, h)
		}
	})
}
