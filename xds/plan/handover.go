package plan

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// Envoy takes the listeners of a response one by one, and refuses one whose
// address another still has. So who leaves an address comes before who takes it:
// in the same response where the first is in use at once, else in a step before.
// Listeners that exchange addresses in a ring cannot do that in any order: one of
// them is taken away first and comes again.

// InOrder is listeners in the order in which a node takes them: who leaves an
// address before who takes it, and else as they are. had are those that the node
// may have under a name.
func InOrder(listeners []*mesh.Resource, had func(mesh.Key) []*mesh.Resource) []*mesh.Resource {
	left := map[string][]int{} // address → who leaves it
	for i, r := range listeners {
		for _, a := range leaves(r, had(r.Key)) {
			left[a] = append(left[a], i)
		}
	}
	if len(left) == 0 {
		return listeners
	}
	out := make([]*mesh.Resource, 0, len(listeners))
	seen := make([]bool, len(listeners))
	var put func(i int)
	put = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, a := range Addresses(listeners[i]) {
			for _, before := range left[a] {
				put(before)
			}
		}
		out = append(out, listeners[i])
	}
	for i := range listeners {
		put(i)
	}
	return out
}

// leaves are the addresses that a listener had and no longer has.
func leaves(r *mesh.Resource, had []*mesh.Resource) []string {
	var out, keeps []string
	for _, old := range had {
		if old == nil || old == r || old.Hash() == r.Hash() {
			continue
		}
		if keeps == nil {
			keeps = Addresses(r)
		}
		for _, a := range Addresses(old) {
			if !slices.Contains(keeps, a) && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// waves splits the changes of the step that brings listeners, so that no address
// is wanted while another listener has it: what is taken away to come again,
// then what can go together.
func waves(changes []mesh.Change, inFlight map[mesh.Key][]*mesh.Resource) [][]mesh.Change {
	var comes []mesh.Change
	for _, c := range changes {
		if isListener(c) && c.New != nil {
			comes = append(comes, c)
		}
	}
	h := newHandOvers(comes, inFlight)
	if h == nil {
		return [][]mesh.Change{changes}
	}
	var away []mesh.Change
	for i := range comes {
		for at := h.ring(i); at >= 0; at = h.ring(i) {
			c := &comes[at]
			away = append(away, mesh.Change{Key: c.Key, Old: c.Old})
			c.Old = nil
			h.leaves[at] = nil
		}
	}
	out := make([][]mesh.Change, 1, 2)
	for _, c := range changes {
		at := h.waveOf(c)
		for len(out) <= at {
			out = append(out, nil)
		}
		if i := slices.IndexFunc(comes, func(other mesh.Change) bool { return other.Key == c.Key }); i >= 0 {
			c = comes[i]
		}
		out[at] = append(out[at], c)
	}
	if len(away) > 0 {
		out = slices.Insert(out, 0, away)
	}
	return out
}

// handOvers is which of the listeners that come take an address from which.
type handOvers struct {
	comes  []mesh.Change
	leaves [][]string // by index of comes: the addresses that it leaves
	waves  map[int]int
}

// newHandOvers is nil where no listener leaves an address that another takes.
func newHandOvers(comes []mesh.Change, inFlight map[mesh.Key][]*mesh.Resource) *handOvers {
	h := &handOvers{comes: comes, leaves: make([][]string, len(comes)), waves: map[int]int{}}
	some := false
	for i, c := range comes {
		if c.Old != nil {
			h.leaves[i] = leaves(c.New, append([]*mesh.Resource{c.Old}, inFlight[c.Key]...))
		}
		some = some || len(h.leaves[i]) > 0
	}
	if !some {
		return nil
	}
	return h
}

// before are those whose address the listener takes.
func (h *handOvers) before(i int) (out []int) {
	takes := Addresses(h.comes[i].New)
	for j, left := range h.leaves {
		if j != i && slices.ContainsFunc(left, func(a string) bool { return slices.Contains(takes, a) }) {
			out = append(out, j)
		}
	}
	return out
}

// ring is a listener in a ring of exchanges that i leads to; -1 where there is
// none.
func (h *handOvers) ring(i int) int {
	done, under := map[int]bool{}, map[int]bool{}
	var look func(i int) int
	look = func(i int) int {
		if under[i] {
			return i
		}
		if done[i] {
			return -1
		}
		done[i], under[i] = true, true
		defer delete(under, i)
		for _, j := range h.before(i) {
			if at := look(j); at >= 0 {
				return at
			}
		}
		return -1
	}
	return look(i)
}

// waveOf is the wave in which a change goes, from 0. A listener that goes away
// does so with the first that takes its place.
func (h *handOvers) waveOf(c mesh.Change) int {
	if !isListener(c) {
		return 0
	}
	if c.New != nil {
		return h.wave(slices.IndexFunc(h.comes, func(other mesh.Change) bool { return other.Key == c.Key }))
	}
	first := -1
	for i, taker := range h.comes {
		if w := h.wave(i); shared(c, taker) != "" && (first < 0 || w < first) {
			first = w
		}
	}
	return max(first, 0)
}

// wave is that of one that comes. It may be asked only when no ring is left.
func (h *handOvers) wave(i int) int {
	if at, known := h.waves[i]; known {
		return at
	}
	at := 0
	for _, j := range h.before(i) {
		w := h.wave(j)
		if warms(h.comes[j]) {
			w++
		}
		at = max(at, w)
	}
	h.waves[i] = at
	return at
}

// warms reports whether a changed listener needs what it did not need before:
// until the node has that, the old one keeps its address.
func warms(c mesh.Change) bool {
	has := map[mesh.Key]bool{}
	for _, ref := range mesh.References(c.Old) {
		has[ref.To] = true
	}
	return slices.ContainsFunc(mesh.References(c.New), func(ref mesh.Reference) bool { return isNeed(ref) && !has[ref.To] })
}
