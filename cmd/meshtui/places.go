package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// places says where the fields of a mesh's resources stand in their files. Each
// text is read once.
type places struct {
	mesh  *mesh.Mesh
	texts map[mesh.Key]*text.Locator
	known files.Known // of an nginx.conf: where a field comes from
}

func newPlaces(m *mesh.Mesh) *places {
	return &places{mesh: m, texts: map[mesh.Key]*text.Locator{}}
}

// of is the file and the 1-based line of a field; "" and 0 where it is in no
// file or not to be found.
func (p *places) of(k mesh.Key, path string) (file string, line int) {
	r := p.mesh.Get(k)
	if r == nil || r.Source.File == "" {
		return "", 0
	}
	if file, line, ok := p.known.Origin(k, path); ok {
		return file, line
	}
	if p.texts[k] == nil {
		p.texts[k] = text.NewLocator(r.Source.Text)
	}
	at, column, ok := p.texts[k].Position(path)
	if !ok {
		return "", 0
	}
	at, _ = r.Source.Place(at, column)
	return r.Source.File, at
}

// short is the place for people, "rds.yaml:32"; "" for none.
func (p *places) short(k mesh.Key, path string) string {
	file, line := p.of(k, path)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// printable is a line for a terminal: what would move its cursor or change its
// colours is written as an escape.
func printable(line string) string {
	if !strings.ContainsFunc(line, unicode.IsControl) {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
