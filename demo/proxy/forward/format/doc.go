// Package format reads Envoy's substitution format strings, the %REQ(x-id)% in
// the value of a header that a route adds, and fills them in.
//
// It knows the operators that can be answered by a proxy that has no metadata
// and no filter state. Parse refuses all others by name, so that a
// configuration which asks for them is refused as a whole and no header is
// silently wrong.
package format
