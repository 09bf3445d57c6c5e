package importer

import (
	"fmt"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// Result is what an nginx.conf became.
type Result struct {
	Mesh   *mesh.Mesh
	Report []Entry // in the order of the files
	Links  []Link  // from each directive to what it became

	Made map[mesh.Key]*conf.Directive // the block or line that each resource comes from; nil for one that is of no line
}

// Entry is one line of the report: something that Envoy does not say, or says
// only about the same.
type Entry struct {
	Kind      nginx.Kind // Approximate or None
	Directive string     // as it stands in the file: "proxy_cache zone"
	File      string
	Line      int
	Key       mesh.Key // what carries the rest of it; zero for None
	Path      string
	Reason    string // one sentence: where the two part
	Instead   string // one sentence: what to do; may be empty
}

// Finding is the entry as a notice: a warning where it is not carried over, a
// note where it is nearly the same.
func (e Entry) Finding() mesh.Finding {
	f := mesh.Finding{Severity: mesh.Note, Rule: "nginx-approximate", Key: e.Key, Path: e.Path, File: e.File, Line: e.Line,
		Message: fmt.Sprintf("%s: %s", e.Directive, e.Reason), Hint: e.Instead}
	if e.Kind == nginx.None {
		f.Severity, f.Rule = mesh.Warning, "nginx-not-carried"
	}
	return f
}

// Link says what a directive became. One directive may have several.
type Link struct {
	From *conf.Directive
	Kind nginx.Kind // Exact or Approximate
	To   nginx.Origin
}
