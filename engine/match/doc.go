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
// The files follow the request:
//
//   - destination.go, listener.go: the listener that takes the connection;
//   - chain.go, connection.go, network.go: the filter chain, its TLS, and the
//     network filters;
//   - wire.go, url.go: what the HTTP codec takes and refuses;
//   - path.go, canonical.go, host.go, headers.go, upgrade.go: what the connection
//     manager changes before it looks for a route;
//   - manager.go, scope.go, matcher.go: the route configuration; package routes
//     does the rest;
//   - upstream.go, fate.go: what the mesh says of the cluster, and what becomes of
//     a request to one that cannot answer;
//   - filter.go, caveat.go, tagging.go, strict.go, unfollowed.go: the HTTP filters
//     and settings that may decide otherwise;
//   - reply.go: what becomes of the answers that Envoy gives itself;
//   - explain.go, target.go, differences.go: all of it for people.
package match
