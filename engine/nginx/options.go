package nginx

import "example.com/meshtui/engine/mesh"

// Options say which nginx the text is for. The zero value is an nginx of which
// nothing is known.
type Options struct {
	// Stream puts TCP proxies in force as a stream {}, which is a comment otherwise:
	// many an nginx does not have the module.
	Stream bool
	// StreamModule is the file of the stream module where it is not built in, ""
	// for none to load. It counts with Stream, and where there is a TCP proxy.
	StreamModule string
}

// ProjectWith is Project for an nginx of which more is known.
func ProjectWith(m *mesh.Mesh, o Options) *Config { return newProjection(m, o).config() }
