package routes

import (
	"cmp"
	"slices"
	"strings"
)

// trie finds all keys that a text begins with, without regard to the case of
// ASCII letters. The zero trie is empty.
type trie struct{ nodes []trieNode }

type trieNode struct {
	label string // in lower case
	next  string // the first bytes of the children's labels
	kids  []int32
	ids   choice // of the key that ends here
}

// keyed is one key of a trie and what it stands for.
type keyed struct {
	key string // in lower case
	id  int32
}

// newTrie makes a trie. choose makes the choice of the ids, in order, that have
// one key.
func newTrie(keys []keyed, choose func(ids []int32) choice) trie {
	slices.SortFunc(keys, func(a, b keyed) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	})
	t := trie{}
	if len(keys) > 0 {
		t.nodes = append(t.nodes, trieNode{})
		t.fill(0, keys, 0, choose)
	}
	return t
}

// fill makes the node for sorted keys that share their first depth bytes.
func (t *trie) fill(at int32, keys []keyed, depth int, choose func(ids []int32) choice) {
	first, last := keys[0].key, keys[len(keys)-1].key
	end := depth
	for end < len(first) && end < len(last) && first[end] == last[end] {
		end++
	}
	n := trieNode{label: first[depth:end]}
	var ids []int32
	for len(keys) > 0 && len(keys[0].key) == end {
		ids = append(ids, keys[0].id)
		keys = keys[1:]
	}
	n.ids = choose(ids)
	var next []byte
	var groups [][]keyed
	for len(keys) > 0 {
		size := 1
		for size < len(keys) && keys[size].key[end] == keys[0].key[end] {
			size++
		}
		next = append(next, keys[0].key[end])
		n.kids = append(n.kids, int32(len(t.nodes)))
		t.nodes = append(t.nodes, trieNode{})
		groups, keys = append(groups, keys[:size]), keys[size:]
	}
	n.next = string(next)
	t.nodes[at] = n
	for i, group := range groups {
		t.fill(n.kids[i], group, end, choose)
	}
}

// step goes from a node's parent into the node: it reads its label from s. ok
// is false when s goes on otherwise.
func (n *trieNode) step(s string) (rest string, ok bool) {
	if len(s) < len(n.label) {
		return "", false
	}
	for i := range len(n.label) {
		if lowerByte(s[i]) != n.label[i] {
			return "", false
		}
	}
	return s[len(n.label):], true
}

// child is the child of n that goes on with s, nil when there is none.
func (t *trie) child(n *trieNode, s string) *trieNode {
	if s == "" {
		return nil
	}
	if i := strings.IndexByte(n.next, lowerByte(s[0])); i >= 0 {
		return &t.nodes[n.kids[i]]
	}
	return nil
}
