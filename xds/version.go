package xds

import (
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// rememberGiven is how many versions of the caller's own are remembered of each
// type on each node. A node that comes back holds one of the last few.
const rememberGiven = 16

// ours reports whether a version is one that this very server process made.
func (s *Server) ours(version string) bool {
	return strings.HasPrefix(version, s.boot+"-")
}

func (s *Server) nextVersion() string {
	return s.boot + "-" + strconv.FormatUint(s.versions.Add(1), 10)
}

// version is the version of a type's content for this node: the caller's own,
// else ours.
func (n *node) version(t mesh.Type) string {
	if own := n.ownVersion(t); own != "" {
		return own + n.offered.again[t]
	}
	if v, ok := n.offered.versions[t]; ok {
		return v
	}
	return n.srv.boot + "-0" // nothing of this type was ever offered
}

func (n *node) ownVersion(t mesh.Type) string {
	if v := n.offered.given[t]; v != "" {
		return v
	}
	if n.srv.o.Versions == nil || t == 0 {
		return ""
	}
	return n.srv.o.Versions(n.id, t, n.offered.revision)
}

// reversion gives a type another version within its revision: what is sent from
// now on is not what was sent before. The caller knows of one version for a
// revision, so what is added to that one tells the two apart.
func (n *node) reversion(t mesh.Type) {
	n.offered.versions[t] = n.srv.nextVersion()
	if n.ownVersion(t) != "" {
		n.offered.again[t] = "+" + strconv.FormatUint(n.srv.versions.Load(), 10)
	}
}

// noteGiven remembers a version of the caller's own that goes out.
func (n *node) noteGiven(rec *record) {
	if n.srv.ours(rec.version) {
		return
	}
	f := n.factsOf(rec.typ)
	f.gave = slices.DeleteFunc(f.gave, func(v string) bool { return v == rec.version })
	if len(f.gave) == rememberGiven {
		f.gave = slices.Delete(f.gave, 0, 1)
	}
	f.gave = append(f.gave, rec.version)
}

// gave reports whether this server process gave the node a version of a type.
func (n *node) gave(t mesh.Type, version string) bool {
	if version == "" {
		return false
	}
	f := n.types[t]
	return n.srv.ours(version) || f != nil && slices.Contains(f.gave, version)
}
