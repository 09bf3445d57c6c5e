// Package outline turns a mesh into the rows of the four panes and follows the
// thread through them.
//
// A row is one thing that an operator points at: a listener, a filter chain, a
// virtual host, a route, a cluster, an endpoint. It knows the resource and the
// field path that it stands for, so that whatever is selected anywhere can be
// found everywhere else by reference and path; nothing ever searches text.
//
// Rows are made once for each resource and kept as long as the resource is in
// the mesh; what changes by the second (health, what Envoy runs) is joined in
// when a row is drawn.
package outline
