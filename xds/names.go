package xds

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A SotW client says in every request what it asks for, also when it only
// acknowledges: thousands of names from each of a thousand clients, nearly always
// the same. Such a list is decoded once and shared by all who say the same.

// nameList is a list of names that is shared. It is immutable.
type nameList struct {
	names  []string            // as they came
	set    map[string]struct{} // without "*"
	sorted []string            // of set
	block  []byte              // as it came over the wire, with its tags
}

const (
	minListBytes = 128      // shorter ones are not worth it
	maxListBytes = 16 << 20 // of all lists that are remembered
)

// nameLists remembers the lists that came. It is safe for concurrent use.
type nameLists struct {
	seed maphash.Seed

	mu      sync.RWMutex
	byHash  map[uint64]*nameList
	byFirst map[*string]*nameList // by the address of the first of names
	bytes   int
}

func newNameLists() *nameLists {
	return &nameLists{seed: maphash.MakeSeed(), byHash: map[uint64]*nameList{}, byFirst: map[*string]*nameList{}}
}

// read is the list in a run of fields of a message, all with the same tag; nil
// where the run is malformed.
func (l *nameLists) read(block []byte) *nameList {
	hash := maphash.Bytes(l.seed, block)
	l.mu.RLock()
	known := l.byHash[hash]
	l.mu.RUnlock()
	if known != nil && bytes.Equal(known.block, block) {
		return known
	}
	list := parseList(block)
	if list == nil || len(block) > maxListBytes {
		return list
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes+len(block) > maxListBytes { // those who have one keep it
		clear(l.byHash)
		clear(l.byFirst)
		l.bytes = 0
	}
	l.byHash[hash], l.byFirst[&list.names[0]] = list, list
	l.bytes += len(block)
	return list
}

// of is the list that a request's names are, or one of their own where they are
// not shared.
func (l *nameLists) of(names []string) *nameList {
	if known := l.shared(names); known != nil {
		return known
	}
	return newNameList(names)
}

// shared is the list that a request's names are; nil where they are their own.
func (l *nameLists) shared(names []string) *nameList {
	if len(names) == 0 {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if known := l.byFirst[&names[0]]; known != nil && len(known.names) == len(names) {
		return known
	}
	return nil
}

// sizeOf is how many bytes the names take in a request.
func (l *nameLists) sizeOf(names []string) (bytes int) {
	if known := l.shared(names); known != nil {
		return len(known.block)
	}
	for _, name := range names {
		bytes += protowire.SizeTag(fieldOfNames) + protowire.SizeBytes(len(name))
	}
	return bytes
}

func newNameList(names []string) *nameList {
	list := &nameList{names: names, set: make(map[string]struct{}, len(names))}
	for _, name := range names {
		if name != "*" {
			list.set[name] = struct{}{}
		}
	}
	list.sorted = sortedNames(list.set)
	return list
}

// parseList takes all names out of one string, so that they are one allocation.
func parseList(block []byte) *nameList {
	text := string(block)
	var names []string
	for at := 0; at < len(block); {
		_, _, tag := protowire.ConsumeTag(block[at:])
		if tag < 0 {
			return nil
		}
		value, size := protowire.ConsumeBytes(block[at+tag:])
		if size < 0 || !utf8.Valid(value) {
			return nil
		}
		end := at + tag + size
		names = append(names, text[end-len(value):end])
		at = end
	}
	if len(names) == 0 {
		return nil
	}
	list := newNameList(slices.Clip(names))
	list.block = []byte(text)
	return list
}

// sameNames reports whether two lists say the same in the same order.
func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b)
}

// brief is what of a request's names go-control-plane's server has to know for
// the wildcard rules, which are its own: whether there are any, and whether "*"
// is among them. All the others are for the cache alone; the server would make
// a map of them for each request.
func brief(names []string) []string {
	switch star := slices.Index(names, "*"); {
	case len(names) < 2:
		return names
	case star < 0:
		return names[:1]
	case star == 0:
		return names[:2]
	}
	return []string{names[0], "*"}
}

// nameSet is what one subscription asks for by name. It shares a list with all
// who ask for the same for as long as it is not changed.
type nameSet struct {
	list *nameList           // nil once it was changed
	own  map[string]struct{} // what it is then
	told []string            // of own, sorted; nil when out of date
}

func (s *nameSet) has(name string) bool {
	_, ok := s.all()[name]
	return ok
}

// all is the set, to be read only.
func (s *nameSet) all() map[string]struct{} {
	if s.list != nil {
		return s.list.set
	}
	return s.own
}

// sorted lists the names, to be read only.
func (s *nameSet) sorted() []string {
	if s.list != nil {
		return s.list.sorted
	}
	if s.told == nil {
		s.told = sortedNames(s.own)
	}
	return s.told
}

// share makes it what a list says.
func (s *nameSet) share(list *nameList) { *s = nameSet{list: list} }

// add adds what a list says; "*" is no name.
func (s *nameSet) add(list *nameList) {
	if len(s.all()) == 0 {
		s.share(list)
		return
	}
	for name := range list.set {
		if !s.has(name) {
			s.change()
			s.own[name] = struct{}{}
		}
	}
}

func (s *nameSet) remove(name string) {
	if s.has(name) {
		s.change()
		delete(s.own, name)
	}
}

func (s *nameSet) change() {
	if s.list != nil {
		s.own, s.list = maps.Clone(s.list.set), nil
	}
	if s.own == nil {
		s.own = map[string]struct{}{}
	}
	s.told = nil
}
