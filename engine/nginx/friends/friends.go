package friends

import (
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// Friend is one place where the two worlds part although they look alike.
type Friend struct {
	Subject string       // what it is about: "timeout", "Host upstream", "max_fails"
	Line    int          // index in Config.Lines of the line that is marked; -1 where none says it
	At      nginx.Origin // the resource and field
	Kind    nginx.Kind   // how near Envoy can come with Fix: Exact, Approximate, None
	Nginx   string       // what nginx was observed to do, one sentence
	Envoy   string       // what Envoy was observed to do, one sentence
	Here    string       // what that means for this mesh, one sentence; may be empty
	Fix     *Fix         // makes Envoy behave as nginx does; nil where no setting does
	Without string       // where Fix is nil: why not, or what comes nearest, one sentence
}

// Fix is a setting that is offered: the whole new texts of the resources that
// change, of which all but the changed places stay as they were.
type Fix struct {
	Says string // as one would put it on a button: "timeout: 0s and idle_timeout: 60s on this route"
	Put  []Put
}

// Put is one resource's new text.
type Put struct {
	Key  mesh.Key
	Text string
}

// Of finds the false friends of a mesh beside its projection, in the order of
// the lines. Each place is told once; one whose setting is made already is not
// told. nil meshes have none.
func Of(m *mesh.Mesh, c *nginx.Config) []Friend { return nil }
