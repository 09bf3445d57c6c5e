// Package kept is about the requests that an operator keeps to ask again: what
// stands in their file, what each is expected to find, and which of them a
// change of the mesh would send elsewhere.
//
// It is pure; the file itself is read and written by package files.
package kept

import "example.com/meshtui/engine/match"

// Request is one kept request. Name is unique in its file.
type Request struct {
	Name   string
	Ask    match.Request
	Expect Expect
	Line   int // 1-based in its file; 0 when it was made here
}

// Expect is what a kept request is expected to find. Empty fields expect
// nothing.
type Expect struct {
	Action      string
	Listener    string
	VirtualHost string
	Route       string // its name, else its index
	Cluster     string // for weighted clusters: "app=90,app-v2=10"
	Host, Path  string // as sent upstream
	Status      int
	Location    string
}

// Result is one kept request, asked of a mesh.
type Result struct {
	Request Request
	Way     match.Way
	Differs []string // "cluster: expected app, found legacy"; none when all is as expected
}

// Move is a kept request whose target is another one in the new mesh.
type Move struct {
	Request  Request
	From, To string   // "web ▸ www ▸ foo ▸ app": the target in words
	Why      []string // "cluster: app → legacy"
}
