package nack_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/nack/nacktest"
)

var update = flag.Bool("update", false, "write what Diagnose says now into the cases")

// Each archive below testdata is a NACK and what Diagnose makes of it. Those in
// envoy were said by a real Envoy (xds holds them against one).
func TestDiagnose(t *testing.T) {
	for _, from := range []string{"envoy", "grpc", "other"} {
		for _, c := range nacktest.Load(t, filepath.Join("testdata", from), nil) {
			t.Run(from+"/"+c.Name, func(t *testing.T) { golden(t, c) })
		}
	}
}

func golden(t *testing.T, c nacktest.Case) {
	got := &txtar.Archive{Comment: c.Archive.Comment}
	want := &txtar.Archive{Comment: c.Archive.Comment, Files: c.Archive.Files}
	for _, f := range c.Archive.Files {
		if f.Name != "diagnosis" && !strings.HasPrefix(f.Name, "fixed") {
			got.Files = append(got.Files, f)
		}
	}
	all := nack.Diagnose(c.Rejection)
	var said []string
	mended := map[mesh.Key]bool{}
	for _, d := range all {
		said = append(said, told(d))
	}
	got.Files = append(got.Files, txtar.File{Name: "diagnosis", Data: []byte(strings.Join(said, "\n"))})
	reasons := map[string]bool{}
	for _, d := range all {
		if d.Fix == nil || reasons[d.Words] {
			continue
		}
		reasons[d.Words] = true
		if mended[d.Fix.Key] {
			t.Errorf("%s is mended twice", d.Fix.Key)
		}
		mended[d.Fix.Key] = true
		got.Files = append(got.Files, txtar.File{Name: fmt.Sprintf("fixed %s", d.Fix.Key), Data: []byte(d.Fix.Text)})
		untouched(t, c, d)
	}
	if diff := cmp.Diff(string(txtar.Format(want)), string(txtar.Format(got))); diff != "" && !*update {
		t.Errorf("-want +got:\n%s", diff)
	}
	if *update {
		if err := os.WriteFile(c.File, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// told is a diagnosis as the goldens have it.
func told(d nack.Diagnosis) string {
	var b strings.Builder
	sure := "surely"
	if !d.Sure {
		sure = "maybe"
	}
	fmt.Fprintf(&b, "%s %s, %s:%d:%d %s\n", sure, d.Key, d.File, d.Line, d.Column, d.Path)
	for _, line := range []struct{ what, text string }{{"words", d.Words}, {"plain", d.Plain}, {"why", d.Why}, {"hint", d.Hint}} {
		if line.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", line.what, line.text)
		}
	}
	if d.Fix != nil {
		fmt.Fprintf(&b, "fix: %s\n", d.Fix.Says)
	}
	return b.String()
}

// untouched holds that a fix leaves every comment and all but a few lines as
// they are, and that the text can be read.
func untouched(t *testing.T, c nacktest.Case, d nack.Diagnosis) {
	t.Helper()
	if _, err := nacktest.Read(strings.ToLower(d.Key.Type.Service())+"-x.yaml", d.Fix.Text); err != nil {
		t.Errorf("the mended text: %v", err)
	}
	was := strings.Count(c.Mesh.Get(d.Fix.Key).Source.Text, "#")
	if now := strings.Count(d.Fix.Text, "#"); now < was && !strings.Contains(d.Fix.Says, "delete") {
		t.Errorf("%d of %d comments are left:\n%s", now, was, d.Fix.Text)
	}
}
