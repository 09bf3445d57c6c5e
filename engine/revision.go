package engine

import (
	"path"
	"slices"
	"time"

	"example.com/meshtui/engine/mesh"
)

// Result is how a revision's rollout stands.
type Result uint8

// The results. A rollback is a new revision; the one it undoes keeps its own.
const (
	Pending    Result = iota + 1 // on its way: not every node has answered
	Accepted                     // every node that it went to has ACKed every step
	Rejected                     // at least one node NACKed
	TimedOut                     // at least one node left a step unanswered until its deadline
	Superseded                   // a newer revision came before this one was through
	NoNodes                      // nobody was connected
)

// String is the result in one word.
func (r Result) String() string {
	switch r {
	case Pending:
		return "pending"
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case TimedOut:
		return "timed out"
	case Superseded:
		return "superseded"
	case NoNodes:
		return "no nodes"
	}
	return "unknown"
}

// final reports whether the result stays, whatever nodes say later. One that timed
// out does not: its nodes may still answer.
func (r Result) final() bool {
	return r == Accepted || r == Rejected || r == Superseded
}

// Cause says what a revision came by.
type Cause uint8

// The causes. The zero Cause is that of a revision of which it is not known: one
// that an older meshtui kept.
const (
	Pushed     Cause = iota + 1 // Push: the draft
	RolledBack                  // Rollback, Cancel or an automatic rollback: what an older revision said
	Opened                      // opening: what was on disk
)

// String is the cause in one word.
func (c Cause) String() string {
	switch c {
	case Pushed:
		return "push"
	case RolledBack:
		return "rollback"
	case Opened:
		return "opening"
	}
	return "unknown"
}

// Outcome is what became of a revision, summed over the nodes.
type Outcome struct {
	Result Result
	Nodes  int           // how many nodes it went to
	Detail string        // Envoy's own words for Rejected; what is waited for otherwise; may be empty
	Took   time.Duration // from Publish to the last answer; 0 while pending
}

// Revision is an immutable, numbered, pushed state of the workspace. Numbers
// start at 1 and only grow.
type Revision struct {
	Number  int
	At      time.Time
	Note    string // the author's note, or what meshtui did ("rollback to 3", "opened")
	Author  string // the operating system's user name
	Cause   Cause
	Rules   []mesh.Rule
	Meshes  map[string]*mesh.Mesh // by group; mesh.DefaultGroup is always there
	Outcome Outcome
	// Only are the ids of the nodes that get it first, each a glob as in
	// path.Match; empty for all. Every other node, one that connects later too,
	// has Rest until the revision is widened: published again without Only.
	Only []string
	// Rest is what the others have: the newest revision that went to all nodes,
	// or, after a rollback to one that was limited itself, what the others had
	// then. Its own Only is empty and its Rest nil. It is nil when Only is empty,
	// or when nothing was served before: then the others wait.
	Rest *Revision
	// First are the nodes that it went to alone, as Only was, before it was
	// widened; empty for one that never was limited, or still is.
	First []string
	// Base is what was served and accepted before, so that a server that has
	// just started knows what a running Envoy holds; its own Base is nil. Where
	// that was limited, Base has Only, and Base.For says what a node held: its
	// Rest is what was accepted before in turn. Base is nil for the first, and for
	// a revision that is known to be what they hold.
	Base *Revision
}

// For is the revision that a node is to have: r itself, or r.Rest for a node
// that r does not go to yet; nil where that has nothing, and for a nil r.
func (r *Revision) For(nodeID string) *Revision {
	if r == nil || len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(glob string) bool {
		fits, err := path.Match(glob, nodeID)
		return err == nil && fits
	}) {
		return r
	}
	return r.Rest.For(nodeID)
}

// MeshFor is the mesh that a node gets under this revision: its group's, or the
// default group's where its own has none.
func (r *Revision) MeshFor(nodeID, nodeCluster string) (group string, m *mesh.Mesh) {
	group = mesh.GroupOf(r.Rules, nodeID, nodeCluster)
	if m, ok := r.Meshes[group]; ok {
		return group, m
	}
	return mesh.DefaultGroup, r.Meshes[mesh.DefaultGroup]
}

// Publisher rolls a revision out to the nodes. Publish returns at once; what
// became of it is told to Workspace.Record by whoever wires the two. The newest
// revision wins over one that is still on its way. A revision with Only may be
// published again under its number without it, and then goes to the rest.
type Publisher interface {
	Publish(*Revision)
}
