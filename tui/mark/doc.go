// Package mark says in a glyph and a word how a resource or an endpoint
// stands: what the stream knows (served, ACKed, rejected), joined with what
// Envoy's admin interface shows (active, warming, absent), over one node or
// the worst of several.
//
// It decides nothing that is not in the facts: an ACK alone is called ACKed,
// never active, and what cannot be seen is called so.
package mark
