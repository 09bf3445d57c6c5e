// Package background keeps bubbletea from asking the terminal for its
// background colour before main has begun.
//
// bubbletea v1 does so in a package init: every program that links it writes
// an escape sequence to its terminal, even for --help, and waits five seconds
// on one that does not answer. lipgloss asks only once, and not at all when the
// answer is known. Go initialises packages that are ready in the order of their
// import paths, and example.com/meshtui/… sorts before
// github.com/charmbracelet/bubbletea, so this package is in time to say it.
package background

import "github.com/charmbracelet/lipgloss"

// meshtui draws with the terminal's own sixteen colours, which suit dark and
// light alike, so the answer matters to nothing but the question.
func init() { lipgloss.SetHasDarkBackground(true) }
