package csds

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// matchers choose nodes: one fits if any of them does, and all nodes fit where
// there is none. Within one, the id and every piece of metadata must fit.
type matchers []nodeMatcher

type nodeMatcher struct {
	id       func(string) bool // nil: any
	metadata []func(*structpb.Value) bool
}

// newMatchers fails for what cannot be matched, such as an invalid regular
// expression, and names its place.
func newMatchers(from []*matcherv3.NodeMatcher) (matchers, error) {
	var out matchers
	for i, m := range from {
		var made nodeMatcher
		if m.GetNodeId() != nil {
			id, err := newText(m.GetNodeId())
			if err != nil {
				return nil, fmt.Errorf("[%d].node_id: %w", i, err)
			}
			made.id = id
		}
		for j, meta := range m.GetNodeMetadatas() {
			fits, err := newStruct(meta)
			if err != nil {
				return nil, fmt.Errorf("[%d].node_metadatas[%d]: %w", i, j, err)
			}
			made.metadata = append(made.metadata, fits)
		}
		out = append(out, made)
	}
	return out, nil
}

func (m matchers) fit(n *corev3.Node) bool {
	if len(m) == 0 {
		return true
	}
	metadata := structpb.NewStructValue(n.GetMetadata())
	return slices.ContainsFunc(m, func(one nodeMatcher) bool {
		if one.id != nil && !one.id(n.GetId()) {
			return false
		}
		return !slices.ContainsFunc(one.metadata, func(fits func(*structpb.Value) bool) bool { return !fits(metadata) })
	})
}

// newText makes what decides on a text, by envoy.type.matcher.v3.StringMatcher.
func newText(m *matcherv3.StringMatcher) (func(string) bool, error) {
	fold := func(s string) string { return s }
	if m.GetIgnoreCase() {
		fold = strings.ToLower
	}
	by := func(test func(s, pattern string) bool, pattern string) (func(string) bool, error) {
		pattern = fold(pattern)
		return func(s string) bool { return test(fold(s), pattern) }, nil
	}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return by(func(s, pattern string) bool { return s == pattern }, p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return by(strings.HasPrefix, p.Prefix)
	case *matcherv3.StringMatcher_Suffix:
		return by(strings.HasSuffix, p.Suffix)
	case *matcherv3.StringMatcher_Contains:
		return by(strings.Contains, p.Contains)
	case *matcherv3.StringMatcher_SafeRegex:
		re, err := regexp.Compile("^(?:" + p.SafeRegex.GetRegex() + ")$")
		if err != nil {
			return nil, fmt.Errorf("safe_regex: %w", err)
		}
		return re.MatchString, nil
	}
	return nil, fmt.Errorf("a match by %T is not supported", m.GetMatchPattern())
}

// newStruct makes what decides on metadata: the value at the end of the path.
func newStruct(m *matcherv3.StructMatcher) (func(*structpb.Value) bool, error) {
	fits, err := newValue(m.GetValue())
	if err != nil {
		return nil, err
	}
	return func(v *structpb.Value) bool {
		for _, segment := range m.GetPath() {
			v = v.GetStructValue().GetFields()[segment.GetKey()]
		}
		return fits(v)
	}, nil
}

// newValue makes what decides on one value, by envoy.type.matcher.v3.ValueMatcher.
// A value that is not there is nil, and fits nothing but "not present".
func newValue(m *matcherv3.ValueMatcher) (func(*structpb.Value) bool, error) {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_NullMatch_:
		return func(v *structpb.Value) bool { _, ok := v.GetKind().(*structpb.Value_NullValue); return ok }, nil
	case *matcherv3.ValueMatcher_DoubleMatch:
		return newNumber(p.DoubleMatch), nil
	case *matcherv3.ValueMatcher_StringMatch:
		fits, err := newText(p.StringMatch)
		return func(v *structpb.Value) bool {
			s, ok := v.GetKind().(*structpb.Value_StringValue)
			return ok && fits(s.StringValue)
		}, err
	case *matcherv3.ValueMatcher_BoolMatch:
		return func(v *structpb.Value) bool {
			b, ok := v.GetKind().(*structpb.Value_BoolValue)
			return ok && b.BoolValue == p.BoolMatch
		}, nil
	case *matcherv3.ValueMatcher_PresentMatch:
		return func(v *structpb.Value) bool { return p.PresentMatch == (v != nil) }, nil
	case *matcherv3.ValueMatcher_ListMatch:
		item, err := newValue(p.ListMatch.GetOneOf())
		return func(v *structpb.Value) bool { return slices.ContainsFunc(v.GetListValue().GetValues(), item) }, err
	case *matcherv3.ValueMatcher_OrMatch:
		return newOr(p.OrMatch)
	}
	return nil, errors.New("the value is not said")
}

func newNumber(m *matcherv3.DoubleMatcher) func(*structpb.Value) bool {
	return func(v *structpb.Value) bool {
		n, ok := v.GetKind().(*structpb.Value_NumberValue)
		if !ok {
			return false
		}
		if within, ok := m.GetMatchPattern().(*matcherv3.DoubleMatcher_Range); ok {
			return n.NumberValue >= within.Range.GetStart() && n.NumberValue < within.Range.GetEnd()
		}
		return n.NumberValue == m.GetExact()
	}
}

func newOr(m *matcherv3.OrMatcher) (func(*structpb.Value) bool, error) {
	var any []func(*structpb.Value) bool
	for _, one := range m.GetValueMatchers() {
		fits, err := newValue(one)
		if err != nil {
			return nil, err
		}
		any = append(any, fits)
	}
	return func(v *structpb.Value) bool {
		return slices.ContainsFunc(any, func(fits func(*structpb.Value) bool) bool { return fits(v) })
	}, nil
}
