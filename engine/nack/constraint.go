package nack

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// link is one step of what generated validation says: a message of a kind, its
// field, and why.
type link struct{ message, field, reason string }

var (
	linkText  = regexp.MustCompile(`^(\w+)ValidationError\.(\w+(?:\[[^\]]*\])?): (.*)$`)
	oneofText = regexp.MustCompile(`^field: "(\w+)", reason: (.*)$`)
)

// chain reads "AValidationError.B[0]: … | caused by CValidationError.D: why".
func chain(s string) []link {
	var out []link
	for _, part := range strings.Split(s, " | caused by ") {
		part = strings.TrimSpace(part)
		if m := oneofText.FindStringSubmatch(part); m != nil {
			out = append(out, link{"", m[1], "value " + m[2]})
			continue
		}
		m := linkText.FindStringSubmatch(part)
		if m == nil {
			return nil
		}
		out = append(out, link{m[1], m[2], strings.ReplaceAll(m[3], " characters", " runes")})
	}
	return out
}

// brokenRules finds the fields that break a rule which stands in the protos.
func brokenRules(s suspect, m []string) []place {
	links := chain(m[1])
	if len(links) == 0 {
		return nil
	}
	at := map[string]proto.Message{}
	var roots []string
	walk("", s.Message.ProtoReflect(), func(path string, m proto.Message) {
		at[path] = m
		if links[0].message == "" && lacks(m, links[0].field) || isCalled(m, links[0].message) {
			roots = append(roots, path)
		}
	})
	var certain, possible []place
	for _, root := range roots {
		b, ok := follow(at, root, links)
		switch {
		case !ok:
		case b.reason == "value is required" || breaks(b.holder, links[len(links)-1].field):
			certain = append(certain, b.place(s))
		default:
			possible = append(possible, b.place(s))
		}
	}
	if len(certain) > 0 {
		return certain
	}
	return possible
}

// isCalled reports whether generated validation calls a message so: Envoy's
// leaves out what a message is nested in, Go's does not.
func isCalled(m proto.Message, name string) bool {
	return string(m.ProtoReflect().Descriptor().Name()) == name || messageName(m) == name
}

// lacks reports whether a message has a oneof of that name, and nothing in it.
func lacks(m proto.Message, oneof string) bool {
	od := m.ProtoReflect().Descriptor().Oneofs().ByName(protoreflect.Name(oneof))
	return od != nil && m.ProtoReflect().WhichOneof(od) == nil
}

