package pcre

import "strings"

// verdict is what becomes of what stands behind a place that looks ahead.
type verdict uint8

const (
	cannot  verdict = iota // it cannot be spelled out
	never                  // nothing that comes there is what it asks for
	asIs                   // all that comes there is
	spelled                // it has been spelled out
)

// look is a place that looks ahead: for the words, or for anything but them.
type look struct {
	not bool
}

// settled is the verdict on a text of which so much has been read; spelled is
// none yet.
func (l look) settled(st state) verdict {
	switch {
	case st.done() && l.not, len(st) == 0 && !l.not:
		return never
	case st.done(), len(st) == 0:
		return asIs
	}
	return spelled
}

// over spells out what rest takes where the text goes on as it is asked for.
func (l look) over(st state, rest []item) (string, verdict) {
	if v := l.settled(st); v != spelled {
		return texts(rest), v
	}
	if bare(rest) {
		return l.last(st, rest)
	}
	first, behind := rest[0], rest[1:]
	switch first.kind {
	case paren:
		out, v := l.over(st, behind)
		return first.text + out, v
	case end:
		return l.atEnd(st, rest)
	case one:
		return l.one(st, first, behind)
	case many, some:
		if len(behind) == 0 && !first.possessive { // as many as there are: one is enough, or none
			if first.kind == many {
				return l.last(st, nil)
			}
			return l.one(st, item{kind: one, text: first.set.String(), set: first.set}, nil)
		}
		return l.many(st, first, behind)
	}
	return "", cannot
}

// bare reports whether nothing is left but the ends of groups.
func bare(items []item) bool {
	for _, it := range items {
		if it.kind != paren {
			return false
		}
	}
	return true
}

func texts(items []item) string {
	var b strings.Builder
	for _, it := range items {
		b.WriteString(it.text)
	}
	return b.String()
}

func group(ways []string) (string, verdict) {
	switch len(ways) {
	case 0:
		return "", never
	case 1:
		if !strings.Contains(ways[0], "|") {
			return ways[0], spelled
		}
	}
	return "(?:" + strings.Join(ways, "|") + ")", spelled
}

// last spells out the text itself: nothing behind the place takes any of it.
func (l look) last(st state, rest []item) (string, verdict) {
	ms, others := st.moves()
	var all []string
	for _, m := range ms {
		switch l.settled(m.next) {
		case asIs:
			all = append(all, m.set.String())
		case spelled:
			if out, v := l.last(m.next, nil); v == spelled {
				all = append(all, m.set.String()+out)
			}
		}
	}
	if l.not && !others.empty() {
		all = append(all, others.String())
	}
	if l.not != st.ends() {
		all = append(all, `\z`)
	}
	out, v := group(all)
	return texts(rest) + out, v
}

// atEnd is for a text that must end here, or with a newline.
func (l look) atEnd(st state, rest []item) (string, verdict) {
	ms, _ := st.moves()
	ends, newline := st.ends(), false
	for _, m := range ms {
		if m.set['\n'] {
			newline = true
			if rest[0].text == "$" && (!ends || !m.next.ends()) {
				return "", cannot
			}
		}
	}
	if ends && !newline && rest[0].text == "$" {
		return "", cannot
	}
	if ends == l.not {
		return "", never
	}
	return texts(rest), asIs
}

// one is for one character that comes next.
func (l look) one(st state, first item, rest []item) (string, verdict) {
	ms, others := st.moves()
	left := first.set.and(others)
	var met []move
	for _, m := range ms {
		if both := m.set.and(first.set); !both.empty() {
			met = append(met, move{both, m.next})
		}
	}
	switch {
	case len(met) == 0 && l.not:
		return first.text + texts(rest), asIs
	case len(met) == 0:
		return "", never
	case len(met) == 1 && (left.empty() || !l.not):
		text := first.text
		if met[0].set != first.set {
			text = met[0].set.String()
		}
		out, v := l.over(met[0].next, rest)
		if v == asIs && text != first.text {
			v = spelled
		}
		return text + out, v
	}
	if strings.ContainsAny(texts(rest), "()") {
		return "", cannot // what stands there twice must have no groups
	}
	var all []string
	for _, m := range met {
		switch out, v := l.over(m.next, rest); v {
		case cannot:
			return "", cannot
		case asIs, spelled:
			all = append(all, m.set.String()+out)
		}
	}
	if l.not && !left.empty() {
		all = append(all, left.String()+texts(rest))
	}
	return group(all)
}

// many is for any number of characters of a set, as many as rest leaves.
func (l look) many(st state, first item, rest []item) (string, verdict) {
	tail := ""
	if bare(rest) {
		tail = `(?:\z|` + first.set.not().String() + ")" // all of them
		if first.set.not().empty() {
			tail = `\z`
		}
	}
	out, v := l.run(st, first, rest, first.kind == some)
	if v != spelled {
		return "", v
	}
	return out + texts(rest) + tail, spelled
}

// run spells out a run of the set. The longest way stands first, and the next
// character decides between them, so that groups hold what PCRE's hold.
func (l look) run(st state, first item, rest []item, more bool) (string, verdict) {
	class := first.set.String()
	ms, others := st.moves()
	var all []string
	for _, m := range ms {
		both := m.set.and(first.set)
		if both.empty() {
			continue
		}
		switch l.settled(m.next) {
		case asIs:
			all = append(all, both.String()+class+"*")
		case spelled:
			out, v := l.run(m.next, first, rest, false)
			if v == cannot {
				return "", cannot
			}
			if v == spelled {
				all = append(all, both.String()+out)
			}
		}
	}
	if both := others.and(first.set); l.not && !both.empty() {
		all = append(all, both.String()+class+"*")
	}
	if !more {
		v := l.stop(st, first, rest)
		if v == cannot {
			return "", cannot
		}
		if v == asIs {
			all = append(all, "")
		}
	}
	return group(all)
}

// stop is the verdict on a run that ends here.
func (l look) stop(st state, first item, rest []item) verdict {
	var v verdict
	if !bare(rest) {
		_, v = l.over(st, rest)
	} else { // because the text ends, or no more of them come
		v = asIs
		if l.not == st.ends() {
			v = never
		}
		if out := first.set.not(); !out.empty() {
			if _, next := l.one(st, item{kind: one, set: out}, nil); next != v {
				return cannot
			}
		}
	}
	if v == spelled {
		return cannot
	}
	return v
}
