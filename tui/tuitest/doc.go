// Package tuitest holds what the screen is tried out with: a mesh like the
// demo's, and a workspace, nodes and evidence that a test sets as it likes.
package tuitest