// alternatives are the fields of a oneof, a few of them.
func alternatives(md protoreflect.MessageDescriptor, oneof string) string {
	od := md.Oneofs().ByName(protoreflect.Name(oneof))
	if od == nil {
		return oneof
	}
	var names []string
	for i := range min(od.Fields().Len(), 4) {
		names = append(names, string(od.Fields().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// breach is a broken rule.
type breach struct {
	path   string
	called string
	reason string
	holder proto.Message // the message whose field it is
	packed bool          // in an extension's configuration
}

// follow goes down a chain from a message; ok is false where it leads nowhere.
func follow(at map[string]proto.Message, root string, links []link) (b breach, ok bool) {
	path := root
	for i, l := range links {
		m := at[path]
		if m == nil || l.message != "" && !isCalled(m, l.message) {
			return breach{}, false
		}
		md := m.ProtoReflect().Descriptor()
		if l.message == "" { // a oneof, by its name in the proto
			return breach{path, "one of " + alternatives(md, l.field), "value is required", m, root != ""}, i == len(links)-1
		}
		field, below, called := text.GoField(path, md, l.field)
		if i == len(links)-1 {
			return breach{field, called, l.reason, m, root != ""}, true
		}
		if below == nil {
			return breach{}, false
		}
		path = field
	}
	return breach{}, false
}

// breaks reports whether this program's own validation finds the field wrong too.
func breaks(m proto.Message, goField string) bool {
	v, ok := m.(interface{ ValidateAll() error })
	if !ok {
		return false
	}
	var all interface{ AllErrors() []error }
	if !errors.As(v.ValidateAll(), &all) {
		return false
	}
	for _, err := range all.AllErrors() {
		var one interface{ Field() string }
		if errors.As(err, &one) && one.Field() == goField {
			return true
		}
	}
	return false
}

func (b breach) place(s suspect) place {
	p := place{path: b.path, plain: text.Broken(b.reason, b.called)}
	if value := s.values()[b.path]; value != "" && !secret(b.path) {
		p.plain += ", and it is " + shown(value)
	}
	p.plain += "."
	p.why = fmt.Sprintf("Envoy drops a whole %s response for one such value: what else was in it is not taken either", s.Key.Type.Service())
	if b.packed {
		p.why = fmt.Sprintf("Envoy refuses the %s, and keeps the one that it had", s.Key.Type)
	}
	p.mend = b.mend(s)
	switch {
	case p.mend != nil:
		p.hint = p.mend.says
	case strings.HasSuffix(b.reason, "is required") || notEmpty.MatchString(b.reason):
		p.hint = "add " + b.called
	default:
		p.hint = "correct " + b.called
	}
	return p
}

var (
	bound    = regexp.MustCompile(`value must be (less|greater) than (or equal to )?(-?\d+)$`)
	notEmpty = regexp.MustCompile(`^value (length )?must (be|contain) at least 1 `)
	positive = regexp.MustCompile(`^value must be greater than (or equal to )?-?[\d.]+m?s$`)
)

// mend is an edit that keeps the rule, where there is an obvious one.
func (b breach) mend(s suspect) *mending {
	field := lastStep(b.path)
	number := bound.FindStringSubmatch(b.reason)
	switch {
	case positive.MatchString(b.reason):
		return s.positiveDuration(b.path)
	case field == "port_value" && number != nil:
		return s.smallerPort(b.path)
	case number != nil:
		if m := s.putBack(b.path); m != nil {
			return m
		}
		return clamp(b.path, number)
	case field == "domains" && notEmpty.MatchString(b.reason):
		return s.anyDomain(b.path)
	case notEmpty.MatchString(b.reason):
		if name := s.impliedName(b.path, b.holder); name != "" {
			return set(fmt.Sprintf("set %s to %s", field, name), b.path, name)
		}
	case field == "path_separated_prefix":
		value := s.values()[b.path]
		if short := strings.TrimRight(value, "/"); short != value && strings.HasPrefix(short, "/") {
			return set("write "+shown(short), b.path, short)
		}
	case b.reason == "value is required" && field == "match" && messageName(b.holder) == "Route":
		return set(`match every path: prefix "/"`, b.path, map[string]any{"prefix": "/"})
	case b.reason == "value is required" && messageName(b.holder) == "RouteMatch":
		return set(`match every path: prefix "/"`, text.Field(b.path, "prefix"), "/")
	}
	return s.putBack(b.path)
}

// clamp sets a number to the nearest one that is allowed.
func clamp(path string, m []string) *mending {
	limit := atoi(m[3])
	switch {
	case m[2] == "" && m[1] == "less":
		limit--
	case m[2] == "":
		limit++
	}
	return set(fmt.Sprintf("set %s to %d", lastStep(path), limit), path, limit)
}

// impliedName is the name that a field without one must have meant; "" when
// nothing says so.
func (s suspect) impliedName(path string, holder proto.Message) string {
	field := lastStep(path)
	switch {
	case field == "stat_prefix":
		return s.Key.Name
	case field == "name" && messageName(holder) == "VirtualHost":
		return hostName(holder)
	case path == "name" && s.Key.Type == mesh.Cluster:
		return s.assignedName()
	case path == "cluster_name" && s.Key.Type == mesh.Endpoints:
		return s.lackingEndpoints()
	case field == "cluster_name" && s.Key.Type == mesh.Cluster:
		return s.Key.Name // of a load_assignment
	}
	return ""
}
