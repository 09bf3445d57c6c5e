package nack

import (
	"cmp"
	"regexp"
	"slices"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// maxPlaces is how many places are told of one reason: Envoy stops at the first,
// so that more of them are guesses.
const maxPlaces = 3

// maxInOne is how many places of one resource are weighed: more of them are one
// mistake made many times.
const maxInOne = 100

// maxReasons is how many reasons of one NACK are looked into.
const maxReasons = 50

// rule knows one of the things that Envoy says.
type rule struct {
	says *regexp.Regexp
	// find lists the places in one resource that the words can mean; m is what
	// says matched. None: it is not this resource.
	find func(s suspect, m []string) []place
}

// place is where a resource is wrong, and what is to be told about it.
type place struct {
	path  string
	plain string
	why   string
	hint  string
	mend  *mending // nil where only the operator can know
}

// mending is an edit of a resource's text.
type mending struct {
	says string
	edit func(text string) (string, error)
}

// suspect is a resource that a reason may mean.
type suspect struct {
	*mesh.Resource
	reason  reason
	in      *mesh.Mesh
	changes *changes                 // since the push before
	values  func() map[string]string // every single value, by path
}

func diagnose(r Rejection) []Diagnosis {
	var out []Diagnosis
	reasons := split(r)
	for _, why := range reasons[:min(len(reasons), maxReasons)] {
		out = append(out, r.explain(why)...)
	}
	if len(out) == 0 {
		out = append(out, Diagnosis{Words: Words(r.Text), Plain: "The node gave no reason.", Hint: noReasonHint})
	}
	return out
}

const noReasonHint = "look into the node's log, or undo the push and make its changes one by one"

// explain tells of one reason, the likeliest place first.
func (r Rejection) explain(why reason) []Diagnosis {
	groups := r.suspects(why)
	for _, kind := range slices.Concat(rules, sayings) {
		m := kind.says.FindStringSubmatch(why.text)
		if m == nil {
			continue
		}
		for _, group := range groups {
			if found := r.search(kind, m, group); len(found) > 0 {
				return found
			}
		}
	}
	return []Diagnosis{r.unknown(why, groups)}
}

// found is a place in a suspect.
type found struct {
	suspect
	place
}

// search lists the places in a group of suspects that a rule finds.
func (r Rejection) search(kind rule, m []string, group []suspect) []Diagnosis {
	var all []found
	in := map[mesh.Key]bool{}
	for _, s := range group {
		places := s.within(kind.find(s, m))
		for _, p := range places[:min(len(places), maxInOne)] {
			all = append(all, found{s, p})
			in[s.Key] = true
		}
	}
	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Compare(b.changes.rank(b.path), a.changes.rank(a.path))
	})
	// What was there before was accepted: it is no suspect beside what is new.
	for i, f := range all {
		if i > 0 && f.changes.rank(f.path) < all[0].changes.rank(all[0].path) {
			all = all[:i]
			break
		}
	}
	var out []Diagnosis
	for _, f := range all[:min(len(all), maxPlaces)] {
		d := f.diagnosis()
		d.Sure = len(in) == 1
		out = append(out, d)
	}
	return out
}

// within is the places that are where the text itself points; all of them when
// none is, or when it points nowhere.
func (s suspect) within(places []place) []place {
	if s.reason.path == "" || s.reason.named != s.Key {
		return places
	}
	var out []place
	for _, p := range places {
		if below(p.path, s.reason.path) || below(s.reason.path, p.path) {
			out = append(out, p)
		}
	}
	if len(out) == 0 && len(places) > 0 {
		p := places[0]
		p.path, p.mend = s.reason.path, nil
		out = append(out, p)
	}
	return out
}

// diagnosis is the place in the operator's text.
func (f found) diagnosis() Diagnosis {
	d := Diagnosis{Key: f.Key, Path: f.path, Plain: f.plain, Why: f.why, Hint: f.hint, Words: f.reason.words}
	locate(&d, f.Resource)
	d.Fix = f.fix()
	return d
}

// locate fills in where the diagnosed field stands: the line of the field, or of the
// nearest one above it that is written down.
func locate(d *Diagnosis, r *mesh.Resource) {
	d.File = r.Source.File
	if line, column, ok := text.NewLocator(r.Source.Text).Nearest(d.Path); ok {
		d.Line, d.Column = r.Source.Place(line, column)
	} else if d.File != "" {
		d.Line = r.Source.Line
	}
}
