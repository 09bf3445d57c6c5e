package engine

import (
	"time"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
)

// State is a Workspace at one moment, for whoever shows it. It is immutable.
type State struct {
	Name     string // what the workspace is called: the folder's or file's base name
	Path     string // absolute path of what was opened, also after it was saved elsewhere; "" for a mesh made in memory
	SaveTo   string // folder that Save writes to; "" while none was chosen (an opened single file). It is kept for the next run
	ReadOnly string // empty, or why nothing may be pushed or saved ("process 4711 has it open")

	Rules  []mesh.Rule
	Groups []GroupState // mesh.DefaultGroup first, the others by name

	Draft     int      // number of resources that differ, by text, from the newest revision
	Undo      []string // what could be undone, newest first
	Redo      []string // what could be redone, next first
	Unsaved   bool     // the draft differs from what is on disk
	Disk      *DiskChange
	Revisions []*Revision    // oldest first; the last is what is served
	Limited   *Revision      // the newest revision while it goes to chosen nodes only; nil when it went to all
	Notices   []mesh.Finding // what could not be carried over on opening, and what was rewritten
	At        time.Time

	Kept         []kept.Request // of all groups, in the order of their file
	KeptProblems []mesh.Finding // what is wrong in that file; such requests are not in Kept
	KeptFile     string         // where they are kept, also where there are none yet; "" in memory
}

// Head is the newest revision, or nil when nothing was pushed yet.
func (s *State) Head() *Revision {
	if len(s.Revisions) == 0 {
		return nil
	}
	return s.Revisions[len(s.Revisions)-1]
}

// Group is the state of the group with that name, or nil.
func (s *State) Group(name string) *GroupState {
	for i := range s.Groups {
		if s.Groups[i].Name == name {
			return &s.Groups[i]
		}
	}
	return nil
}

// GroupState is one group of a State.
type GroupState struct {
	Name     string
	Live     *mesh.Mesh     // of the newest revision; empty before the first
	Draft    *mesh.Mesh     // what a push would send; equals Live when nothing was edited
	Changes  []mesh.Change  // from Live to Draft, by text
	Findings []mesh.Finding // of Draft, worst first, then by place
	Moved    []kept.Move    // kept requests that a push would send elsewhere, from Live to Draft
}

// DiskChange is a change to the workspace's files made by another program. It
// is offered, never taken by itself. As long as it is the same change, states
// hold the same pointer.
type DiskChange struct {
	At      time.Time
	Files   []string       // whose content changed
	Changes int            // resources that would change; 0 when it cannot be read
	Problem []mesh.Finding // why it cannot be read; then it cannot be taken
}
