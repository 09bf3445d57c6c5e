package merge

import (
	"fmt"
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
	return append(out, orphans(was, now)...)
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
