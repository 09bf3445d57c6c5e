package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
)

// shiftStep is by how much a key shifts traffic between weighted clusters;
// their weights sum up to 100 as a rule.
const shiftStep = 5

// weigh changes the weight of the selected row by one step: one for an
// endpoint; of weighted clusters, what one gets the others lose.
func (a *App) weigh(sign int) tea.Cmd {
	r := *a.selected()
	return a.editSaying("weight of "+r.Label, func(gs *engine.GroupState) ([]engine.Edit, string, error) {
		res := gs.Draft.Get(r.Key)
		if res == nil {
			return nil, "", fmt.Errorf("%s is gone from the draft", r.Key)
		}
		if r.Kind == outline.WeightRow {
			return shifted(r.Key, outline.Weights(res, r.Path), r.Path, sign*shiftStep)
		}
		edit := engine.Edit(nil)
		w := stepped(max(outline.Weight(res, r.Path), 1), sign, 1)
		if r.Key.Type == mesh.Endpoints {
			edit = engine.SetEndpointWeight{Key: r.Key, Address: r.Address, Weight: w}
		} else {
			edit = engine.SetField{Key: r.Key, Path: r.Path + ".load_balancing_weight", Value: w}
		}
		return []engine.Edit{edit}, edit.Describe(), nil
	})
}

func stepped(now uint32, by int, least uint32) uint32 {
	return uint32(max(int64(least), int64(now)+int64(by)))
}

// shifted are the edits that give the weighted cluster at path by more, and
// the largest of the others as much less, so that the sum stays; what they
// amount to is said in words.
func shifted(key mesh.Key, rows []outline.Row, path string, by int) ([]engine.Edit, string, error) {
	at, sum := -1, uint64(0)
	weights := make([]uint32, len(rows))
	for i := range rows {
		weights[i] = rows[i].Weight
		sum += uint64(rows[i].Weight)
		if rows[i].Path == path {
			at = i
		}
	}
	switch {
	case at < 0:
		return nil, "", fmt.Errorf("this weighted cluster is gone from the draft")
	case len(rows) < 2:
		return nil, "", fmt.Errorf("it is alone in its route: there is nothing to shift its traffic to; e edits the route")
	case by < 0 && weights[at] == 0:
		return nil, "", fmt.Errorf("it has no traffic left that could be shifted away")
	case by > 0 && uint64(weights[at]) == sum:
		return nil, "", fmt.Errorf("it has all of the traffic already")
	}
	if by < 0 {
		n := min(uint32(-by), weights[at])
		weights[at] -= n
		weights[largest(weights, at)] += n
	}
	for left := uint32(max(by, 0)); left > 0 && uint64(weights[at]) < sum; {
		from := largest(weights, at)
		n := min(left, weights[from])
		weights[from] -= n
		weights[at] += n
		left -= n
	}
	said := fmt.Sprintf("%s: %d of %d", nameOf(&rows[at]), weights[at], sum)
	edits := []engine.Edit{engine.SetRouteWeight{Key: key, Path: path, Weight: weights[at]}}
	for i := range rows {
		if i != at && weights[i] != rows[i].Weight {
			edits = append(edits, engine.SetRouteWeight{Key: key, Path: rows[i].Path, Weight: weights[i]})
			said += fmt.Sprintf(", %s: %d", nameOf(&rows[i]), weights[i])
		}
	}
	return edits, said, nil
}

// largest is the index of the largest weight but that at not.
func largest(weights []uint32, not int) int {
	best := -1
	for i, w := range weights {
		if i != not && (best < 0 || w > weights[best]) {
			best = i
		}
	}
	return best
}

// nameOf is the cluster that a weight is of.
func nameOf(r *outline.Row) string { return strings.TrimPrefix(r.Label, "→ ") }
