// Package nginx says in nginx.conf what a mesh says in Envoy's resources.
//
// Project is pure: it reads a mesh and returns the lines of an nginx.conf, each
// with the resource and field that it mirrors, how exact the likeness is, and
// the one sentence that somebody who knows nginx needs there. What nginx cannot
// say stands as a comment where it would be.
package nginx
