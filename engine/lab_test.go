package engine_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("ENGINE_TEST_EDIT_AND_WAIT"); dir != "" {
		editAndWait(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// lab is a workspace on disk with its own state folder.
type lab struct {
	*testing.T
	dir, state string
	published  recorder
}

// recorder is a Publisher that remembers.
type recorder struct {
	mu   sync.Mutex
	revs []*engine.Revision
}

func (r *recorder) Publish(rev *engine.Revision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revs = append(r.revs, rev)
}

func (r *recorder) numbers() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []int
	for _, rev := range r.revs {
		out = append(out, rev.Number)
	}
	return out
}

var (
	cluster   = mesh.Key{Type: mesh.Cluster, Name: "app"}
	endpoints = mesh.Key{Type: mesh.Endpoints, Name: "app"}
	route     = mesh.Key{Type: mesh.Route, Name: "app"}
)

// newLab writes a workspace of templates that fit together.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dir: filepath.Join(t.TempDir(), "shop"), state: t.TempDir()}
	for _, typ := range []mesh.Type{mesh.Listener, mesh.Route, mesh.Cluster, mesh.Endpoints} {
		l.write(typ.File(), response(typ, engine.Template(typ, "app")))
	}
	return l
}

// response is a DiscoveryResponse with one resource.
func response(t mesh.Type, yaml string) string {
	var b strings.Builder
	b.WriteString("resources:\n- \"@type\": " + t.URL() + "\n")
	for line := range strings.Lines(yaml) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func (l *lab) write(name, content string) {
	l.Helper()
	if err := (files.Disk{}).WriteFile(filepath.Join(l.dir, name), []byte(content), 0o644); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) read(name string) string {
	l.Helper()
	data, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.Fatal(err)
	}
	return string(data)
}

func (l *lab) options() engine.Options {
	return engine.Options{StateDir: l.state, Publisher: &l.published, Author: "ops"}
}

func (l *lab) open(change ...func(*engine.Options)) *engine.Workspace {
	l.Helper()
	o := l.options()
	for _, c := range change {
		c(&o)
	}
	w, err := engine.Open(context.Background(), l.dir, o)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { l.close(w) })
	return w
}

func (l *lab) close(w *engine.Workspace) {
	l.Helper()
	if err := w.Close(); err != nil {
		l.Error(err)
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// await waits until the state is as asked for.
func (l *lab) await(w *engine.Workspace, what string, ok func(*engine.State) bool) *engine.State {
	l.Helper()
	wake, stop := w.Changed()
	defer stop()
	deadline := time.After(20 * time.Second)
	for {
		if s := w.State(); ok(s) {
			return s
		}
		select {
		case <-wake:
		case <-deadline:
			l.Fatalf("the workspace never came to: %s; it is %+v", what, w.State())
		}
	}
}

func drain(address string) engine.Edit {
	return engine.SetHealth{Key: endpoints, Endpoint: address, Status: "DRAINING"}
}

func draftText(w *engine.Workspace, k mesh.Key) string {
	if r := w.State().Group(mesh.DefaultGroup).Draft.Get(k); r != nil {
		return r.Source.Text
	}
	return ""
}

func (l *lab) push(w *engine.Workspace) *engine.Revision {
	l.Helper()
	r, err := w.Push(engine.PushOptions{})
	l.must(err)
	return r
}

func lbPolicy(p string) engine.Edit {
	return engine.SetField{Key: cluster, Path: "lb_policy", Value: p}
}

func texts(s *engine.State) map[string]string {
	out := map[string]string{}
	for _, r := range s.Group(mesh.DefaultGroup).Draft.All() {
		out[r.Key.String()] = r.Source.Text
	}
	return out
}

// quick writes without waiting for the disk.
type quick struct{}

func (quick) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, perm)
}
