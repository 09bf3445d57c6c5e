package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Workspace owns what is opened, drafted, pushed and saved. All methods may be
// called from any goroutine. Make one with Open or OpenMeshes, end it with
// Close.
type Workspace struct {
	options Options
	name    string
	path    string // absolute; "" in memory
	state   atomic.Pointer[State]

	// pushing keeps revisions in order on their way to the Publisher, which is
	// called without mu.
	pushing sync.Mutex
	tasks   *task.Group
	watch   *watcher // nil in memory

	mu        sync.Mutex // guards what follows
	closed    bool
	store     *store // nil where nothing is kept
	holder    string // who holds the workspace, "" when this process may write
	saveTo    string
	origin    string        // digest of the single file that was opened, "" for a folder
	opened    *files.Opened // what is on disk, as last read or written; nil in memory
	base      content       // what opened says; in memory what it began with
	draft     draft
	revisions []*Revision
	number    int // of the newest revision ever
	widened   int // number of the one that was widened, until its rollout to all begins; else 0
	disk      *offer
	dismissed string                  // digest of unreadable files that the operator will write over
	notices   map[string]mesh.Finding // of our own, by rule
	checked   map[string]checked      // by group
	kept      keptRequests
	moved     map[string]*moved // by group
	wakes     task.Wakes
}

// checked remembers what the checks said of one draft against one live mesh.
type checked struct {
	live, draft *mesh.Mesh
	rest        *mesh.Mesh    // what the nodes have that the newest revision does not go to yet; nil where it goes to all
	opened      *files.Opened // which knows what is absent
	changes     []mesh.Change
	ofDraft     []mesh.Finding // of the draft by itself, whatever is live
	findings    []mesh.Finding
}

// Open opens a folder or file. It restores the draft and the history that are
// kept for it, and publishes what is on disk: as the revision that was served
// last where the content is the same, else as a new one. What is on disk with
// error findings is not served; then the last revision is served on, if there is
// one, and what is on disk stands in the draft.
//
// A single file that was saved to a folder goes on as that folder: what the
// folder says is what is on disk, and Save writes there. A notice says so. Where
// the file itself changed since, the file is what is opened.
//
// When another process holds the workspace, this one is read-only: it publishes
// nothing and writes nothing. ctx ends the watch of the files; Close is needed
// all the same. Publish may be called before Open returns.
func Open(ctx context.Context, path string, o Options) (*Workspace, error) {
	opened, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	w := newWorkspace(opened.Name, o)
	w.path, w.opened = abs, opened
	w.base = contentOf(opened)
	if opened.Kind == files.Folder {
		w.saveTo = abs
	} else {
		w.origin = digest(w.base)
	}
	if err := w.startWatch(ctx); err != nil {
		w.note(mesh.Finding{Severity: mesh.Warning, Rule: "not-watched", File: abs,
			Message: fmt.Sprintf("the files are not watched: %v", err), Hint: "open the workspace again to see changes made by other programs"})
	}
	w.restore()
	w.readKept()
	w.serveOpened()
	if w.watch != nil {
		w.look() // for what changed before the watch began
	}
	return w, nil
}

// OpenMeshes makes a workspace in memory: no disk, no lock, nothing kept. It
// publishes the meshes as revision 1 unless they have error findings.
func OpenMeshes(ctx context.Context, name string, meshes map[string]*mesh.Mesh, o Options) (*Workspace, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.StateDir = ""
	w := newWorkspace(name, o)
	w.base = content{meshes: withDefault(maps.Clone(meshes))}
	w.draft.now = w.base
	if len(o.Kept) > 0 {
		text, err := kept.Format(o.Kept)
		if err != nil {
			return nil, err
		}
		w.setKept(text)
	}
	w.serveOpened()
	return w, nil
}

func newWorkspace(name string, o Options) *Workspace {
	return &Workspace{
		options: o.filled(), name: name,
		notices: map[string]mesh.Finding{}, checked: map[string]checked{}, moved: map[string]*moved{},
	}
}

func contentOf(o *files.Opened) content {
	return content{rules: o.Rules, meshes: withDefault(o.Meshes)}
}

// State is what the workspace looks like now. It is never nil.
func (w *Workspace) State() *State { return w.state.Load() }

// Changed gives a channel that is written to after State changed; several
// changes may be one wake. The function gives it up.
func (w *Workspace) Changed() (<-chan struct{}, func()) {
	return w.wakes.Changed()
}

// Close ends the watch and gives the lock back. The draft and the history are
// on disk already. Closing twice is no fault.
func (w *Workspace) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	store := w.store
	w.mu.Unlock()
	var err error
	if w.watch != nil {
		w.tasks.Stop()
		err = errors.Join(w.watch.close(), w.tasks.Wait())
	}
	return errors.Join(err, store.close())
}

