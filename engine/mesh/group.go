package mesh

import "path"

// DefaultGroup is the group that takes every node that no rule names.
const DefaultGroup = "default"

// Rule puts the nodes whose id and cluster both match into a group. Node and
// Cluster are globs as in path.Match; an empty one matches everything.
type Rule struct {
	Group   string
	Node    string
	Cluster string
}

// GroupOf is the group that a node belongs to: that of the first rule that
// fits, else DefaultGroup. A malformed glob fits nothing.
func GroupOf(rules []Rule, nodeID, nodeCluster string) string {
	for _, r := range rules {
		if globFits(r.Node, nodeID) && globFits(r.Cluster, nodeCluster) {
			return r.Group
		}
	}
	return DefaultGroup
}

func globFits(glob, s string) bool {
	if glob == "" {
		return true
	}
	ok, err := path.Match(glob, s)
	return err == nil && ok
}
