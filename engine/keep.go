package engine

import (
	"fmt"
	"os"
	"slices"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// keptRequests are the requests of a workspace. The text is the truth; what was
// read from it is replaced as a whole.
type keptRequests struct {
	content  string
	requests []kept.Request
	problems []mesh.Finding
}

// moved remembers which kept requests a draft sends elsewhere than what is live,
// and the matchers, which take over what they have compiled.
type moved struct {
	live, draft *mesh.Mesh
	requests    []kept.Request
	from, to    *match.Matcher
	moves       []kept.Move
}

// Keep adds a request to those that are kept, in the place of one of its name,
// and writes their file at once. What else the file says stays as it is, also
// what another program wrote meanwhile. A workspace in memory keeps it until it
// is saved.
func (w *Workspace) Keep(r kept.Request) error {
	return w.changeKept(func(content string) (string, error) { return kept.Put(content, r) })
}

// Forget takes the request of a name from those that are kept, and writes their
// file at once. It fails where there is none.
func (w *Workspace) Forget(name string) error {
	return w.changeKept(func(content string) (string, error) { return kept.Remove(content, name) })
}

func (w *Workspace) changeKept(edit func(content string) (string, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	file, content := w.keptFile(), w.kept.content
	if file != "" {
		var err error
		if content, err = files.ReadKept(file); err != nil {
			return err
		}
	}
	now, err := edit(content)
	if err != nil {
		if file != "" {
			return fmt.Errorf("%s: %w", file, err)
		}
		return err
	}
	if file != "" {
		if err := files.SaveKept(file, now, w.options.Writer); err != nil {
			return err
		}
	}
	w.setKept(now)
	w.show()
	return nil
}

// keptFile is where the requests are kept; "" in memory.
func (w *Workspace) keptFile() string {
	switch {
	case w.opened != nil && w.opened.Kind == files.Folder:
		return files.KeptFile(w.opened.Path)
	case w.opened != nil && w.opened.Path == w.path:
		return files.KeptBeside(w.path)
	case w.path != "":
		return files.KeptFile(w.path)
	}
	return ""
}

// setKept reads the text of the kept requests.
func (w *Workspace) setKept(content string) {
	k := keptRequests{content: content}
	k.requests, k.problems = kept.Parse(content, w.keptFile())
	w.kept = k
}

// readKept reads the file of the kept requests; it reports whether that says
// something else than before. A file that cannot be read is a problem, and what
// it said before is still shown.
func (w *Workspace) readKept() (changed bool) {
	file := w.keptFile()
	if file == "" {
		return false
	}
	content, err := files.ReadKept(file)
	if err != nil {
		f := files.UnreadableKept(file, err)
		if slices.Contains(w.kept.problems, f) {
			return false
		}
		w.kept.problems = []mesh.Finding{f}
		w.kept.content = ""
		return true
	}
	if content == w.kept.content && (content != "" || len(w.kept.problems) == 0) {
		return false
	}
	w.setKept(content)
	return true
}

// lookKept shows what another program made of the file of the kept requests.
func (w *Workspace) lookKept() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed && w.state.Load() != nil && w.readKept() {
		w.show()
	}
}

// moveKept takes the kept requests to the folder that is about to be saved to, so
// that they are there before anything forgets where they were. undo takes them
// away again where the save fails.
func (w *Workspace) moveKept(dir string) (undo func() error, err error) {
	to, nothing := files.KeptFile(dir), func() error { return nil }
	if to == w.keptFile() || w.kept.content == "" {
		return nothing, nil
	}
	there, err := files.ReadKept(to)
	switch {
	case err != nil:
		return nil, err
	case there == w.kept.content:
		return nothing, nil
	case there != "":
		return nil, fmt.Errorf("saving: %s is there already and belongs to something else; choose an empty folder", to)
	}
	if err := files.SaveKept(to, w.kept.content, w.options.Writer); err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	return func() error { return os.Remove(to) }, nil
}

// keptProblems are those of the file, and requests of groups that are not there.
func (w *Workspace) keptProblems(c content) []mesh.Finding {
	return append(slices.Clone(w.kept.problems), files.UnknownGroups(w.keptFile(), w.kept.requests, func(group string) bool {
		return c.meshes[group] != nil
	})...)
}

// movedBy is which kept requests of a group find another target in the draft
// than in what is live, or remembers it. changed says whether the two differ.
func (w *Workspace) movedBy(g GroupState) []kept.Move {
	was := w.moved[g.Name]
	if len(w.revisions) == 0 || len(g.Changes) == 0 || len(w.kept.requests) == 0 {
		return nil
	}
	if was != nil && was.live == g.Live && was.draft == g.Draft && sameSlice(was.requests, w.kept.requests) {
		return was.moves
	}
	now := &moved{live: g.Live, draft: g.Draft, requests: w.kept.requests}
	if was == nil {
		was = &moved{}
	}
	now.from = renewed(g.Live, was)
	now.to = renewed(g.Draft, &moved{live: g.Live, draft: was.draft, from: now.from, to: was.to})
	now.moves = kept.Compare(now.from, now.to, ofGroup(w.kept.requests, g.Name))
	w.moved[g.Name] = now
	return now.moves
}

// renewed is a matcher for a mesh: the one that there is, else one that takes
// over what is compiled.
func renewed(m *mesh.Mesh, was *moved) *match.Matcher {
	switch {
	case was.from != nil && was.live == m:
		return was.from
	case was.to != nil && was.draft == m:
		return was.to
	case was.to != nil:
		return was.to.Renew(m)
	case was.from != nil:
		return was.from.Renew(m)
	}
	return match.New(m)
}

func sameSlice(a, b []kept.Request) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func ofGroup(rs []kept.Request, group string) []kept.Request {
	var out []kept.Request
	for _, r := range rs {
		if r.Of(group) {
			out = append(out, r)
		}
	}
	return out
}
