package nack

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	xdstype "github.com/cncf/xds/go/xds/type/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func negativeDuration(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, d *durationpb.Duration) {
		if !negative(d) {
			return
		}
		p := place{path: path, mend: s.positiveDuration(path)}
		p.plain = fmt.Sprintf("%s is %s, and a time cannot be negative.", lastStep(path), seconds(d.AsDuration()))
		p.why = fmt.Sprintf("Envoy drops a whole %s response for one such value: what else was in it is not taken either", s.Key.Type.Service())
		p.hint = p.mend.says
		out = append(out, p)
	})
	return out
}

// emptyConfigs are extensions that need no settings, by the name that people
// write; a name without a typed_config means nothing to Envoy any more.
var emptyConfigs = map[string]string{
	"envoy.filters.http.router":             "envoy.extensions.filters.http.router.v3.Router",
	"envoy.filters.http.cors":               "envoy.extensions.filters.http.cors.v3.Cors",
	"envoy.filters.http.grpc_web":           "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
	"envoy.filters.listener.tls_inspector":  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
	"envoy.filters.listener.http_inspector": "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
	"envoy.filters.listener.original_dst":   "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
	"envoy.filters.listener.proxy_protocol": "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
	"envoy.transport_sockets.raw_buffer":    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
}

const anyPrefix = "type.googleapis.com/"

func unknownExtension(s suspect, m []string) []place {
	name, url := m[1], m[2]
	typeName := url[strings.LastIndexByte(url, '/')+1:]
	var out []place
	add := func(path, carried string) {
		if typeName != "" && carried[strings.LastIndexByte(carried, '/')+1:] == typeName {
			out = append(out, s.unknownType(path, typeName))
		}
	}
	each(s.Resource, func(path string, a *anypb.Any) {
		var carried xdstype.TypedStruct
		if a.MessageIs(&carried) && a.UnmarshalTo(&carried) == nil {
			add(path, carried.GetTypeUrl())
			return
		}
		add(path, a.GetTypeUrl())
	})
	if len(out) > 0 {
		return out
	}
	walk("", s.Message.ProtoReflect(), func(path string, msg proto.Message) {
		if named, ok := msg.(interface {
			GetName() string
			GetTypedConfig() *anypb.Any
		}); ok && name != "" && named.GetName() == name {
			out = append(out, s.unknownName(path, name, named.GetTypedConfig() == nil))
		}
		if c, ok := msg.(*clusterv3.Cluster); ok && name != "" && c.GetTypedExtensionProtocolOptions()[name] != nil {
			out = append(out, place{path: text.Field(text.Field(path, "typed_extension_protocol_options"), name),
				plain: fmt.Sprintf("There are no protocol options called %s.", shown(name)),
				why:   "the key says which protocol is meant; for HTTP it is " + httpOptions,
				hint:  "write the key " + httpOptions, mend: renameOptions(path, name, c)})
		}
	})
	return out
}

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// renameOptions gives options of HTTP the key that means HTTP.
func renameOptions(path, name string, c *clusterv3.Cluster) *mending {
	options := c.GetTypedExtensionProtocolOptions()
	if options[httpOptions] != nil || options[name].GetTypeUrl() != anyPrefix+httpOptions {
		return nil
	}
	at := text.Field(text.Field(path, "typed_extension_protocol_options"), name)
	return &mending{"write the key " + httpOptions, func(in string) (string, error) {
		value, ok := text.Sub(in, at)
		if !ok {
			return in, fmt.Errorf("%s is not there", at)
		}
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(value.Text), &node); err != nil || len(node.Content) != 1 {
			return in, fmt.Errorf("%s cannot be read: %w", at, err)
		}
		return text.Rename(in, at, httpOptions, node.Content[0])
	}}
}

// unknownType is an extension whose type this Envoy was not built with.
func (s suspect) unknownType(path, typeName string) place {
	p := place{path: path, plain: fmt.Sprintf("The node knows no extension of the type %s.", typeName),
		why:  "what an Envoy was not built with it cannot run, and it leaves nothing out in silence",
		hint: "take the extension out, correct its @type, or use an Envoy that has it"}
	if _, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(typeName)); err == nil && !s.reason.gRPC {
		p.plain = fmt.Sprintf("The type %s is none for this place.", typeName)
		p.why = "an extension has its place: HTTP filters stand in http_filters, network filters in filters, listener filters in listener_filters"
		p.hint = "move it to where its kind belongs, or take it out"
	}
	at := text.Field(path, "@type")
	if meant := similarType(s.Resource, at); meant != "" {
		p.mend = set("take the type "+meant, at, anyPrefix+meant)
		p.hint = "did you mean " + meant + "?"
	}
	if m, filter := s.optional(path); m != nil && s.reason.gRPC {
		p.mend, p.hint = m, fmt.Sprintf("mark %s as optional: a client that lacks it then does without", filter)
	}
	return p
}

// similarType is the linked type that a mistyped one probably means, as reading
// the text says; "" when none is near.
func similarType(r *mesh.Resource, at string) string {
	_, findings := text.Decode(r.Key.Type, mesh.Source{Text: textOf(r)})
	for _, f := range findings {
		if meant, ok := strings.CutPrefix(f.Hint, "did you mean "); ok && f.Path == at {
			return strings.TrimSuffix(meant, "?")
		}
	}
	return ""
}

// optional marks the HTTP filter whose configuration stands at a path.
func (s suspect) optional(path string) (m *mending, filter string) {
	each(s.Resource, func(at string, f *hcmv3.HttpFilter) {
		if path == text.Field(at, "typed_config") {
			m, filter = set("mark "+f.GetName()+" as optional", text.Field(at, "is_optional"), true), f.GetName()
		}
	})
	return m, filter
}

