package engine

import (
	"errors"
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// A splice says how one list of resources becomes another: Del resources from
// At on are replaced by Add. With it a file that holds two hundred revisions, or
// as many undo steps, is little larger than one mesh and what changed.
type splice struct {
	At  int    `json:"at,omitempty"`
	Del int    `json:"del,omitempty"`
	Add []item `json:"add,omitempty"`
}

// An item is a resource as it is written to the state folder. Its text begins
// with the first Head bytes of the text that stood at the same place before and
// ends with its last Tail bytes; both cuts are at line ends.
type item struct {
	Type   string `json:"type"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Indent int    `json:"indent,omitempty"`
	Lines  string `json:"lines,omitempty"`
	Head   int    `json:"head,omitempty"`
	Tail   int    `json:"tail,omitempty"`
	Text   string `json:"text,omitempty"`
}

// spliceOf is the splice that leads from one mesh to the other; nil is the empty
// mesh.
func spliceOf(from, to *mesh.Mesh) splice {
	old, now := from.All(), to.All()
	head := 0
	for head < len(old) && head < len(now) && sameSource(old[head], now[head]) {
		head++
	}
	old, now = old[head:], now[head:]
	for len(old) > 0 && len(now) > 0 && sameSource(old[len(old)-1], now[len(now)-1]) {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	s := splice{At: head, Del: len(old)}
	for i, r := range now {
		before := ""
		if i < len(old) {
			before = old[i].Source.Text
		}
		s.Add = append(s.Add, itemOf(r, before))
	}
	return s
}

func sameSource(a, b *mesh.Resource) bool {
	return a == b || (a.Key == b.Key && a.Source == b.Source)
}

func itemOf(r *mesh.Resource, before string) item {
	src := r.Source
	head, tail := commonLines(before, src.Text)
	return item{
		Type: r.Key.Type.String(), File: src.File, Line: src.Line, Indent: src.Indent, Lines: string(src.Lines),
		Head: head, Tail: tail, Text: src.Text[head : len(src.Text)-tail],
	}
}

// commonLines is how many bytes two texts share at the beginning and at the
// end, in whole lines and without counting any byte twice.
func commonLines(a, b string) (head, tail int) {
	limit := min(len(a), len(b))
	for head < limit && a[head] == b[head] {
		head++
	}
	if head < len(a) || head < len(b) {
		head = strings.LastIndexByte(a[:head], '\n') + 1
	}
	limit -= head
	for tail < limit && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for tail > 0 && tail < len(a) && a[len(a)-tail-1] != '\n' {
		tail--
	}
	return head, tail
}

// A decoder turns items back into resources, and gives the same resource for
// the same text, so that revisions share what they have in common.
type decoder struct {
	known map[decoderKey]*mesh.Resource
}

type decoderKey struct {
	mesh.Type
	mesh.Source
}

func newDecoder(meshes map[string]*mesh.Mesh) *decoder {
	d := &decoder{known: map[decoderKey]*mesh.Resource{}}
	for _, m := range meshes {
		for _, r := range m.All() {
			d.known[decoderKey{r.Key.Type, r.Source}] = r
		}
	}
	return d
}

// apply makes the mesh that s leads to. It fails when s does not fit, or when a
// text does not decode.
func (d *decoder) apply(from *mesh.Mesh, s splice) (*mesh.Mesh, error) {
	old := from.All()
	if s.At < 0 || s.Del < 0 || s.At > len(old) || s.Del > len(old)-s.At {
		return nil, fmt.Errorf("%d resources from number %d on are to be replaced, but there are %d", s.Del, s.At, len(old))
	}
	out := append([]*mesh.Resource(nil), old[:s.At]...)
	for i, it := range s.Add {
		before := ""
		if i < s.Del {
			before = old[s.At+i].Source.Text
		}
		r, err := d.resource(it, before)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return mesh.New(append(out, old[s.At+s.Del:]...)...)
}

func (d *decoder) resource(it item, before string) (*mesh.Resource, error) {
	t, ok := typeNamed(it.Type)
	if !ok {
		return nil, fmt.Errorf("unknown resource type %q", it.Type)
	}
	if it.Head < 0 || it.Tail < 0 || it.Head > len(before) || it.Tail > len(before)-it.Head {
		return nil, errors.New("a text refers to more than its predecessor holds")
	}
	src := mesh.Source{
		File: it.File, Line: it.Line, Indent: it.Indent, Lines: mesh.Lines(it.Lines),
		Text: before[:it.Head] + it.Text + before[len(before)-it.Tail:],
	}
	key := decoderKey{t, src}
	if r := d.known[key]; r != nil {
		return r, nil
	}
	r, findings := text.Decode(t, src)
	if r == nil {
		return nil, fmt.Errorf("a %s no longer decodes: %w", t, &EditError{Text: src.Text, Findings: findings})
	}
	d.known[key] = r
	return r, nil
}

func typeNamed(name string) (mesh.Type, bool) {
	for _, t := range mesh.Types() {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

// spliceAll is the splice of every group of to.
func spliceAll(from, to map[string]*mesh.Mesh) map[string]splice {
	out := make(map[string]splice, len(to))
	for group, m := range to {
		out[group] = spliceOf(from[group], m)
	}
	return out
}

// applyAll is the reverse of spliceAll.
func (d *decoder) applyAll(from map[string]*mesh.Mesh, splices map[string]splice) (map[string]*mesh.Mesh, error) {
	out := make(map[string]*mesh.Mesh, len(splices))
	for group, s := range splices {
		m, err := d.apply(from[group], s)
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", group, err)
		}
		out[group] = m
	}
	return out, nil
}
