package matchtest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Report writes a case with one request down: where prediction and observation
// differ, the request, both answers, and the listener and routes as YAML,
// without what every generated case has alike.
func Report(c Case, a Asker, o Observed, found []Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d:\n", c.Seed)
	for _, d := range found {
		fmt.Fprintf(&b, "  %s: %s\n", d.Kind, d.Text)
	}
	for _, q := range c.Requests {
		fmt.Fprintf(&b, "request:   %q%s\npredicted: %s\n", q.Raw, connectionOf(q.Ask), predicted(a.Match(&q.Ask)))
	}
	fmt.Fprintf(&b, "observed:  %s\n", o)
	for _, r := range c.Mesh.All() {
		if r.Key.Type == mesh.Cluster {
			continue
		}
		m := proto.Clone(r.Message)
		tidy(m.ProtoReflect())
		s, err := text.Encode(m)
		if err != nil {
			s = err.Error() + "\n"
		}
		fmt.Fprintf(&b, "--- %s\n%s", r.Key, s)
	}
	return b.String()
}

func connectionOf(q match.Request) string {
	var s string
	if q.Source.IsValid() {
		s += fmt.Sprintf(" from %s to %s", q.Source, q.Address)
	}
	if q.TLS {
		s += fmt.Sprintf(" over TLS, SNI %q, ALPN %q", q.SNI, q.ALPN)
	}
	return s
}

func predicted(way match.Way) string {
	s := fmt.Sprintf("%s %d%s, virtual host %q, route %q", way.Action, way.Status, because(way), way.VirtualHost, way.Route.Name)
	if way.FilterChain != "" {
		s += fmt.Sprintf(", filter chain %q", way.FilterChain)
	}
	if way.Location != "" {
		s += fmt.Sprintf(", location %q", way.Location)
	}
	if way.Action == match.Forward {
		s += fmt.Sprintf(", cluster %q, path %q, host %q", way.Cluster, way.Path, way.Host)
	}
	return s
}

// tidy takes out what every generated case has alike.
func tidy(m protoreflect.Message) {
	if whole, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := whole.UnmarshalNew(); err == nil {
			tidy(inner.ProtoReflect())
			_ = whole.MarshalFrom(inner) // it was just read; else it stays as it was
		}
		return
	}
	if m.Descriptor().FullName() == "envoy.config.core.v3.TransportSocket" {
		m.Clear(m.Descriptor().Fields().ByName("typed_config"))
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch fd.Name() {
		case "local_reply_config", "response_headers_to_add", "http_filters", "address", "stat_prefix", "generate_request_id", "validate_clusters":
			m.Clear(fd)
			return true
		}
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				tidy(v.List().Get(i).Message())
			}
		default:
			tidy(v.Message())
		}
		return true
	})
}
