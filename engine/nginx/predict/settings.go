package predict

import (
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// settings is every block's directives by name, without the blocks that are looked
// up elsewhere, so that a server of ten thousand locations is not walked for each
// setting. The main context is under nil.
type settings map[*conf.Directive]map[string][]*conf.Directive

func newSettings(main []*conf.Directive) settings {
	s := settings{}
	s.index(nil, main)
	return s
}

func (s settings) index(block *conf.Directive, ds []*conf.Directive) {
	for _, d := range ds {
		if d.Name != "location" && d.Name != "server" && d.Name != "upstream" {
			if s[block] == nil {
				s[block] = map[string][]*conf.Directive{}
			}
			s[block][d.Name] = append(s[block][d.Name], d)
		}
		if d.IsBlock && d.Name != "upstream" && d.Name != "map" && d.Name != "split_clients" && d.Name != "geo" && d.Name != "types" {
			s.index(d, d.Block)
		}
	}
}

// here are the directives of that name that stand in the block itself.
func (s settings) here(block *conf.Directive, name string) []*conf.Directive { return s[block][name] }

// all are the directives of that name that hold in the block: all or none, see
// conf.Inherited.
func (s settings) all(block *conf.Directive, name string) []*conf.Directive {
	for b := block; b != nil; b = b.Parent {
		if ds := s[b][name]; len(ds) > 0 {
			return ds
		}
	}
	return s[nil][name]
}

// one is the directive of that name that holds in the block; nil without one.
func (s settings) one(block *conf.Directive, name string) *conf.Directive {
	if ds := s.all(block, name); len(ds) > 0 {
		return ds[0]
	}
	return nil
}

// on is a setting that is on or off.
func (s settings) on(block *conf.Directive, name string, otherwise bool) bool {
	if d := s.one(block, name); d != nil {
		return strings.EqualFold(d.Arg(0), "on")
	}
	return otherwise
}

// bytes is a setting that is a size: "8k", "1m".
func (s settings) bytes(block *conf.Directive, name string, arg int, otherwise int64) int64 {
	if d := s.one(block, name); d != nil {
		if n, ok := size(d.Arg(arg)); ok {
			return n
		}
	}
	return otherwise
}

func size(s string) (int64, bool) {
	unit := int64(1)
	if s != "" {
		switch s[len(s)-1] | 0x20 {
		case 'k':
			unit = 1 << 10
		case 'm':
			unit = 1 << 20
		case 'g':
			unit = 1 << 30
		}
		if unit > 1 {
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, false
	}
	return n * unit, true
}
