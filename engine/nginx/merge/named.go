package merge

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// Project writes a route with a condition as a location with a name that
// `error_page 46x = @name` and an `if` lead to. The importer has no route for
// such a location; while it reads, it sees one of an address that nobody asks for,
// and none of the questions.

// nowhere begins the address of a named location while the importer reads.
const nowhere = "/-location-"

func isNamed(d *conf.Directive) bool {
	return isLocation(d) && strings.HasPrefix(d.Arg(0), "@")
}

// imported is what the importer makes of a text, named locations too.
func imported(c *conf.Config) *importer.Result {
	was := map[*conf.Directive][]string{}
	spoken := []string{}
	for d := range c.All() {
		if isNamed(d) && len(d.Args) == 1 {
			was[d] = d.Args
			name := strings.Map(func(r rune) rune {
				if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
					return r
				}
				return '_'
			}, d.Arg(0)[1:])
			d.Args = []string{"=", nowhere + name}
			spoken = append(spoken, d.String(), (&conf.Directive{Name: d.Name, Args: was[d], IsBlock: true}).String())
		}
	}
	asking := map[*conf.Directive][]*conf.Directive{}
	for d := range c.All() {
		if isLocation(d) && slices.ContainsFunc(d.Block, isQuestion) {
			asking[d] = d.Block
		}
	}
	for d, block := range asking {
		d.Block = slices.DeleteFunc(slices.Clone(block), isQuestion)
	}
	out := importer.Import(c)
	for d, block := range asking {
		d.Block = block
	}
	for d, args := range was {
		d.Args = args
	}
	words := strings.NewReplacer(spoken...)
	for i, e := range out.Report {
		out.Report[i].Directive, out.Report[i].Reason = words.Replace(e.Directive), words.Replace(e.Reason)
	}
	return out
}

// isOfNamed reports whether a route of an import is that of a named location.
func isOfNamed(r *routev3.Route) bool {
	return strings.HasPrefix(r.GetMatch().GetPath(), nowhere)
}

// isQuestion reports whether a line of a location asks for a condition that leads
// to a named location.
func isQuestion(d *conf.Directive) bool {
	switch d.Name {
	case "error_page":
		return strings.HasPrefix(d.Arg(len(d.Args)-1), "@")
	case "if":
		return len(d.Block) > 0 && !slices.ContainsFunc(d.Block, func(in *conf.Directive) bool {
			return !isQuestion(in) && (in.Name != "return" || !leads(d.Parent, in.Arg(0)))
		})
	case "set":
		return d.Arg(0) == "$taken"
	}
	return false
}

// leads reports whether a status leads from a location to a named one.
func leads(location *conf.Directive, status string) bool {
	return location != nil && slices.ContainsFunc(location.Children("error_page"), func(d *conf.Directive) bool { return d.Arg(0) == status && isQuestion(d) })
}

// questioned is the directive, or the one around it, that asks for a condition;
// nil for none.
func questioned(d *conf.Directive) *conf.Directive {
	for ; d != nil && !isLocation(d); d = d.Parent {
		if isQuestion(d) && d.Parent != nil && isLocation(d.Parent) {
			return d
		}
	}
	return nil
}

// questions reports what was changed in the lines that ask for a condition: which
// requests a route takes is said of all locations at once, and only in Envoy's
// own terms.
func (m *merger) questions(at map[int]bool) {
	for _, c := range m.changed {
		d := c.now
		if d == nil {
			d = c.was
		}
		asks := questioned(d)
		if asks == nil || c.now == nil && m.trees.now[asks.Parent] == nil {
			continue
		}
		e := importer.Entry{Kind: nginx.None, Directive: asks.String(), File: file, Line: asks.Line,
			Reason: "a condition that leads to a named location is how nginx reads what a route of Envoy's matches, and it is not carried over", Instead: "change the match of the route in Envoy's own terms"}
		if c.now == nil {
			e.Line = m.lineOf(c.was)
		}
		if m.leaving(c.was) {
			continue
		}
		for _, o := range m.origins(c.was) {
			if path := routePath.FindString(o.Path); path != "" {
				e.Key, e.Path = o.Key, below(path, "match")
				e.Instead = fmt.Sprintf("change the match of %s in Envoy's own terms", m.routeName(nginx.Origin{Key: o.Key, Path: path}))
				break
			}
		}
		if e.Key == (mesh.Key{}) {
			e.Key, e.Path = m.inMesh(e)
		}
		if c.now != nil {
			at[e.Line], at[c.now.Line] = true, true
		}
		m.report(e)
	}
}

// leaving reports whether the route that a line mirrors is taken out.
func (m *merger) leaving(d *conf.Directive) bool {
	return slices.ContainsFunc(m.origins(d), func(o nginx.Origin) bool {
		list, i := lastIndex(routePath.FindString(o.Path))
		l := m.ops.lists[spot{o.Key, list}]
		return i >= 0 && l != nil && l.at(i) < 0
	})
}

// routeName is what a route is called to people.
func (m *merger) routeName(o nginx.Origin) string {
	if c, ok := lookup(m.message(o.Key), below(o.Path, "name")); ok {
		return fmt.Sprintf("route %q", c.value.String())
	}
	return o.Path
}

// newNamed reports a named location that is new, or was called otherwise.
func (m *merger) newNamed(d *conf.Directive) {
	m.remade[d] = true
	m.report(importer.Entry{Kind: nginx.None, Directive: d.String(), File: file, Line: d.Line,
		Reason: "Envoy's routes do not lead to one another by name", Instead: "add a route with a match of its own (headers, query_parameters) in Envoy's own terms"})
}
