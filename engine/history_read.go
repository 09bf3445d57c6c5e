package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// readHistory reads the revisions that are kept, and says what could not be read
// and was set aside. One file with all of them, as meshtui wrote it before, counts
// until the folder has as new a revision: only what is taken over as a whole has.
func (s *store) readHistory(d *decoder) (revisions []*Revision, damaged []mesh.Finding) {
	revisions, damaged = s.readFolder(d)
	old, err := s.readOneFile(d)
	switch {
	case err != nil:
		return revisions, append(damaged, s.setAside(oldHistory, err))
	case len(old) == 0:
		return revisions, damaged
	}
	s.old = true
	if s.disk.last < old[len(old)-1].Number {
		s.disk = newOnDisk()
		revisions = old
	}
	if s.lock != nil {
		_ = s.writeHistory(revisions) // what cannot be taken over now is at the next push
	}
	return revisions, damaged
}

// folderReader reads the history folder, record by record.
type folderReader struct {
	*store
	decoder *decoder
	last    int                           // the newest number
	out     []*Revision                   // what could be read
	meshes  map[int]map[string]*mesh.Mesh // of that
	damaged []mesh.Finding
}

// errGone is of a record that another process removed meanwhile.
var errGone = errors.New("it is not there any more")

// readFolder reads the records that can be read. One that cannot is set aside,
// with those that are relative to it.
func (s *store) readFolder(d *decoder) ([]*Revision, []mesh.Finding) {
	s.disk = newOnDisk()
	entries, err := os.ReadDir(filepath.Join(s.dir, historyFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []mesh.Finding{s.setAside(historyFolder, err)}
	}
	var numbers []int
	for _, e := range entries {
		if number, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json")); err == nil && number > 0 {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	slices.Sort(numbers)
	r := folderReader{store: s, decoder: d, last: numbers[len(numbers)-1], meshes: map[int]map[string]*mesh.Mesh{}}
	s.disk.last = r.last
	for _, number := range numbers {
		if err := r.read(number); err != nil && !errors.Is(err, errGone) {
			r.damaged = append(r.damaged, s.setAside(recordFile(number), err))
		}
	}
	return trimmed(r.out), r.damaged
}

func (r *folderReader) read(number int) error {
	var f revisionFile
	found, err := r.store.read(recordFile(number), &f)
	from, there := r.meshes[f.After]
	switch {
	case err != nil:
		return err
	case !found:
		return errGone
	case f.Format != storeFormat:
		return fmt.Errorf("it has format %d, this meshtui reads %d", f.Format, storeFormat)
	case f.Number != number:
		return fmt.Errorf("it says that it is %d", f.Number)
	case f.After != 0 && !there && r.lock == nil && len(r.damaged) == 0:
		return errGone // whoever holds the lock is removing what is older
	case f.After != 0 && !there:
		return fmt.Errorf("it is relative to revision %d, which cannot be read", f.After)
	}
	now, err := r.decoder.applyAll(from, f.Groups)
	if err != nil {
		return err
	}
	state, err := r.state(f.revisionRecord)
	r.disk.state[number] = state
	if err != nil {
		r.disk.state[number] = stateOf(f.revisionRecord) // all that stands there now
		r.damaged = append(r.damaged, r.setAside(stateFile(number), err))
	}
	f.Only, f.Rest, f.First, f.Outcome = state.Only, state.Rest, state.First, state.Outcome
	revision, err := f.revision(now, r.out)
	if err != nil {
		delete(r.disk.state, number)
		return err
	}
	r.out, r.meshes[number] = append(r.out, revision), now
	r.disk.since++
	if f.After == 0 {
		r.disk.whole[number], r.disk.since = true, 0
	}
	return nil
}

// state is what became of a revision. Where that cannot be read, it is what was
// known when the revision was recorded.
func (r *folderReader) state(rec revisionRecord) (revisionState, error) {
	var state revisionState
	found, err := r.store.read(stateFile(rec.Number), &state)
	if err == nil {
		err = goodGlobs(state.Only)
	}
	if found && err == nil {
		return state, nil
	}
	state = stateOf(rec)
	if err != nil && rec.Number < r.last {
		state.Outcome = Outcome{Result: Superseded, Detail: "what became of it cannot be read"}
	}
	return state, err
}
