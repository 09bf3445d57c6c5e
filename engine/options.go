package engine

import (
	"errors"
	"fmt"
	"time"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
)

// Options are what a Workspace needs from outside.
type Options struct {
	StateDir  string           // where drafts and histories are kept; "" keeps none and takes no lock
	Publisher Publisher        // nil publishes nowhere
	Writer    files.Writer     // nil is files.Disk
	Now       func() time.Time // nil is time.Now
	Author    string           // written into revisions
	Kept      []kept.Request   // what OpenMeshes keeps from the beginning; Open reads its own from a file

	// AutoRollback takes a push back that a node rejected: what was accepted last
	// becomes a new revision by itself, to the nodes that had it; to all, also those
	// that took it first, when it was rejected after it was widened. The draft
	// stays, to be mended. What came by a rollback or by opening is never taken back.
	AutoRollback bool
}

func (o Options) filled() Options {
	if o.Writer == nil {
		o.Writer = files.Disk{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// PushOptions say how to push.
type PushOptions struct {
	Note  string // why, in the author's words; "" notes what was done since the last push
	Force bool   // push in spite of error findings

	// Only are the ids of the nodes that get it first, each a glob as in
	// path.Match; none for all. The others keep what went to all last, until
	// Widen; where nothing did, they wait. A push that is not limited goes to all,
	// whatever was before.
	Only []string
}

// What a Workspace answers when there is nothing to do.
var (
	ErrNothingToPush    = errors.New("nothing to push: the draft says what is served already")
	ErrNothingToUndo    = errors.New("nothing to undo")
	ErrNothingToRedo    = errors.New("nothing to redo")
	ErrNothingToDiscard = errors.New("nothing to discard: the draft says what is served already")
	ErrNothingToWiden   = errors.New("nothing to widen: what is served went to all nodes")
	ErrNothingToCancel  = errors.New("nothing to cancel: no rollout is under way")
	ErrNoDiskChange     = errors.New("the files are as they were read: there is nothing to take")
	ErrClosed           = errors.New("the workspace is closed")
)

// ReadOnlyError refuses a change because another process holds the workspace.
type ReadOnlyError struct{ Holder string }

// Error says who holds it and what to do.
func (e *ReadOnlyError) Error() string {
	return e.Holder + "; this one is read-only: close the other, then open it again"
}

// PushError refuses a push because of error findings.
type PushError struct{ Findings []mesh.Finding } // the errors alone, at least one

// Error is the first finding and how many more there are. Whether and how a push
// can be forced is for whoever asked for it to say.
func (e *PushError) Error() string {
	more := ""
	if n := len(e.Findings) - 1; n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	return fmt.Sprintf("not pushed: %s%s", e.Findings[0], more)
}

// firstError is the first finding that is an error, else the first of all.
func firstError(fs []mesh.Finding) mesh.Finding {
	for _, f := range fs {
		if f.Severity == mesh.Error {
			return f
		}
	}
	if len(fs) > 0 {
		return fs[0]
	}
	return mesh.Finding{Severity: mesh.Error, Message: "the text does not decode"}
}

func errorsIn(fs []mesh.Finding) []mesh.Finding {
	var out []mesh.Finding
	for _, f := range fs {
		if f.Severity == mesh.Error {
			out = append(out, f)
		}
	}
	return out
}
