// Package engine is the workspace: what is opened, drafted, pushed and saved.
//
// A Workspace owns the groups and their meshes, the draft with its undo and
// redo, and the history of revisions. It knows no network and no screen: it
// asks a Publisher to roll a revision out, and shows itself to the outside as
// an immutable State that is replaced as a whole.
//
//	intent (Edit) → draft → check → diff → Push → Publisher → Record(outcome)
//
// A push may go to chosen nodes first: then the others keep what they have until
// Widen, or until the next push to all. A rollout that hangs is ended by Cancel; one
// that is rejected is taken back by itself where Options say so. All three lead to
// what the nodes accepted last, which Revision.Base keeps for each of them.
//
// Requests that are worth asking again are kept beside the files. They are what a
// draft is compared by in behaviour: which of them a push would send elsewhere.
//
// The operator's text is the source of truth: every edit is made to the YAML of
// one resource and leaves the rest of it alone.
package engine
