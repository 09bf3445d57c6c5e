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
// The same request is asked of nginx's ways (try_nginx.go), read from the nginx.conf
// of the mesh, and sent to a real nginx where there is one. The nginx.conf is edited
// as text (nginx_edit.go) and comes back as a draft through the Workspace; what looks
// alike in it and is not (friends.go) is found when the picture is made. A Contest
// makes one change in both worlds and is drawn as it goes (contest.go).
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
