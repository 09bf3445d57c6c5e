// Package tui is the screen: it draws what the engine and the xDS server know,
// and turns keys into intents.
//
// Nothing outside ever sends to the running program. What it shows are
// immutable snapshots; one Cmd waits on their wake channels, builds the next
// picture outside the event loop and hands it in whole, at most twenty times a
// second. So the screen cannot slow the control plane, and the control plane
// cannot slow the screen; an editor may be open for an hour.
//
//	wake channels → waitCmd → data (rows, health, nginx, wire) → Update → View
//	key → action → intent (a Cmd that calls the Workspace) → toast, wake
//
// The tester (try.go) asks the matcher of engine/match, never in the event loop:
//
//	form → question → forecast (a Cmd) → View
//	enter → Trier (a Cmd) → shot: predicted and observed, side by side
//
// What a node made of what it was sent is never judged here: package truth comes
// to a verdict on every resource, package nack to the reasons of a rejection; the
// picture holds both, made when their sources change (truths.go, reasons.go).
//
// Every key is an action in one registry (actions.go), from which the footer,
// the help and the command palette are made. Only the root is a tea.Model;
// screens and overlays are plain structs that it asks for lines. Layout is a
// pure function of the size and what is shown.
package tui
