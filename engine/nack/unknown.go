package nack

import (
	"fmt"
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

var (
	quotedValue = regexp.MustCompile(`'([^']+)'|"([^"]+)"`)
	fieldWord   = regexp.MustCompile(`[a-z][a-z0-9]*(?:_[a-z0-9]+)+`)
)

// unknown is a diagnosis of words that no rule knows: the resource that is meant
// or likely meant, and in it what the words hold or what the push changed.
func (r Rejection) unknown(why reason, groups [][]suspect) Diagnosis {
	d := Diagnosis{Words: why.words, Plain: "The node says: " + why.words, Hint: noReasonHint}
	if len(groups) == 0 {
		return d
	}
	likeliest := groups[0]
	s, path := likeliest[0], ""
	for _, t := range likeliest {
		if at := t.hinted(); at != "" {
			s, path = t, at
			break
		}
	}
	d.Key, d.Path = s.Key, path
	d.Sure = why.named == s.Key || len(likeliest) == 1 && len(groups) == 1
	var changed []string
	if s.changes != nil {
		changed = s.changes.paths
	}
	if at, ok := s.changes.only(); d.Path == "" && ok {
		d.Path = at
	}
	locate(&d, s.Resource)
	if why.named == s.Key {
		d.Plain = fmt.Sprintf("The node does not take %s: %s", s.Key, why.words)
	}
	switch {
	case len(changed) > 0:
		d.Hint = "this push changed " + list(changed) + " in it: look there first"
	case path != "":
		d.Hint = "look at " + path
	case r.Before != nil && r.Before.Get(s.Key) == nil:
		d.Hint = "it is new: correct what the words say, or take it out to let the rest through"
	case s.Key.Type == mesh.Listener && isAPI(s.Resource):
		d.Hint = "hold it against what gRPC's xDS clients support (gRFC A27 and those that follow it)"
	}
	if m := s.putBack(d.Path); m != nil {
		d.Fix = found{s, place{mend: m}}.fix()
	}
	return d
}

// hinted is the one field that the words name, or whose value they quote; ""
// where there is none or several.
func (s suspect) hinted() string {
	if s.reason.path != "" && s.reason.named == s.Key {
		return s.reason.path
	}
	for _, m := range quotedValue.FindAllStringSubmatch(s.reason.words, -1) {
		if value := m[1] + m[2]; value != s.Key.Name {
			if at := s.holding(value); len(at) == 1 {
				return at[0]
			}
		}
	}
	words := fieldWord.FindAllString(s.reason.words, -1)
	if len(words) == 0 {
		return ""
	}
	var at []string
	values(s.Resource, func(path, _ string) {
		for _, w := range words {
			if i := strings.LastIndex("."+path+".", "."+w+"."); i >= 0 {
				at = append(at, path[:i+len(w)])
			}
		}
	})
	return common(at)
}

// common is the deepest path that holds all of these.
func common(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	at := paths[0]
	for _, p := range paths[1:] {
		for at != "" && !below(p, at) {
			at = text.Parent(at)
		}
	}
	return at
}

// list names the first of several things.
func list(all []string) string {
	const most = 3
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more fields", strings.Join(all[:most], ", "), len(all)-most)
}
