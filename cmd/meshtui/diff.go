package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func newDiff() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what differs between two workspaces: in the text, and for requests",
		Long: `Show what differs between OLD and NEW (each a filesystem-xDS folder, an Envoy
bootstrap, a config dump or an nginx.conf): which requests change their target, from what to
what, which keep it and are sent there with another Host, path, timeout, retry
policy, mirror or the like, and the text of each resource.

The requests are those kept beside NEW, else beside OLD, and one for each route
of both. Headers that are added or removed, and what filters do, differ in the
text alone. A resource that only reads differently (a comment, the order of fields)
is named, and is no difference. Exit status: 0 no differences, 1 differences, 2 it could not be read.`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			d, err := compare(a[0], a[1])
			if err != nil {
				return &exitError{status: 2, err: err}
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), d.json())
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), d.String())
			}
			if err != nil {
				return &exitError{status: 2, err: err}
			}
			if d.any() {
				return &exitError{status: 1}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// difference is what differs between two workspaces, by group.
type difference struct {
	keptFile string
	asked    int // kept requests
	groups   []groupDifference
}

// groupDifference is what differs in one group.
type groupDifference struct {
	name     string
	moved    []kept.Move   // kept requests
	probed   []kept.Move   // requests made of the routes
	changes  []mesh.Change // of what the resources say
	reworded []mesh.Key    // those that say the same in another text
}

func (d difference) any() bool {
	return slices.ContainsFunc(d.groups, func(g groupDifference) bool {
		return len(g.moved)+len(g.probed)+len(g.changes) > 0
	})
}

// compare reads both sides. A group that one side lacks is empty there.
func compare(from, to string) (difference, error) {
	before, err := openWhole(from)
	if err != nil {
		return difference{}, err
	}
	after, err := openWhole(to)
	if err != nil {
		return difference{}, err
	}
	d := difference{}
	asks, err := d.requests(to, from)
	if err != nil {
		return d, err
	}
	d.asked = len(asks)
	names := maps.Clone(before.Meshes)
	maps.Copy(names, after.Meshes)
	for _, group := range sortedGroups(names) {
		was, is := before.Meshes[group], after.Meshes[group]
		g := groupDifference{name: group}
		g.changes, g.reworded = changes(was, is)
		old, now := match.New(was), match.New(is)
		g.moved = kept.Compare(old, now, inGroup(asks, group))
		g.probed = kept.Compare(old, now, kept.Probe(was, is))
		d.groups = append(d.groups, g)
	}
	return d, nil
}

// changes tells what differs in content from what only reads differently: a
// comment, an order of fields, a default that is written out.
func changes(was, is *mesh.Mesh) (content []mesh.Change, reworded []mesh.Key) {
	differ := map[mesh.Key]bool{}
	for _, c := range mesh.Diff(was, is) {
		differ[c.Key] = true
	}
	for _, c := range mesh.DiffText(was, is) {
		if differ[c.Key] {
			content = append(content, c)
		} else {
			reworded = append(reworded, c.Key)
		}
	}
	return content, reworded
}

// openWhole opens what lies at path, and refuses what could be read in part
// only: an answer about the rest would pass for one about the whole.
func openWhole(path string) (*files.Opened, error) {
	o, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	for _, p := range o.Problems {
		if p.Severity == mesh.Error {
			return nil, errors.New(p.String())
		}
	}
	return o, nil
}

// requests are those kept beside the first of the paths that has some.
func (d *difference) requests(paths ...string) ([]kept.Request, error) {
	for _, path := range paths {
		file, asks, problems, err := files.OpenKept(path)
		if err != nil {
			return nil, err
		}
		if len(problems) > 0 {
			return nil, fmt.Errorf("%s", problems[0])
		}
		if len(asks) > 0 {
			d.keptFile = file
			return asks, nil
		}
	}
	return nil, nil
}

// String is the difference for people: first what requests feel, then the text.
func (d difference) String() string {
	var b strings.Builder
	for _, g := range d.groups {
		d.writeGroup(&b, g)
	}
	if d.asked > 0 && !slices.ContainsFunc(d.groups, func(g groupDifference) bool { return len(g.moved) > 0 }) {
		fmt.Fprintf(&b, "no kept request changes its target or policies (%d in %s)\n", d.asked, d.keptFile)
	}
	if !d.any() {
		fmt.Fprintln(&b, "no differences")
	}
	for _, g := range d.groups {
		for _, k := range g.reworded {
			fmt.Fprintf(&b, "%s says the same in another text\n", k)
		}
	}
	return b.String()
}

func (d difference) writeGroup(b *strings.Builder, g groupDifference) {
	if len(d.groups) > 1 && len(g.moved)+len(g.probed)+len(g.changes) > 0 {
		fmt.Fprintf(b, "group %s\n", g.name)
	}
	writeMoves(b, "kept requests that", g.moved)
	writeMoves(b, "routes whose requests", g.probed)
	for _, c := range g.changes {
		b.WriteString(shortDiff(c))
	}
}

// writeMoves lists the requests that go elsewhere, and then those that end where
// they ended but are sent or answered otherwise.
func writeMoves(b *strings.Builder, whose string, moves []kept.Move) {
	var elsewhere, otherwise []kept.Move
	for _, m := range moves {
		if m.From != m.To {
			elsewhere = append(elsewhere, m)
		} else {
			otherwise = append(otherwise, m)
		}
	}
	writeSome(b, whose+" change their target:", elsewhere)
	writeSome(b, whose+" keep their target, and change otherwise:", otherwise)
}

func writeSome(b *strings.Builder, title string, moves []kept.Move) {
	if len(moves) == 0 {
		return
	}
	fmt.Fprintln(b, title)
	for _, m := range moves {
		fmt.Fprintf(b, "  %s\n", m.Request.Name)
		if m.From == m.To {
			fmt.Fprintf(b, "      %s\n", m.To)
		} else {
			fmt.Fprintf(b, "    - %s\n    + %s\n", m.From, m.To)
		}
		for _, why := range m.Rest {
			fmt.Fprintf(b, "      %s\n", why)
		}
	}
	fmt.Fprintln(b)
}

// moveJSON is one request that feels the change, as `diff --json` prints it.
type moveJSON struct {
	Name string   `json:"name"`
	From string   `json:"from"`
	To   string   `json:"to"`
	Why  []string `json:"why"`
}

type groupJSON struct {
	Group  string     `json:"group"`
	Kept   []moveJSON `json:"kept"`   // kept requests that feel the change; from and to are the same where the target is
	Routes []moveJSON `json:"routes"` // requests made of the routes that do
	Text   []textJSON `json:"text"`
	// Reworded are resources that say the same in another text.
	Reworded []string `json:"reworded"`
}

type textJSON struct {
	Type     string `json:"type"`
	Resource string `json:"resource"`
	Change   string `json:"change"` // "added", "removed", "changed"
	Diff     string `json:"diff"`
}

func (d difference) json() any {
	groups := []groupJSON{}
	for _, g := range d.groups {
		j := groupJSON{Group: g.name, Kept: movesJSON(g.moved), Routes: movesJSON(g.probed), Text: []textJSON{}}
		for _, c := range g.changes {
			j.Text = append(j.Text, textJSON{Type: c.Key.Type.String(), Resource: c.Key.Name, Change: changeWord(c), Diff: shortDiff(c)})
		}
		for _, k := range g.reworded {
			j.Reworded = append(j.Reworded, k.String())
		}
		j.Reworded = orEmpty(j.Reworded)
		groups = append(groups, j)
	}
	return struct {
		Asked  int         `json:"kept_requests"`
		Groups []groupJSON `json:"groups"`
	}{d.asked, groups}
}

func movesJSON(moves []kept.Move) []moveJSON {
	out := []moveJSON{}
	for _, m := range moves {
		out = append(out, moveJSON{Name: m.Request.Name, From: m.From, To: m.To, Why: orEmpty(m.Why)})
	}
	return out
}

func changeWord(c mesh.Change) string {
	switch {
	case c.Old == nil:
		return "added"
	case c.New == nil:
		return "removed"
	}
	return "changed"
}

// shortDiff is the diff of a resource's text as it was written, or of the same
// written anew on both sides where that is shorter: a dump and a file say the
// same in other words, and only what they say is news.
func shortDiff(c mesh.Change) string {
	written := engine.TextDiff(c)
	if c.Old == nil || c.New == nil {
		return written
	}
	from, ok := anew(c.Old)
	to, also := anew(c.New)
	if !ok || !also {
		return written
	}
	again := engine.TextDiff(mesh.Change{Key: c.Key, Old: from, New: to})
	if again != "" && changed(again) < changed(written) {
		return again
	}
	return written
}

// changed is how many bytes stand on lines that a diff adds or takes away.
func changed(diff string) int {
	n := 0
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			n += len(line)
		}
	}
	return n
}

// anew is a resource in the text that meshtui itself would write for it; ok is
// false for one that it cannot write.
func anew(r *mesh.Resource) (out *mesh.Resource, ok bool) {
	content, err := text.Encode(r.Message)
	if err != nil {
		return nil, false
	}
	out, err = mesh.NewResource(r.Message, mesh.Source{Text: content})
	return out, err == nil
}
