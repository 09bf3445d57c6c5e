package engine

import (
	"errors"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
)

// EditNginx brings an edit of the projected nginx.conf back into the draft of a
// group, as one step of undo. shown is the projection that was edited. It fails,
// and leaves the draft as it is, on a text that is no nginx.conf and when the
// draft is no longer what shown was made of; the Change of a success may be
// empty, and its report says what of the edit was not carried over.
func (w *Workspace) EditNginx(group string, shown *nginx.Config, edited string) (*merge.Change, error) {
	return nil, errors.New("not built")
}
