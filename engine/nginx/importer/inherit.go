package importer

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/nginx/conf"
)

// inherited are the directives of that name that hold in block, as
// conf.Inherited finds them: those of the innermost block that has any. What
// stands in a block is looked up once, since a server may have thousands of
// locations.
func (im *importer) inherited(block *conf.Directive, name string) []*conf.Directive {
	for b := block; b != nil; b = b.Parent {
		if ds := im.children(b)[name]; len(ds) > 0 {
			return ds
		}
	}
	return nil
}

// one is the directive of that name that holds in block, nil where there is none.
func (im *importer) one(block *conf.Directive, name string) *conf.Directive {
	if ds := im.inherited(block, name); len(ds) > 0 {
		return ds[0]
	}
	return nil
}

// children are the directives within a block, by name.
func (im *importer) children(block *conf.Directive) map[string][]*conf.Directive {
	if by, ok := im.inside[block]; ok {
		return by
	}
	by := map[string][]*conf.Directive{}
	for _, d := range block.Block {
		by[d.Name] = append(by[d.Name], d)
	}
	im.inside[block] = by
	return by
}

// period is the time that a directive says, or otherwise where there is none or
// it is not a time, which is then reported. d may be nil.
func (im *importer) period(d *conf.Directive, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	v, ok := duration(d.Arg(0))
	if !ok {
		im.none(d, "it is not a time", "")
		return otherwise
	}
	return min(v, longest)
}

// longest is the longest time that is carried over: more is for ever.
const longest = 10 * 365 * 24 * time.Hour

func lasting(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// turned reports whether the directive of that name is on where block is;
// otherwise is nginx's default.
func (im *importer) turned(block *conf.Directive, name string, otherwise bool) bool {
	d := im.one(block, name)
	if d == nil {
		return otherwise
	}
	return strings.EqualFold(d.Arg(0), "on")
}

// enclosing is the innermost block of that name around d, d itself first; nil where
// there is none.
func enclosing(d *conf.Directive, name string) *conf.Directive {
	for ; d != nil; d = d.Parent {
		if d.Name == name {
			return d
		}
	}
	return nil
}
