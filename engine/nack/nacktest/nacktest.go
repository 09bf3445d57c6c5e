// Package nacktest reads the cases that the diagnosis of NACKs is tested with: by
// itself, and with an Envoy that really says so.
package nacktest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/text"
)

// Case is one archive: what was pushed, and what the node said.
//
//	nack/TYPE         the words of the NACK, of a response of that type (service name in lower case)
//	before/FILE       a resource of the push before, beside those of base.txtar
//	FILE              a resource that the push changed or added; FILE is SERVICE-NAME.yaml
//	diagnosis, fixed  what is said of it, and the text that the first fix makes
type Case struct {
	File    string // of the archive
	Name    string
	Archive *txtar.Archive
	nack.Rejection
}

// Load reads every archive of a folder. base.txtar beside the folder is what all
// of them begin with. edit is made to every text first; nil makes none.
func Load(t testing.TB, dir string, edit func(string) string) []Case {
	t.Helper()
	base, err := txtar.ParseFile(filepath.Join(filepath.Dir(dir), "base.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	if edit == nil {
		edit = func(s string) string { return s }
	}
	var out []Case
	for _, file := range files {
		c := Case{File: file, Name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
		if c.Archive, err = txtar.ParseFile(file); err != nil {
			t.Fatal(err)
		}
		if err := c.read(base, edit); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		out = append(out, c)
	}
	return out
}

func (c *Case) read(base *txtar.Archive, edit func(string) string) error {
	add := func(m *mesh.Mesh, name string, data []byte) (*mesh.Mesh, error) {
		r, err := Read(name, edit(string(data)))
		if err != nil {
			return nil, err
		}
		return m.With(r), nil
	}
	var err error
	for _, f := range base.Files {
		if c.Before, err = add(c.Before, f.Name, f.Data); err != nil {
			return err
		}
	}
	for _, f := range c.Archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "before/"); ok {
			if c.Before, err = add(c.Before, name, f.Data); err != nil {
				return err
			}
		}
	}
	c.Mesh = c.Before
	for _, f := range c.Archive.Files {
		if of, ok := strings.CutPrefix(f.Name, "nack/"); ok {
			c.Text = edit(string(f.Data))
			if c.Type = typeOf(of); c.Type == 0 {
				return fmt.Errorf("there is no type %s", of)
			}
			c.Text = strings.TrimSuffix(c.Text, "\n")
		}
		if !strings.HasSuffix(f.Name, ".yaml") || strings.Contains(f.Name, "/") {
			continue
		}
		r, err := Read(f.Name, edit(string(f.Data)))
		if err != nil {
			return err
		}
		c.Mesh = c.Mesh.With(r)
		c.Changed = append(c.Changed, r.Key)
	}
	return nil
}

func typeOf(service string) mesh.Type {
	for _, t := range mesh.Types() {
		if strings.EqualFold(t.Service(), service) {
			return t
		}
	}
	return 0
}

// Read is the resource that a text says; the type is that of the file's name,
// which begins with "cds-", "lds-" and so on.
func Read(file, body string) (*mesh.Resource, error) {
	service, _, _ := strings.Cut(file, "-")
	r, findings := text.Decode(typeOf(service), text.Whole(file, body))
	if r == nil {
		return nil, fmt.Errorf("%v", findings)
	}
	return r, nil
}
