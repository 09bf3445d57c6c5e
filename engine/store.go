package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// storeFormat is the version of the files in the state folder. A file of
// another one is set aside like a damaged one.
const storeFormat = 1

// historyKept is how many revisions are kept. Numbers go on growing.
const historyKept = 200

// undoKept is how many undo steps are kept.
const undoKept = 200

// store is a workspace's folder in the state folder: its lock, its draft, its
// history, and texts that could not enter the mesh. Everything in it is for this
// user alone.
type store struct {
	dir       string
	workspace string // absolute path of what is kept here
	writer    files.Writer
	now       func() time.Time
	lock      *os.File // nil when another process holds it
	disk      onDisk   // the history as it is kept
	old       bool     // there is a history in one file, too
}

// oldHistory is the history as one file, as meshtui wrote it before.
const oldHistory = "history.json"

type historyFile struct {
	Format    int              `json:"format"`
	Workspace string           `json:"workspace"`
	Revisions []revisionRecord `json:"revisions"`
}

type draftFile struct {
	Format    int               `json:"format"`
	Workspace string            `json:"workspace"`
	Head      int               `json:"head"` // number of the newest revision, 0 for none
	Edited    bool              `json:"edited"`
	Disk      string            `json:"disk"`             // digest of what was on disk
	Origin    string            `json:"origin,omitempty"` // of the single file that was opened, wherever it was saved to
	SaveTo    string            `json:"saveTo,omitempty"` // folder that a single file was saved to
	Rules     []mesh.Rule       `json:"rules,omitempty"`
	Groups    map[string]splice `json:"groups"` // relative to nothing: a draft is whole without the history
	Undo      []stepRecord      `json:"undo,omitempty"`
	Redo      []stepRecord      `json:"redo,omitempty"`
}

// A stepRecord leads from the state after it back to the one before it (undo),
// or forward (redo).
type stepRecord struct {
	Does   string            `json:"does"`
	Rules  []mesh.Rule       `json:"rules,omitempty"`
	Groups map[string]splice `json:"groups"`
}

// openStore makes or opens the folder of a workspace. When another process
// holds the lock, the store comes back together with a *heldError and is only to
// be read.
func openStore(stateDir, workspace string, w files.Writer, now func() time.Time) (*store, error) {
	sum := sha256.Sum256([]byte(workspace))
	s := &store{
		dir:       filepath.Join(stateDir, filepath.Base(workspace)+"-"+hex.EncodeToString(sum[:8])),
		workspace: workspace, writer: w, now: now, disk: newOnDisk(),
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	s.lock, err = lock(filepath.Join(s.dir, "lock"))
	if held := (*heldError)(nil); err != nil && !errors.As(err, &held) {
		return nil, err
	}
	return s, err
}

func (s *store) close() error {
	if s == nil || s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// write replaces one file of the store as a whole.
func (s *store) write(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.writer.WriteFile(filepath.Join(s.dir, name), append(data, '\n'), 0o600)
}

// read reads one file of the store; found is false when there is none yet.
func (s *store) read(name string, v any) (found bool, err error) {
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(data, v)
}

// setAside renames a file that cannot be read, so that it is neither lost nor
// in the way, and says so. A reader without the lock leaves it where it is.
func (s *store) setAside(name string, why error) mesh.Finding {
	path := filepath.Join(s.dir, name)
	f := mesh.Finding{
		Severity: mesh.Warning, Rule: "state-damaged", File: path,
		Message: fmt.Sprintf("this file cannot be read: %v", why),
		Hint:    "it was left as it is",
	}
	if s.lock == nil {
		return f
	}
	kept := fmt.Sprintf("%s.damaged-%s", path, s.now().UTC().Format("20060102T150405"))
	if err := os.Rename(path, kept); err != nil {
		f.Hint = fmt.Sprintf("it could not be set aside either (%v); move it away yourself", err)
		return f
	}
	f.Hint = "it was kept as " + kept + "; meshtui starts without it"
	return f
}

// readOneFile reads the history as one file; nil when there is none.
func (s *store) readOneFile(d *decoder) ([]*Revision, error) {
	var h historyFile
	found, err := s.read(oldHistory, &h)
	if err != nil || !found {
		return nil, err
	}
	if h.Format != storeFormat {
		return nil, fmt.Errorf("it has format %d, this meshtui reads %d", h.Format, storeFormat)
	}
	var out []*Revision
	var before map[string]*mesh.Mesh
	for i, rec := range h.Revisions {
		if rec.Number <= 0 || (i > 0 && rec.Number <= h.Revisions[i-1].Number) {
			return nil, fmt.Errorf("revision numbers do not grow at %d", rec.Number)
		}
		meshes, err := d.applyAll(before, rec.Groups)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", rec.Number, err)
		}
		r, err := rec.revision(meshes, out)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", rec.Number, err)
		}
		out = append(out, r)
		before = meshes
	}
	return out, nil
}

