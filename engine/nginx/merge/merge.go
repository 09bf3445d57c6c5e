package merge

import (
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/importer"
)

// Op is what is done at a field.
type Op uint8

// The operations. Their order in a Change is the order in which they are to be
// made: paths are those of the moment.
const (
	Set    Op = iota + 1 // Path gets Value, made where it is absent
	Insert               // Value goes into a list before the element Path; Path may be one past its end
	Delete               // the field or element Path goes
	Move                 // the list item Path becomes the one with the index Value
	Put                  // the resource is new: Value is its YAML
	Remove               // the resource goes
)

// Edit is one change to the YAML of one resource.
type Edit struct {
	Op    Op
	Key   mesh.Key
	Path  string // field path within the resource, as in a Finding
	Value string // YAML
}

// Change is what an edit of the nginx.conf means for the mesh.
type Change struct {
	Edits   []Edit
	Summary []string         // one line for each change, for the undo list: "weight of 127.0.0.1:9001 in app: 5"
	Report  []importer.Entry // of what was written and is not, or not wholly, carried over; lines are of the edited text

	base, made *mesh.Mesh       // the mesh that it was made for, and what it makes of it
	was, now   *parsed          // the texts that it was made of
	theirs     *importer.Result // what the importer makes of the edited one
}
