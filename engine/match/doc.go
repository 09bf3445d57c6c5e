// Package match says which way a request takes through a mesh, and why not
// another one: listener, filter chain, virtual host, route, cluster, and what
// is sent upstream.
//
// It follows Envoy's own decisions, field by field, and is held against a real
// Envoy by tests. It is pure: no network, no clock, no randomness but what the
// request brings. What it cannot know (a Lua filter, an external authorisation)
// it names as a caveat.
//
// A Matcher is made from a mesh and is then safe for any number of goroutines.
// Making one costs next to nothing: filter chains and routes are compiled when
// the first request asks for them. Renew keeps what an edit left as it was.
//
// The files follow the request: listener, chain, manager, wire (what the HTTP
// codec refuses), path and host (normalisation), headers (what the connection
// manager adds and removes before it looks for a route), upgrade, cluster.
package match
