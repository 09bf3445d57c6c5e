// Package widget holds what the screen is drawn with: text that is fitted to a
// width and cleaned of control characters, rows, frames with shared borders, a
// cursor in a long list, and boxes laid over a finished screen.
//
// Everything is a function of its arguments and returns lines of exactly the
// width that was asked for. Widths are terminal cells, measured by x/ansi.
package widget
