// Package matchtest holds the matcher against what really serves a mesh.
//
// New makes a random Case from a seed: a mesh with one listener, and requests
// that are drawn from its tables, so that hits, near misses and oddities all
// come up often. Exchange sends one over a connection and reads the answer,
// Serve is the backend that says what it saw, and Compare holds the matcher's
// prediction against both. Shrink makes a failing case small, Tally says what a
// run has covered.
//
// The package opens no connection itself: the caller brings the data plane, be
// it a real Envoy or the built-in proxy. Every virtual host and route that is
// generated adds a response header with its own name, and every cluster is a
// backend of its own, so that an answer tells the way it came.
package matchtest
