package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

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

// readHistory reads the revisions that are kept. One file with all of them, as
// meshtui wrote it before, is taken over into the folder. name is what could not
// be read.
func (s *store) readHistory(d *decoder) (revisions []*Revision, name string, err error) {
	s.disk = newOnDisk()
	revisions, err = s.readOneFile(d)
	switch {
	case err != nil:
		return nil, oldHistory, err
	case len(revisions) > 0:
		s.takeOver(revisions)
		return revisions, oldHistory, nil
	}
	revisions, err = s.readFolder(d)
	if err != nil {
		s.disk = newOnDisk()
		return nil, historyFolder, err
	}
	return revisions, "", nil
}

// takeOver writes what one file held into the folder, and then removes the file:
// until then it is what counts. A file that cannot be taken over stays where it
// is and is read again at the next opening.
func (s *store) takeOver(revisions []*Revision) {
	if s.lock == nil {
		return
	}
	if s.writeHistory(revisions) == nil {
		_ = os.Remove(filepath.Join(s.dir, oldHistory))
	}
}

func (s *store) readFolder(d *decoder) ([]*Revision, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, historyFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if number, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json")); err == nil && number > 0 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	var out []*Revision
	meshes := map[int]map[string]*mesh.Mesh{}
	for _, number := range numbers {
		r, err := s.readRecord(d, number, meshes, out)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", number, err)
		}
		out = append(out, r)
	}
	return trimmed(out), nil
}

func (s *store) readRecord(d *decoder, number int, meshes map[int]map[string]*mesh.Mesh, before []*Revision) (*Revision, error) {
	var f revisionFile
	if _, err := s.read(recordFile(number), &f); err != nil {
		return nil, err
	}
	from, there := meshes[f.After]
	switch {
	case f.Format != storeFormat:
		return nil, fmt.Errorf("it has format %d, this meshtui reads %d", f.Format, storeFormat)
	case f.Number != number:
		return nil, fmt.Errorf("it says that it is %d", f.Number)
	case f.After != 0 && !there:
		return nil, fmt.Errorf("it is relative to revision %d, which is not there", f.After)
	}
	var state revisionState
	if found, err := s.read(stateFile(number), &state); err != nil {
		return nil, err
	} else if found {
		f.Only, f.Rest, f.First, f.Outcome = state.Only, state.Rest, state.First, state.Outcome
	}
	now, err := d.applyAll(from, f.Groups)
	if err != nil {
		return nil, err
	}
	meshes[number], s.disk.state[number] = now, stateOf(f.revisionRecord)
	s.disk.since++
	if f.After == 0 {
		s.disk.whole[number], s.disk.since = true, 0
	}
	return f.revision(now, before)
}
