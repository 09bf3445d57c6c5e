package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"

	"example.com/meshtui/engine/mesh"
)

// The history is a folder with one file a revision, N.json, which is written once
// and never again: what a push writes does not grow with the history. What may
// still become of a revision (its outcome, the nodes that it goes to) stands in
// N.state.json, written when it changes. A record holds its meshes relative to
// those of the record before it; every so often one holds them whole, so that
// what is older can be removed.
const (
	historyFolder = "history"
	wholeEvery    = 50
)

// revisionFile is a revision in the history folder.
type revisionFile struct {
	Format    int    `json:"format"`
	Workspace string `json:"workspace"`
	After     int    `json:"after,omitempty"` // number of the record that Groups are relative to; 0: none
	revisionRecord
}

// revisionState is what may still change of a revision.
type revisionState struct {
	Only    []string `json:"only,omitempty"`
	Rest    int      `json:"rest,omitempty"`
	First   []string `json:"first,omitempty"`
	Outcome Outcome  `json:"outcome"`
}

// onDisk is what the history folder holds.
type onDisk struct {
	state map[int]revisionState // by number
	whole map[int]bool          // those that are relative to nothing
	since int                   // how many records came after the last whole one
	last  int                   // the highest number of a record, also of one that cannot be read
}

func newOnDisk() onDisk {
	return onDisk{state: map[int]revisionState{}, whole: map[int]bool{}}
}

func stateOf(rec revisionRecord) revisionState {
	return revisionState{Only: rec.Only, Rest: rec.Rest, First: rec.First, Outcome: rec.Outcome}
}

func recordFile(number int) string {
	return filepath.Join(historyFolder, strconv.Itoa(number)+".json")
}

func stateFile(number int) string {
	return filepath.Join(historyFolder, strconv.Itoa(number)+".state.json")
}

// writeHistory makes the folder say what the revisions say: it writes what is
// new or has changed, and removes what is not kept any more.
func (s *store) writeHistory(revisions []*Revision) error {
	for i, r := range revisions {
		state := stateOf(recordOf(r, r.Meshes)) // no splices: only what may change
		was, there := s.disk.state[r.Number]
		switch {
		case !there:
			var before *Revision
			if i > 0 && s.disk.since < wholeEvery-1 {
				before = revisions[i-1]
			}
			if err := s.writeRecord(r, before); err != nil {
				return err
			}
		case !reflect.DeepEqual(was, state):
			if err := s.write(stateFile(r.Number), state); err != nil {
				return err
			}
		}
		s.disk.state[r.Number] = state
	}
	s.dropBefore(revisions)
	if s.lock != nil && s.old && os.Remove(filepath.Join(s.dir, oldHistory)) == nil {
		s.old = false // the folder says all that it said
	}
	return nil
}

func (s *store) writeRecord(r, before *Revision) error {
	f := revisionFile{Format: storeFormat, Workspace: s.workspace}
	var from map[string]*mesh.Mesh
	if before != nil {
		f.After, from = before.Number, before.Meshes
	}
	f.revisionRecord = recordOf(r, from)
	if err := os.MkdirAll(filepath.Join(s.dir, historyFolder), 0o700); err != nil {
		return err
	}
	// What stands there under this number is of a revision that was never pushed.
	if err := os.Remove(filepath.Join(s.dir, stateFile(r.Number))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.write(recordFile(r.Number), f); err != nil {
		// It may stand there all the same, such as where only the folder could not be
		// synced; and it is of a revision that is not pushed.
		_ = os.Remove(filepath.Join(s.dir, recordFile(r.Number)))
		return err
	}
	s.disk.since++
	if before == nil {
		s.disk.whole[r.Number], s.disk.since = true, 0
	}
	return nil
}

// dropBefore removes the records that nothing kept is relative to. One that
// cannot be removed is in nobody's way.
func (s *store) dropBefore(revisions []*Revision) {
	if len(revisions) == 0 {
		return
	}
	needed := 0
	for number := range s.disk.whole {
		if number <= revisions[0].Number {
			needed = max(needed, number)
		}
	}
	for number := range s.disk.state {
		if number < needed {
			_ = os.Remove(filepath.Join(s.dir, recordFile(number)))
			_ = os.Remove(filepath.Join(s.dir, stateFile(number)))
			delete(s.disk.state, number)
			delete(s.disk.whole, number)
		}
	}
}
