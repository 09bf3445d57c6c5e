//go:build unix

package sds

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/engine/text"
)

func generic(t *testing.T, name, path string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(mesh.Secret, mesh.Source{Text: "name: " + name + "\ngeneric_secret: {secret: {filename: " + path + "}}\n"})
	if r == nil {
		t.Fatal(findings)
	}
	return r
}

// A pipe that nobody writes to keeps nobody waiting.
func TestAPipeIsNoSecret(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Dir: dir})
	r := generic(t, "a", "pipe")
	if s.Fill(r) != r.Message {
		t.Error("something was read")
	}
	if f := s.Findings(); len(f) != 1 || !strings.Contains(f[0].Message, "it is no regular file") {
		t.Errorf("found %v", f)
	}
}

// A file that does not answer holds up neither the questions nor the other
// secrets nor the end; when it answers, it is served.
func TestAFileThatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"stuck", "good"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changed := make(chan []mesh.Key, 10)
	s := New(Options{Dir: dir, Changed: func(keys ...mesh.Key) { changed <- keys }})
	release := make(chan struct{})
	s.readFile = func(f file) ([]byte, error) {
		if f.named == "stuck" {
			<-release
		}
		return readFile(f)
	}
	g, ctx := task.New(t.Context())
	g.Go("source", func() error { return s.Run(ctx) })
	stuck, good := generic(t, "stuck", "stuck"), generic(t, "good", "good")
	if s.Fill(stuck) != stuck.Message {
		t.Error("something was read")
	}
	if f := s.Findings(); len(f) != 1 || !strings.Contains(f[0].Message, "stuck does not answer; the secret is served as it is written") {
		t.Errorf("found %v", f)
	}
	holds := func(r *mesh.Resource, want string) bool {
		served, ok := s.Fill(r).(*tlsv3.Secret)
		return ok && bytes.Equal(served.GetGenericSecret().GetSecret().GetInlineBytes(), []byte(want))
	}
	for !holds(good, "of good") { // at once, or told as a change on a machine that is busy
		<-changed
	}
	close(release)
	for !holds(stuck, "of stuck") {
		<-changed
	}
	if f := s.Findings(); len(f) > 0 {
		t.Errorf("found %v", f)
	}
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// Whoever watches ends although a file does not answer.
func TestTheEndWaitsForNoFile(t *testing.T) {
	s := New(Options{Dir: t.TempDir()})
	release, gone := make(chan struct{}), make(chan struct{})
	s.readFile = func(file) ([]byte, error) { <-release; return nil, os.ErrNotExist }
	r := generic(t, "a", "a")
	s.Fill(r)
	g, ctx := task.New(t.Context())
	g.Go("source", func() error { defer close(gone); return s.Run(ctx) })
	g.Stop()
	<-gone
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	begun := s.known(r).begun
	s.mu.Unlock()
	close(release)
	<-begun.done
}

// Every link on the way may be made to lead elsewhere: one to the file, to the
// folder that it is in, and to what that folder is in.
func TestFoldersOf(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) string { return filepath.Join(dir, path) }
	if err := os.MkdirAll(at("real/v1/in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, target := range map[string]string{"file": "etc/live/in/c.pem", "real/live": "v1", "etc": at("real"), "round": "round"} {
		if err := os.Symlink(target, at(path)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"etc/live/in/c.pem": {at(""), at("real"), at("real/v1/in")},
		"file":              {at(""), at(""), at("real"), at("real/v1/in")},
		"real/v1/c.pem":     {at("real/v1")},
		"none/v1/c.pem":     {at("none/v1")},
	} {
		if diff := cmp.Diff(want, foldersOf(at(path))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if len(foldersOf(at("round"))) == 0 || len(foldersOf("")) > 0 {
		t.Error("a circle, or nothing")
	}
}
