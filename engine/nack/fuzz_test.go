package nack_test

import (
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/nack/nacktest"
	"example.com/meshtui/engine/text"
)

// No words and no resource make Diagnose panic or say nothing, and what it
// proposes can be read.
func FuzzDiagnose(f *testing.F) {
	for _, from := range []string{"envoy", "grpc", "other"} {
		for _, c := range nacktest.Load(f, "testdata/"+from, nil) {
			for _, k := range c.Changed {
				was := ""
				if old := c.Before.Get(k); old != nil {
					was = old.Source.Text
				}
				f.Add(c.Text, uint8(k.Type), was, c.Mesh.Get(k).Source.Text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, words string, kind uint8, was, now string) {
		of := mesh.Type(kind)
		r := nack.Rejection{Text: words, Type: of}
		if len(was)+len(now) > 1<<16 {
			return
		}
		if res, _ := text.Decode(of, mesh.Source{Text: now}); res != nil {
			r.Mesh = r.Mesh.With(res)
			r.Changed = append(r.Changed, res.Key)
		}
		if res, _ := text.Decode(of, mesh.Source{Text: was}); res != nil {
			r.Before = r.Before.With(res)
		}
		all := nack.Diagnose(r)
		if len(all) == 0 {
			t.Fatal("nothing is said")
		}
		for _, d := range all {
			if d.Plain == "" {
				t.Errorf("an empty diagnosis: %+v", d)
			}
			if d.Fix == nil {
				continue
			}
			if res, found := text.Decode(d.Fix.Key.Type, mesh.Source{Text: d.Fix.Text}); res == nil {
				t.Errorf("the mended text: %v", found)
			}
		}
	})
}