// writeDraft writes the draft. f says the rest.
func (s *store) writeDraft(d *draft, f draftFile) error {
	f.Format, f.Workspace = storeFormat, s.workspace
	f.Rules, f.Groups = d.now.rules, spliceAll(nil, d.now.meshes)
	f.Undo, f.Redo = stepRecords(d.now, d.undo), stepRecords(d.now, d.redo)
	return s.write("draft.json", f)
}

func stepRecords(from content, steps []step) []stepRecord {
	var out []stepRecord
	for i := len(steps) - 1; i >= 0; i-- { // nearest first, as they are undone
		to := steps[i].content
		out = append(out, stepRecord{Does: steps[i].does, Rules: to.rules, Groups: spliceAll(from.meshes, to.meshes)})
		from = to
	}
	return out
}

// readDraft reads the draft; nil when there is none.
func (s *store) readDraft(dec *decoder) (*draft, *draftFile, error) {
	f := &draftFile{}
	found, err := s.read("draft.json", f)
	if err != nil || !found {
		return nil, nil, err
	}
	if f.Format != storeFormat {
		return nil, nil, fmt.Errorf("it has format %d, this meshtui reads %d", f.Format, storeFormat)
	}
	meshes, err := dec.applyAll(nil, f.Groups)
	if err != nil {
		return nil, nil, err
	}
	d := &draft{now: content{rules: f.Rules, meshes: withDefault(meshes)}}
	if d.undo, err = readSteps(dec, d.now, f.Undo); err != nil {
		return nil, nil, err
	}
	if d.redo, err = readSteps(dec, d.now, f.Redo); err != nil {
		return nil, nil, err
	}
	return d, f, nil
}

func readSteps(dec *decoder, from content, records []stepRecord) ([]step, error) {
	out := make([]step, len(records))
	for i, rec := range records {
		meshes, err := dec.applyAll(from.meshes, rec.Groups)
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", rec.Does, err)
		}
		from = content{rules: rec.Rules, meshes: withDefault(meshes)}
		out[len(records)-1-i] = step{does: rec.Does, content: from}
	}
	return out, nil
}

// digest identifies rules and texts, to notice a change between two runs.
func digest(c content) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	groups := make([]string, 0, len(c.meshes))
	for g := range c.meshes {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	_ = enc.Encode(c.rules) // a hash takes everything
	for _, g := range groups {
		_ = enc.Encode(g)
		for _, r := range c.meshes[g].All() {
			_ = enc.Encode([]string{r.Key.Type.String(), r.Source.Body()})
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// withDefault adds the default group where it is missing.
func withDefault(meshes map[string]*mesh.Mesh) map[string]*mesh.Mesh {
	if meshes[mesh.DefaultGroup] != nil {
		return meshes
	}
	out := map[string]*mesh.Mesh{mesh.DefaultGroup: {}}
	for g, m := range meshes {
		if m != nil {
			out[g] = m
		}
	}
	return out
}
