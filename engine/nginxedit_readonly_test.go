package engine_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// TestEditNginxOfAReader holds that a workspace which another process holds takes no
// edit of its nginx.conf, and says who holds it.
func TestEditNginxOfAReader(t *testing.T) {
	l := newLab(t)
	l.open()
	reader := l.open()
	before := said(draftOf(reader))
	shown := nginx.Project(draftOf(reader))
	_, err := reader.EditNginx(mesh.DefaultGroup, shown, strings.Replace(shown.String(), "http {", "http {\nserver {\nlisten 127.0.0.1:9;\nreturn 204;\n}\n", 1))
	var refused *engine.ReadOnlyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "has it open; this one is read-only") {
		t.Errorf("a reader's edit: %v", err)
	}
	if after := said(draftOf(reader)); len(after) != len(before) || len(reader.State().Undo) > 0 {
		t.Errorf("a reader's edit left %v and the undo list %q", after, reader.State().Undo)
	}
}
