// Package engine is the workspace: what is opened, drafted, pushed and saved.
//
// A Workspace owns the groups and their meshes, the draft with its undo and
// redo, and the history of revisions. It knows no network and no screen: it
// asks a Publisher to roll a revision out, and shows itself to the outside as
// an immutable State that is replaced as a whole.
//
//	intent (Edit) → draft → check → diff → Push → Publisher → Record(outcome)
//
// Requests that are worth asking again are kept beside the files. They are what a
// draft is compared by in behaviour: which of them a push would send elsewhere.
//
// The operator's text is the source of truth: every edit is made to the YAML of
// one resource and leaves the rest of it alone.
package engine
