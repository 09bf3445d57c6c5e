package importer

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// asked is asks, once for each test of what is the same wherever it stands.
func (w *writer) asked(t test, q *request) (*predicate, *expression, string) {
	if !w.fixed(t.variable, 0) {
		return w.asks(t, q, 0)
	}
	a, ok := w.answers[t]
	if !ok {
		a.p, a.e, a.why = w.asks(t, q, 0)
		w.answers[t] = a
	}
	return a.p, a.e, a.why
}

// answer is what asks has said of a test.
type answer struct {
	p   *predicate
	e   *expression
	why string
}

// fixed reports whether what a variable is hangs on the request alone: not on a
// set, a rewrite or the server that the request came to.
func (im *importer) fixed(name string, depth int) bool {
	switch name {
	case "uri", "document_uri", "scheme", "server_port", "server_name", "https", "ssl_client_verify":
		return false
	}
	if im.placed == nil {
		im.placed = map[string]bool{}
		for d := range im.conf.All() {
			if d.Name == "set" {
				im.placed[strings.TrimPrefix(d.Arg(0), "$")] = true
			}
		}
	}
	placed, known := im.placed[name]
	if known || depth > mostHops {
		return !placed && known
	}
	im.placed[name] = true // until it is known better: maps that go round in a circle are asked each time
	free := true
	for _, m := range im.maps()[name] {
		free = free && im.fixedText(m.Arg(0), depth)
		for _, line := range m.Block {
			free = free && im.fixedText(line.Arg(0), depth)
		}
	}
	im.placed[name] = !free
	return free
}

func (im *importer) fixedText(s string, depth int) bool {
	for _, p := range parse(s) {
		if p.variable != "" && !im.fixed(p.variable, depth+1) {
			return false
		}
	}
	return true
}

// maps are the map and geo of http {}, by the variable that they make.
func (im *importer) maps() map[string][]*conf.Directive {
	if im.tables == nil {
		im.tables = map[string][]*conf.Directive{}
		for _, http := range im.conf.Named("http")[:1] { // nginx takes one
			for _, d := range slices.Concat(im.children(http)["map"], im.children(http)["geo"]) {
				name := d.Arg(1)
				if d.Name == "geo" {
					name = d.Arg(len(d.Args) - 1)
				}
				name = strings.TrimPrefix(name, "$")
				im.tables[name] = append(im.tables[name], d)
			}
		}
	}
	return im.tables
}
