package merge

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
)

// unfit are the reasons for which nginx would not start with the edited text,
// though it can be read, and those for which nobody can have meant it. What was
// so in the shown text is no reason.
func unfit(was, now *conf.Config) []mesh.Finding {
	if slices.ContainsFunc(was.Main, isHTTP) && !slices.ContainsFunc(now.Main, isHTTP) {
		return []mesh.Finding{{Severity: mesh.Error, Rule: "nginx-edit", Line: 1, Message: "there is no http {} any more: every listener, route and cluster would go",
			Hint: "open the text again; to take servers out, delete their blocks one by one"}}
	}
	var out []mesh.Finding
	known := func(f mesh.Finding) bool {
		return slices.ContainsFunc(was.Problems, func(o mesh.Finding) bool { return o.Rule == f.Rule && o.Message == f.Message })
	}
	for _, f := range now.Problems {
		if f.Rule == "nginx-strict" && !known(f) {
			f.Severity, f.File = mesh.Error, ""
			out = append(out, f)
		}
	}
	return append(append(out, orphans(was, now)...), onlyBackups(now)...)
}

// onlyBackups are the upstreams of which every server is a backup: nginx does not
// start with them.
func onlyBackups(now *conf.Config) (out []mesh.Finding) {
	for d := range now.All() {
		servers := d.Children("server")
		if isUpstream(d) && len(servers) > 0 && !slices.ContainsFunc(servers, func(s *conf.Directive) bool { return !s.Flag("backup") }) {
			out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: d.Line, Message: fmt.Sprintf("%s has backup servers only: nginx would not start", d), Hint: "leave one server without backup"})
		}
	}
	return out
}

func isHTTP(d *conf.Directive) bool { return d.Name == "http" }

// orphans are the lines that go to an upstream which was taken out, or is called
// otherwise now: nginx would ask DNS for a host of its name.
func orphans(was, now *conf.Config) (out []mesh.Finding) {
	gone := map[string]bool{}
	for d := range was.All() {
		if isUpstream(d) {
			gone[strings.ToLower(d.Arg(0))] = true
		}
	}
	for d := range now.All() {
		if isUpstream(d) {
			delete(gone, strings.ToLower(d.Arg(0)))
		}
	}
	for d := range now.All() {
		name := ""
		switch {
		case strings.HasSuffix(d.Name, "_pass"):
			name = d.Arg(0)
			if _, rest, ok := strings.Cut(name, "://"); ok {
				name = rest
			}
			name, _, _ = strings.Cut(name, "/")
		case shares(d.Parent):
			name = d.Arg(0)
		}
		if gone[strings.ToLower(name)] {
			out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: d.Line, Message: fmt.Sprintf("there is no upstream %s any more, and %s goes to it", name, d),
				Hint: "change all lines that name it, or leave the upstream in"})
		}
	}
	return out
}

// overtaken are the lines of locations that stand before a condition which leads to
// a named location, and did not before: nginx does what they say first, while the
// route of Envoy that the condition stands for still takes its requests first.
func (t *trees) overtaken(edited *conf.Config) (out []mesh.Finding) {
	for d := range edited.All() {
		if !isLocation(d) {
			continue
		}
		first, latest := t.newScript(parent(d)), -1
		if first != nil {
			latest = math.MaxInt
		}
		for _, in := range d.Block {
			if !isScript(in) {
				continue
			}
			was, place := t.was[in], math.MaxInt // a new line stood behind all
			if was != nil {
				place = slices.Index(was.Parent.Block, was)
			}
			switch {
			case !isQuestion(in) || was != nil && place > latest:
				if place > latest {
					first, latest = in, place
				}
			case was != nil:
				out = append(out, mesh.Finding{Severity: mesh.Error, Rule: "nginx-edit", Line: first.Line, Message: fmt.Sprintf("nginx would do %q before it asks %q, Envoy has a route for the condition and would take that first", first, in),
					Hint: "write the line behind the conditions, or change the routes in Envoy's own terms"})
			}
		}
	}
	return out
}

// newScript is the first line of a server that is new or another, and that nginx
// takes before any location; nil for none.
func (t *trees) newScript(server *conf.Directive) *conf.Directive {
	if !isServer(server) || t.was[server] == nil {
		return nil
	}
	for _, in := range server.Block {
		if was := t.was[in]; isScript(in) && !ofReading(in) && (was == nil || written(was) != written(in)) {
			return in
		}
	}
	return nil
}

// isScript reports whether nginx takes a directive in the order in which it stands.
func isScript(d *conf.Directive) bool {
	switch d.Name {
	case "if", "set", "return", "rewrite", "break":
		return true
	}
	return false
}
