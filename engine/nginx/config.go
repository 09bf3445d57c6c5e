package nginx

import (
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Kind says how far an nginx line says the same as what it mirrors.
type Kind uint8

// The kinds. Structure is a line that mirrors nothing (a closing brace, the
// worker boilerplate).
const (
	Structure   Kind = iota
	Exact            // nginx does what Envoy does; a comment of this kind names what it does without being told
	Approximate      // close; Lesson says where they part
	None             // nginx has no counterpart; the line is a comment
)

// Origin is what a line mirrors: a resource and the field in it. The zero
// Origin is nothing.
type Origin struct {
	Key  mesh.Key
	Path string // field path, "" for the resource as a whole
}

// Line is one line of the projected nginx.conf, with its entry in the source
// map.
type Line struct {
	Text   string // with its indent, without a newline
	Kind   Kind
	From   Origin
	Also   []Origin // further origins (a weight's route and the cluster that it names)
	Lesson string   // one sentence for whoever knows nginx; may be empty
}

// Config is an nginx.conf with a source map from every line to what it mirrors.
type Config struct {
	Lines []Line
}

// String is the file's text, accepted by nginx -t.
func (c *Config) String() string {
	var b strings.Builder
	for _, l := range c.Lines {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}
