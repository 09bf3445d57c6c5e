package routes

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// maxNesting bounds matchers within matchers, which a text can nest without end.
const maxNesting = 32

// metadataMatch is what is asked of one value that a filter has left.
type metadataMatch struct {
	filter, path string
	value        storedMatch
	invert       bool
}

func (m *metadataMatch) met(v *view) bool {
	value, there := v.r.Metadata[m.filter][m.path]
	return m.value.holds(value, there) != m.invert
}

func (m *metadataMatch) told(v *view) bool {
	_, there := v.r.Metadata[m.filter][m.path]
	return there
}

func (m *metadataMatch) name() string {
	return "dynamic metadata " + m.filter + " " + m.path
}

func (m *metadataMatch) verdict(v *view) string {
	value, there := v.r.Metadata[m.filter][m.path]
	if !there {
		return m.name() + " is absent"
	}
	return m.name() + " (" + show(value) + ") " + m.value.verdict(value)
}

// compileMetadata reads a MetadataMatcher.
func compileMetadata(m *matcherv3.MetadataMatcher) (metadataMatch, string) {
	keys := make([]string, 0, len(m.GetPath()))
	for _, segment := range m.GetPath() {
		keys = append(keys, segment.GetKey())
	}
	value, problem := compileStored(m.GetValue(), 0)
	return metadataMatch{filter: m.GetFilter(), path: strings.Join(keys, "."), value: value, invert: m.GetInvert()}, problem
}

// storedKind is what is asked of a stored value.
type storedKind uint8

const (
	storedNever storedKind = iota
	storedNull
	storedNumber
	storedText
	storedBool
	storedPresent
	storedAny // one of several matchers
)

// storedMatch is a ValueMatcher. Values are known as texts here, so a number is
// what reads as one, and a list is not told from its only element.
type storedMatch struct {
	kind   storedKind
	text   textMatch
	lo, hi float64
	exact  bool // lo is the number itself
	yes    bool // of storedBool and storedPresent
	any    []storedMatch
}

func (m *storedMatch) holds(value string, there bool) bool {
	if !there {
		return false
	}
	switch m.kind {
	case storedNull:
		return value == "null"
	case storedNumber:
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && (m.exact && n == m.lo || !m.exact && m.lo <= n && n < m.hi)
	case storedText:
		return m.text.holds(value)
	case storedBool:
		return value == strconv.FormatBool(m.yes)
	case storedPresent:
		return m.yes
	case storedAny:
		for i := range m.any {
			if m.any[i].holds(value, there) {
				return true
			}
		}
	}
	return false
}

func (m *storedMatch) verdict(value string) string {
	met := m.holds(value, true)
	is := "is not"
	if met {
		is = "is"
	}
	switch m.kind {
	case storedNull:
		return is + " null"
	case storedNumber:
		if m.exact {
			return fmt.Sprintf("%s %g", is, m.lo)
		}
		return fmt.Sprintf("%s in [%g, %g)", is, m.lo, m.hi)
	case storedText:
		return m.text.verdict(met)
	case storedBool:
		return fmt.Sprintf("%s %t", is, m.yes)
	case storedPresent:
		return "is there"
	case storedAny:
		return is + " one of those asked for"
	}
	return "cannot be judged"
}

func compileStored(m *matcherv3.ValueMatcher, depth int) (storedMatch, string) {
	if depth > maxNesting {
		return storedMatch{}, "the matcher is nested too deeply"
	}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_NullMatch_:
		return storedMatch{kind: storedNull}, ""
	case *matcherv3.ValueMatcher_BoolMatch:
		return storedMatch{kind: storedBool, yes: p.BoolMatch}, ""
	case *matcherv3.ValueMatcher_PresentMatch:
		return storedMatch{kind: storedPresent, yes: p.PresentMatch}, ""
	case *matcherv3.ValueMatcher_StringMatch:
		text, problem := compileText(p.StringMatch)
		return storedMatch{kind: storedText, text: text}, problem
	case *matcherv3.ValueMatcher_DoubleMatch:
		if r := p.DoubleMatch.GetRange(); r != nil {
			return storedMatch{kind: storedNumber, lo: r.GetStart(), hi: r.GetEnd()}, ""
		}
		return storedMatch{kind: storedNumber, lo: p.DoubleMatch.GetExact(), exact: true}, ""
	case *matcherv3.ValueMatcher_ListMatch:
		return compileStored(p.ListMatch.GetOneOf(), depth+1)
	case *matcherv3.ValueMatcher_OrMatch:
		out, problem := storedMatch{kind: storedAny}, ""
		for _, one := range p.OrMatch.GetValueMatchers() {
			inner, p := compileStored(one, depth+1)
			if p != "" {
				problem = p
			}
			out.any = append(out.any, inner)
		}
		return out, problem
	}
	return storedMatch{}, "the matcher says nothing to compare with"
}

// stateMatch is what is asked of one object of the filter state.
type stateMatch struct {
	key    string
	text   *textMatch
	ranges []netip.Prefix
	invert bool // of ranges
}

func (m *stateMatch) met(v *view) bool {
	value, there := v.r.FilterState[m.key]
	if !there {
		return false
	}
	if m.text != nil {
		return m.text.holds(value)
	}
	ip, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	inside := false
	for _, p := range m.ranges {
		inside = inside || p.Contains(ip.Unmap())
	}
	return inside != m.invert
}

func (m *stateMatch) told(v *view) bool {
	_, there := v.r.FilterState[m.key]
	return there
}

func (m *stateMatch) verdict(v *view) string {
	value, there := v.r.FilterState[m.key]
	subject := "filter state " + m.key
	switch {
	case !there:
		return subject + " is absent"
	case m.text != nil:
		return subject + " (" + show(value) + ") " + m.text.verdict(m.text.holds(value))
	case m.met(v):
		return subject + " (" + show(value) + ") is in the address ranges asked for"
	}
	return subject + " (" + show(value) + ") is not in the address ranges asked for"
}

// compileState reads a FilterStateMatcher.
func compileState(m *matcherv3.FilterStateMatcher) (stateMatch, string) {
	s := stateMatch{key: m.GetKey()}
	switch p := m.GetMatcher().(type) {
	case *matcherv3.FilterStateMatcher_StringMatch:
		text, problem := compileText(p.StringMatch)
		s.text = &text
		return s, problem
	case *matcherv3.FilterStateMatcher_AddressMatch:
		s.invert = p.AddressMatch.GetInvertMatch()
		return s, s.addRanges(p.AddressMatch.GetRanges())
	}
	s.text = &textMatch{why: "the matcher says nothing to compare with"}
	return s, s.text.why
}

func (m *stateMatch) addRanges(ranges []*xdscorev3.CidrRange) string {
	for _, r := range ranges {
		ip, err := netip.ParseAddr(r.GetAddressPrefix())
		if err != nil {
			return fmt.Sprintf("%q is no IP address", r.GetAddressPrefix())
		}
		prefix, err := ip.Unmap().Prefix(int(min(r.GetPrefixLen().GetValue(), uint32(ip.Unmap().BitLen()))))
		if err != nil {
			return fmt.Sprintf("%q is no IP address range", r.GetAddressPrefix())
		}
		m.ranges = append(m.ranges, prefix)
	}
	return ""
}
