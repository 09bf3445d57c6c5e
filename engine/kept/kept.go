package kept

import (
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// Request is one kept request. Name is unique in its file.
type Request struct {
	Name   string
	Group  string // whose mesh it is asked of; "" is mesh.DefaultGroup
	Ask    match.Request
	Expect Expect
	Line   int // 1-based in its file; 0 when it was made here
}

// Of reports whether the request is asked of the mesh of a group.
func (r Request) Of(group string) bool {
	return r.Group == group || r.Group == "" && group == mesh.DefaultGroup
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

// Move is a kept request that finds another target in the new mesh, or the same
// one with another Host, path or policy.
type Move struct {
	Request  Request
	From, To string   // "web ▸ www ▸ foo ▸ app": the target in words; the same where only what is sent there differs
	Why      []string // "cluster: app → legacy", "timeout: 15s → 1s"
	Rest     []string // those of Why that From and To do not tell; all of them where the two are the same
}
