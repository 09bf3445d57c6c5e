package nack

import "example.com/meshtui/engine/mesh"

// Rejection is what is known of one NACK.
type Rejection struct {
	Text    string     // error_detail.message as it came
	Type    mesh.Type  // of the response that was rejected
	Changed []mesh.Key // what was new in that response; the culprit is most likely among them
	Mesh    *mesh.Mesh // what was pushed, with the operator's texts; without overlay
	// Before is what was pushed before it; nil when unknown. A field that did
	// not change is no suspect.
	Before *mesh.Mesh
}

// Diagnosis is one reason for a rejection.
type Diagnosis struct {
	Key    mesh.Key // zero when nothing in the mesh can be meant
	Sure   bool     // the text names the resource or only one fits; else it is the likeliest
	Path   string   // field path within the resource, "" for all of it
	File   string   // "" when the text came from no file
	Line   int      // 1-based: of File when there is one, else of the resource's text; 0 unknown
	Column int
	Plain  string // what is wrong, one sentence in plain words that names the field and the value
	Why    string // why Envoy refuses it or what it would lead to, one sentence; may be empty
	Hint   string // what to do, one sentence; may be empty
	Words  string // Envoy's own words for this reason, without debug markers and dumps
	Fix    *Fix   // an edit that mends it; nil where only the operator can know
}

// Fix is an edit that is offered: the whole new text of one resource, of which
// all but the mended place stays as it was, comments included.
type Fix struct {
	Says string // what it does, as one would put it on a button: "delete the second entry of www.example.com"
	Key  mesh.Key
	Text string // the resource's new text; "" removes the resource
}

// Diagnose finds the reasons in a NACK, at least one; several where Envoy names
// several resources. A text that is not known gives a Diagnosis with Words and
// the likeliest resource.
func Diagnose(r Rejection) []Diagnosis { return diagnose(r) }
