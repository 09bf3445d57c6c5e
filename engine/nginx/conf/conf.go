package conf

import (
	"fmt"
	"iter"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Config is one nginx.conf with everything that it includes.
type Config struct {
	Path     string         // as it was opened
	Main     []*Directive   // the main context, includes put in their place
	Files    []string       // every file that was read, Path first
	Problems []mesh.Finding // what could not be read, or what nginx would not take: errors and warnings with file and line
}

// Directive is one directive of an nginx.conf. It is not changed after Parse.
type Directive struct {
	Name   string
	Args   []string     // without quotes, nginx's escapes undone
	Block  []*Directive // what stands within its braces; nil also for an empty block, see IsBlock
	Parent *Directive   // the block that it stands in; nil in the main context
	File   string
	Line   int // 1-based

	IsBlock bool // it has braces
}

// String is the directive as a person writes it, without what stands in its
// braces: "location = /x", "server 127.0.0.1:9001 weight=5".
func (d *Directive) String() string {
	return strings.TrimSpace(d.Name + " " + strings.Join(d.Args, " "))
}

// Place is "file:line".
func (d *Directive) Place() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Arg is the argument with this index, "" where there are fewer.
func (d *Directive) Arg(i int) string {
	if d == nil || i >= len(d.Args) {
		return ""
	}
	return d.Args[i]
}

// Parameter is the value of a "name=value" argument; ok is false without one.
func (d *Directive) Parameter(name string) (value string, ok bool) {
	for _, a := range d.Args {
		if v, found := strings.CutPrefix(a, name+"="); found {
			return v, true
		}
	}
	return "", false
}

// Flag reports whether an argument is this very word.
func (d *Directive) Flag(word string) bool {
	for _, a := range d.Args {
		if a == word {
			return true
		}
	}
	return false
}

// Children are the directives of that name within the braces, in file order.
func (d *Directive) Children(name string) []*Directive { return named(d.Block, name) }

// Named are the directives of that name in the main context.
func (c *Config) Named(name string) []*Directive { return named(c.Main, name) }

func named(in []*Directive, name string) []*Directive {
	var out []*Directive
	for _, d := range in {
		if d.Name == name {
			out = append(out, d)
		}
	}
	return out
}

// All walks every directive of the file, each before what stands within it.
func (c *Config) All() iter.Seq[*Directive] {
	return func(yield func(*Directive) bool) { walk(c.Main, yield) }
}

func walk(ds []*Directive, yield func(*Directive) bool) bool {
	for _, d := range ds {
		if !yield(d) || !walk(d.Block, yield) {
			return false
		}
	}
	return true
}

// Inherited are the directives of that name that hold in block: those of the
// innermost enclosing block (block itself first) which has any, as nginx
// inherits lists such as proxy_set_header or access_log: all or none. An `if` or
// a nested location is a block too. The main context counts as the outermost.
func Inherited(block *Directive, main []*Directive, name string) []*Directive {
	for b := block; b != nil; b = b.Parent {
		if ds := named(b.Block, name); len(ds) > 0 {
			return ds
		}
	}
	return named(main, name)
}