// unknownName is an extension that is only named.
func (s suspect) unknownName(path, name string, bare bool) place {
	p := place{path: text.Field(path, "name"), plain: fmt.Sprintf("%s has no typed_config of a type that the node knows.", shown(name)),
		why:  "the name says nothing to Envoy: what an extension is follows from the @type of its configuration",
		hint: "give it a typed_config, or take it out"}
	if kind := emptyConfigs[name]; kind != "" && bare {
		p.mend = set("give it the typed_config "+kind, text.Field(path, "typed_config"), map[string]any{"@type": anyPrefix + kind})
		p.hint = p.mend.says
	}
	return p
}

func unknownField(s suspect, m []string) []place {
	var out []place
	seen := map[string]bool{}
	values(s.Resource, func(path, _ string) {
		for at := path; at != ""; at = text.Parent(at) {
			if lastStep(at) == m[1] && !seen[at] {
				seen[at] = true
				out = append(out, place{path: at,
					plain: fmt.Sprintf("There is no field %s here.", m[1]),
					why:   "Envoy reads an extension field by field and refuses what it does not know",
					hint:  "correct the field's name or take it out"})
			}
		}
	})
	return out
}

// at lists the fields that hold a value.
func (s suspect) holding(value string) []string {
	var out []string
	values(s.Resource, func(path, v string) {
		if v == value {
			out = append(out, path)
		}
	})
	return out
}

func missingFile(s suspect, m []string) []place {
	var out []place
	file := strings.TrimRight(m[1], "/") // of a folder
	values(s.Resource, func(path, value string) {
		if value != m[1] && (file == m[1] || !strings.HasPrefix(value, file+"/")) {
			return
		}
		out = append(out, place{path: path, mend: s.putBack(path),
			plain: fmt.Sprintf("The file %s cannot be read by the node.", value),
			why:   "Envoy reads the file as it takes the resource, on its own machine and as its own user",
			hint:  "put the file there and let the node's user read it, or correct the path"})
	})
	return out
}

func longPath(s suspect, m []string) []place {
	var out []place
	for _, path := range s.holding(m[1]) {
		out = append(out, place{path: path, mend: s.putBack(path),
			plain: fmt.Sprintf("The path of this socket has %d bytes, and a system takes %d at most.", len(m[1]), atoi(m[2])-1),
			why:   "the address of a unix socket has room for no more",
			hint:  "choose a shorter path"})
	}
	return out
}

// nameForIP finds a host name where only an IP address may stand.
func nameForIP(s suspect, m []string) []place {
	host := strings.TrimSuffix(m[1], ".")
	var out []place
	for _, at := range s.holding(host) {
		p := place{path: at, plain: fmt.Sprintf("%s is no IP address.", host), hint: "write an IP address"}
		if lastStep(at) == "address" {
			p.why, p.hint, p.mend = s.namesInPlaceOfIPs(host, at)
		}
		if p.mend == nil {
			p.mend = s.putBack(at)
		}
		out = append(out, p)
	}
	return out
}

func (s suspect) namesInPlaceOfIPs(host, at string) (why, hint string, mend *mending) {
	switch s.Key.Type {
	case mesh.Cluster:
		if !strings.HasPrefix(at, "load_assignment.") {
			return "Envoy looks no names up for an address of its own", "write the IP address", nil
		}
		why = "a STATIC cluster looks no names up; STRICT_DNS does, and takes every address that it gets"
		return why, "make the cluster STRICT_DNS", set("set type to STRICT_DNS", "type", "STRICT_DNS")
	case mesh.Endpoints:
		why = "what EDS brings is used as it stands: Envoy looks no names up there"
		hint = "write the IP address, or a STRICT_DNS cluster that has this endpoint in its load_assignment"
	default:
		why, hint = "Envoy looks no names up for an address of its own", "write the IP address"
	}
	if host == "localhost" {
		mend = set("write 127.0.0.1", at, "127.0.0.1")
		hint = mend.says
	}
	return why, hint, mend
}

func badRegex(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, r *matcherv3.RegexMatcher) {
		var wrong *syntax.Error
		if _, err := regexp.Compile(r.GetRegex()); !errors.As(err, &wrong) {
			return
		}
		p := place{path: text.Field(path, "regex"),
			plain: fmt.Sprintf("%s is no regular expression: %s.", shown(r.GetRegex()), wrong.Code),
			why:   "Envoy uses RE2, which has no lookahead and no backreferences",
			hint:  "correct it; test it as RE2 or Go does"}
		if strings.HasPrefix(r.GetRegex(), "*") {
			fixed := "." + r.GetRegex()
			if rest := r.GetRegex()[1:]; filePattern.MatchString(rest) {
				fixed = ".*" + regexp.QuoteMeta(rest)
			}
			if compiles(fixed) {
				p.mend = set("write "+shown(fixed), p.path, fixed)
				p.hint = "a star repeats what stands before it: " + p.mend.says
			}
		}
		if p.mend == nil {
			p.mend = s.putBack(p.path)
		}
		out = append(out, p)
	})
	return out
}

// filePattern is what stands behind the star of a pattern for file names.
var filePattern = regexp.MustCompile(`^[-\w./]*$`)

func compiles(expression string) bool { _, err := regexp.Compile(expression); return err == nil }

// socket is a listener's address and where it stands.
type socket struct {
	path string
	a    *corev3.Address
}

// sockets are all that a listener listens on.
func sockets(r *mesh.Resource) []socket {
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return nil
	}
	out := []socket{{"address", l.GetAddress()}}
	for i, more := range l.GetAdditionalAddresses() {
		out = append(out, socket{text.Item("additional_addresses", i) + ".address", more.GetAddress()})
	}
	return out
}
