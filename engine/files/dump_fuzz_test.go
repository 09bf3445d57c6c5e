package files

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// dumpSeeds are small dumps of every form, and files that are nearly one.
func dumpSeeds(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	paths, err := filepath.Glob("testdata/dumps/[ier]*")
	if err != nil || len(paths) < 7 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	a, err := txtar.ParseFile("testdata/odd/dumps.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		out = append(out, f.Data)
	}
	return out
}

// opensOrRefuses opens bytes as a file; what is read by protobuf alone must be
// what its YAML says.
func opensOrRefuses(t *testing.T, data []byte) (opened bool) {
	t.Helper()
	o, err := openFile("/nowhere/dump.json", data)
	if err != nil {
		return false
	}
	o.finish()
	for _, m := range o.Meshes {
		for _, r := range m.All() {
			says, findings := text.Decode(r.Key.Type, r.Source)
			if says == nil || !mesh.SameContent(r, says) {
				t.Fatalf("%s says something else than its text: %v\n%s\nof\n%q", r.Key, findings, r.Source.Text, data)
			}
		}
	}
	return true
}

func FuzzDump(f *testing.F) {
	for _, seed := range dumpSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { opensOrRefuses(t, data) })
}

// Dumps that were damaged at random, the same ones each time.
func TestDamagedDumps(t *testing.T) {
	seeds, rnd := dumpSeeds(t), rand.New(rand.NewPCG(4, 2))
	opened := 0
	for range 3000 {
		data := append([]byte(nil), seeds[rnd.IntN(len(seeds))]...)
		for range 1 + rnd.IntN(3) {
			data = damaged(rnd, data, seeds)
		}
		if opensOrRefuses(t, data) {
			opened++
		}
	}
	if opened < 100 {
		t.Errorf("only %d of them open, so that little was looked at", opened)
	}
}

func damaged(rnd *rand.Rand, data []byte, seeds [][]byte) []byte {
	if len(data) == 0 {
		return data
	}
	i := rnd.IntN(len(data))
	upTo := func(n int) int { return min(len(data), i+rnd.IntN(n)) }
	with := func(head, middle, tail []byte) []byte {
		return append(append(append([]byte(nil), head...), middle...), tail...)
	}
	switch rnd.IntN(5) {
	case 0:
		data[i] = byte(rnd.IntN(256))
	case 1:
		const signs = "{}[]\",:0123 \n"
		data[i] = signs[rnd.IntN(len(signs))]
	case 2: // cut out
		return with(data[:i], nil, data[upTo(50):])
	case 3: // twice
		j := upTo(80)
		return with(data[:j], data[i:j], data[j:])
	case 4: // of another
		other := seeds[rnd.IntN(len(seeds))]
		k := rnd.IntN(len(other))
		return with(data[:i], other[k:min(len(other), k+rnd.IntN(200))], data[i:])
	}
	return data
}
