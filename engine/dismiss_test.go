package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// A file that another program broke can be dismissed, and is then written over.
func TestAnUnreadableChangeCanBeDismissed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cds.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: app\n  connect_timeout: 1s\n")
	w, err := engine.Open(t.Context(), dir, engine.Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	wake, stop := w.Changed()
	defer stop()
	for _, edit := range []bool{false, true} { // also when the draft changed nothing
		write("resources: [oops\n")
		for w.State().Disk == nil {
			<-wake
		}
		if err := w.Save(""); err == nil || !strings.Contains(err.Error(), "dismiss") {
			t.Errorf("save before it is dismissed: %v", err)
		}
		if edit {
			if err := w.Edit(mesh.DefaultGroup, engine.SetField{Key: mesh.Key{Type: mesh.Cluster, Name: "app"}, Path: "connect_timeout", Value: "2s"}); err != nil {
				t.Fatal(err)
			}
		}
		w.DismissDisk()
		if err := w.Save(""); err != nil {
			t.Fatalf("save after it was dismissed: %v", err)
		}
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "name: app") {
			t.Errorf("on disk: %q, %v", b, err)
		}
		if d := w.State().Disk; d != nil {
			t.Errorf("still offered: %+v", d)
		}
	}
	write("resources: [again\n") // what was dismissed before is no licence for this
	for w.State().Disk == nil {
		<-wake
	}
	if err := w.Save(""); err == nil {
		t.Error("a later change is written over unasked")
	}
}
