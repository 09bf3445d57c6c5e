package engine

import (
	"fmt"
	"slices"
	"time"

	"example.com/meshtui/engine/mesh"
)

// A revisionRecord is a revision as the history file holds it, its meshes
// relative to those of the record before it.
type revisionRecord struct {
	Number  int               `json:"number"`
	At      time.Time         `json:"at"`
	Note    string            `json:"note,omitempty"`
	Author  string            `json:"author,omitempty"`
	Cause   Cause             `json:"cause,omitempty"`
	Only    []string          `json:"only,omitempty"`
	Rest    int               `json:"rest,omitempty"` // number of the record that the other nodes have, 0 for none
	First   []string          `json:"first,omitempty"`
	Rules   []mesh.Rule       `json:"rules,omitempty"`
	Groups  map[string]splice `json:"groups"`
	Outcome Outcome           `json:"outcome"`
}

// recordOf is the record of a revision that follows one with those meshes.
func recordOf(r *Revision, before map[string]*mesh.Mesh) revisionRecord {
	rec := revisionRecord{
		Number: r.Number, At: r.At, Note: r.Note, Author: r.Author, Cause: r.Cause, Only: r.Only, First: r.First,
		Rules: r.Rules, Groups: spliceAll(before, r.Meshes), Outcome: r.Outcome,
	}
	if r.Rest != nil {
		rec.Rest = r.Rest.Number
	}
	return rec
}

// revision is the revision of a record, given its meshes and the revisions
// before it.
func (rec revisionRecord) revision(meshes map[string]*mesh.Mesh, before []*Revision) (*Revision, error) {
	r := &Revision{
		Number: rec.Number, At: rec.At, Note: rec.Note, Author: rec.Author, Cause: rec.Cause, Only: rec.Only, First: rec.First,
		Rules: rec.Rules, Meshes: withDefault(meshes), Outcome: rec.Outcome,
	}
	if err := goodGlobs(rec.Only); err != nil {
		return nil, err
	}
	if rec.Rest != 0 && len(rec.Only) > 0 {
		// One that is no longer kept was that of a revision which is not the newest.
		if i := slices.IndexFunc(before, func(b *Revision) bool { return b.Number == rec.Rest }); i >= 0 {
			r.Rest = before[i].toAll()
		}
	}
	if r.Outcome.Result != Accepted { // else it is what the nodes hold
		r.Base = lastAccepted(before)
	}
	return r, nil
}

// MarshalText writes a cause as its word.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote; it fails on any other word.
func (c *Cause) UnmarshalText(word []byte) error {
	for _, known := range []Cause{Pushed, RolledBack, Opened} {
		if string(word) == known.String() {
			*c = known
			return nil
		}
	}
	return fmt.Errorf("a revision came by %q, which this meshtui does not know", word)
}