// change runs one change to the draft under the lock, keeps the draft and shows
// the new state.
func (w *Workspace) change(do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	before := w.draft.now
	if err := do(); err != nil {
		return err
	}
	if !maps.Equal(before.meshes, w.draft.now.meshes) || !slices.Equal(before.rules, w.draft.now.rules) {
		w.keepDraft()
	}
	w.show()
	return nil
}

func (w *Workspace) writable() error {
	switch {
	case w.closed:
		return ErrClosed
	case w.holder != "":
		return &ReadOnlyError{Holder: w.holder}
	}
	return nil
}

// live is what the newest revision says; the empty content before the first.
func (w *Workspace) live() content {
	if len(w.revisions) == 0 {
		return content{rules: w.draft.now.rules, meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: {}}}
	}
	r := w.revisions[len(w.revisions)-1]
	return content{rules: r.Rules, meshes: r.Meshes}
}

// show replaces the state and wakes whoever waits for it.
func (w *Workspace) show() {
	s := &State{
		Name: w.name, Path: w.path, SaveTo: w.saveTo, ReadOnly: w.holder,
		Rules: w.draft.now.rules, Draft: changes(w.live(), w.draft.now),
		Undo: describe(w.draft.undo), Redo: describe(w.draft.redo),
		Unsaved:   changes(w.base, w.draft.now) > 0,
		Revisions: slices.Clone(w.revisions), Notices: w.allNotices(), At: w.options.Now(),
		Kept: w.kept.requests, KeptProblems: w.keptProblems(w.draft.now), KeptFile: w.keptFile(),
	}
	live := w.live()
	for _, g := range w.draft.now.groups() {
		group := w.groupState(g, live.meshes[g], w.draft.now.meshes[g])
		group.Moved = w.movedBy(group)
		s.Groups = append(s.Groups, group)
	}
	if head := s.Head(); head != nil && len(head.Only) > 0 {
		s.Limited = head
	}
	if w.disk != nil {
		s.Disk = w.disk.change
	}
	w.state.Store(s)
	w.wakes.Wake()
}

// groupState checks a group, or remembers what was said of the same meshes.
func (w *Workspace) groupState(name string, live, draft *mesh.Mesh) GroupState {
	if live == nil {
		live = &mesh.Mesh{}
	}
	rest := w.restMesh(name)
	c, ok := w.checked[name]
	if !ok || c.live != live || c.rest != rest || c.draft != draft || c.opened != w.opened {
		fresh := checked{live: live, rest: rest, draft: draft, opened: w.opened, changes: mesh.DiffText(live, draft), ofDraft: c.ofDraft}
		if !ok || c.draft != draft || c.opened != w.opened {
			fresh.ofDraft = check.MeshWith(draft, around(w.opened, name, w.options.Now()))
		}
		fresh.findings = append(slices.Clone(fresh.ofDraft), check.Change(live, draft)...)
		if rest != nil {
			fresh.findings = append(fresh.findings, check.Change(rest, draft)...)
		}
		worstFirst(fresh.findings)
		fresh.findings = slices.Compact(fresh.findings)
		c = fresh
		w.checked[name] = c
	}
	return GroupState{Name: name, Live: live, Draft: draft, Changes: c.changes, Findings: c.findings}
}

// restMesh is what the nodes of a group have that the newest revision does not go
// to yet; nil where it goes to all, or where they have nothing.
func (w *Workspace) restMesh(group string) *mesh.Mesh {
	if head := w.head(); head != nil && head.Rest != nil {
		return head.Rest.Meshes[group]
	}
	return nil
}

// worstFirst orders findings by severity, then by file and line; those of no
// file by resource first.
func worstFirst(fs []mesh.Finding) {
	slices.SortStableFunc(fs, func(a, b mesh.Finding) int {
		resource := 0
		if a.File == "" && b.File == "" {
			resource = cmp.Or(cmp.Compare(a.Key.Type, b.Key.Type), cmp.Compare(a.Key.Name, b.Key.Name))
		}
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.File, b.File), resource,
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule))
	})
}

// note remembers a notice of our own; there is one for each rule and file.
func (w *Workspace) note(f mesh.Finding) { w.notices[f.Rule+f.File] = f }

// allNotices is what could not be read or carried over, and our own notices,
// worst first.
func (w *Workspace) allNotices() []mesh.Finding {
	var out []mesh.Finding
	if w.opened != nil {
		out = append(append(out, w.opened.Problems...), w.opened.Notices...)
	}
	for _, f := range w.notices {
		out = append(out, f)
	}
	worstFirst(out)
	return out
}
