package text

import (
	"testing"

	"example.com/meshtui/engine/mesh"
)

// Whatever the bytes, Decode ends without a panic, and what it takes can be
// written and read again.
func FuzzDecode(f *testing.F) {
	for i, s := range samples(f) {
		f.Add(s, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		typ := mesh.Types()[int(kind)%len(mesh.Types())]
		r, fs := Decode(typ, mesh.Source{Text: text})
		if (r == nil) != (mesh.Worst(fs) >= mesh.Error) {
			t.Fatalf("resource %v beside findings %v", r, fs)
		}
		if r == nil {
			return
		}
		out, err := Encode(r.Message)
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		again, fs := Decode(typ, mesh.Source{Text: out})
		if again == nil {
			t.Fatalf("what was written cannot be read: %v\n%s", fs, out)
		}
		if !mesh.SameContent(r, again) {
			t.Fatalf("not the same content:\n%s\n%v\n%v", out, r.Message, again.Message)
		}
	})
}

// Whatever the bytes, an edit either fails and leaves the text as it is or
// makes one that reads back, and its vicinity proves no edit that the whole text
// would not.
func FuzzEdit(f *testing.F) {
	for i, s := range append(samples(f), awkwardLists...) {
		f.Add(s, uint16(i), "value")
	}
	f.Fuzz(func(t *testing.T, text string, nth uint16, value string) {
		path := PathAt(text, int(nth)%50+1)
		for _, do := range []func() (string, error){
			func() (string, error) { return Set(text, path, value) },
			func() (string, error) { return Insert(text, path, -1, value) },
			func() (string, error) { return Delete(text, path) },
		} {
			if out, err := do(); err != nil && out != text {
				t.Fatalf("%s failed with %v and changed the text", path, err)
			}
		}
		if Check(text) == nil {
			agree(t, text, path, setEdit, 0, value)
			agree(t, text, path, insertEdit, -1, value)
			agree(t, text, path, deleteEdit, 0, nil)
		}
	})
}
