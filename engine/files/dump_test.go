package files

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
)

// What a production sidecar says, and what istioctl and egctl make of dumps.
func TestOpenDump(t *testing.T) {
	paths, err := filepath.Glob("testdata/dumps/*")
	if err != nil || len(paths) < 8 {
		t.Fatalf("dumps: %v, %v", paths, err)
	}
	for _, path := range paths {
		o := open(t, path)
		if len(o.Problems) > 0 || o.Kind != Dump {
			t.Errorf("%s: %v %v", path, o.Kind, o.Problems)
		}
		golden(t, "dump-"+filepath.Base(path)+".txt", dump(o))
		for _, m := range o.Meshes {
			for _, r := range m.All() {
				linesHold(t, r.Source)
			}
		}
	}
}

// linesHold makes sure that every field stands where its source says.
func linesHold(t *testing.T, src mesh.Source) {
	t.Helper()
	data, err := os.ReadFile(src.File)
	if err != nil {
		t.Fatal(err)
	}
	file, held := strings.Split(string(data), "\n"), 0
	for i, line := range strings.Split(strings.TrimSuffix(src.Text, "\n"), "\n") {
		at := src.LineAt(i + 1)
		name, _, isField := strings.Cut(strings.Trim(line, " -"), ":")
		if !at.Exact || !isField || strings.Contains(name, " ") {
			continue
		}
		if name = strings.Trim(name, `"`); !strings.Contains(snake(file[at.Line-1]), name) && !strings.Contains(file[at.Line-1], name) {
			t.Errorf("%s:%d is %q, and should say %q", src.File, at.Line, file[at.Line-1], line)
		}
		held++
	}
	if held == 0 {
		t.Errorf("%s:%d: no line of it has a place", src.File, src.Line)
	}
}

// Dumps that are odd open as far as they can be read, and say where they cannot.
func TestOddDumps(t *testing.T) {
	a, err := txtar.ParseFile("testdata/odd/dumps.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range a.Files {
		dir := write(t, t.TempDir(), map[string]string{f.Name: string(f.Data)})
		o, err := Open(filepath.Join(dir, f.Name))
		fmt.Fprintf(&all, "==== %s\n", f.Name)
		if err != nil {
			fmt.Fprintln(&all, relative(err.Error(), dir))
			continue
		}
		fmt.Fprintln(&all, relative(dump(o), dir))
	}
	golden(t, "odd-dumps.txt", all.String())
}

// A byte order mark, as Windows' editors put it before a file, changes nothing.
func TestADumpWithAByteOrderMark(t *testing.T) {
	data, err := os.ReadFile("testdata/dumps/resource-listeners.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, t.TempDir(), map[string]string{"dump.json": "\ufeff" + string(data)})
	o := open(t, filepath.Join(dir, "dump.json"))
	if got := len(o.Meshes[mesh.DefaultGroup].List(mesh.Listener)); got != 1 || o.Kind != Dump {
		t.Errorf("%d listeners, %s", got, o.Kind)
	}
}
