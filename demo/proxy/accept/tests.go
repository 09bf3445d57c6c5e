package accept

import (
	"fmt"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// must takes a flag with that value alone; what names what the other would ask for.
func must(what string, value bool) test {
	return func(at string, v protoreflect.Value) error {
		is, isBool := v.Interface().(bool)
		if !isBool {
			w, _ := v.Message().Interface().(*wrapperspb.BoolValue)
			is = w.GetValue()
		}
		if is != value {
			return undone(at, "does not do "+what)
		}
		return nil
	}
}

// mustEnum takes some values of an enum; what names what the others ask for.
func mustEnum(what string, values ...int32) test {
	return func(at string, v protoreflect.Value) error {
		for _, ok := range values {
			if int32(v.Enum()) == ok {
				return nil
			}
		}
		return undone(at, "does not do "+what)
	}
}

// none takes a duration of zero alone.
func none(what string) test {
	return func(at string, v protoreflect.Value) error {
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok && d.AsDuration() == 0 {
			return nil
		}
		return undone(at, "does not do "+what)
	}
}

// noConnect takes every upgrade but CONNECT, which is no upgrade.
func noConnect(at string, v protoreflect.Value) error {
	if strings.EqualFold(v.String(), "CONNECT") || strings.EqualFold(v.String(), "CONNECT-UDP") {
		return undone(at, "does not do "+v.String())
	}
	return nil
}

const rawBuffer = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"

// clearText takes the transport socket that does nothing.
func clearText(at string, v protoreflect.Value) error {
	s, _ := v.Message().Interface().(*corev3.TransportSocket)
	kind := typeOf(s.GetTypedConfig())
	switch {
	case kind == rawBuffer:
		return nil
	case strings.HasSuffix(string(kind), "DownstreamTlsContext"):
		return undone(at, "does not do TLS")
	}
	return undone(at, fmt.Sprintf("does not do the transport socket %s", s.GetName()))
}

// someChain asks for a filter chain, and that no two take the same connections,
// as Envoy does.
func someChain(_ string, m proto.Message) error {
	l, _ := m.(*listenerv3.Listener)
	chains := l.GetFilterChains()
	if l.GetAddress().GetAddress() == nil {
		return fmt.Errorf("error adding listener named '%s': address is necessary", l.GetName())
	}
	if len(chains) == 0 && l.GetDefaultFilterChain() == nil {
		return fmt.Errorf("error adding listener '%s': no filter chains specified", mesh.Address(l.GetAddress()))
	}
	for i, c := range chains {
		for _, before := range chains[:i] {
			if sameMatch(c.GetFilterChainMatch(), before.GetFilterChainMatch()) {
				return fmt.Errorf("error adding listener '%s': filter chain '%s' has the same matching rules defined as '%s'. duplicate matcher is: %s",
					mesh.Address(l.GetAddress()), c.GetName(), before.GetName(), matcherText(c.GetFilterChainMatch()))
			}
		}
	}
	return sameServer(l)
}

// sameMatch compares two matches; none is the same as one that says nothing.
func sameMatch(a, b *listenerv3.FilterChainMatch) bool {
	none := &listenerv3.FilterChainMatch{}
	if a == nil {
		a = none
	}
	if b == nil {
		b = none
	}
	return proto.Equal(a, b)
}

func matcherText(m *listenerv3.FilterChainMatch) string {
	if m == nil {
		return "{}"
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil { // it was read from the wire a moment ago
		return "{}"
	}
	return strings.ReplaceAll(string(text), `": `, `":`) // protojson blanks at will
}

// ipRange takes an IP address with the length of its prefix; one that is too
// long is all of the address.
func ipRange(at string, m proto.Message) error {
	c, _ := m.(*corev3.CidrRange)
	if _, err := netip.ParseAddr(c.GetAddressPrefix()); err != nil {
		return fmt.Errorf("%s: invalid ip/mask combo '%s/%d' (format is <ip>/<# mask bits>)", at, c.GetAddressPrefix(), c.GetPrefixLen().GetValue())
	}
	return nil
}

// typed asks a filter for its configuration, by which it is known.
func typed(_ string, m proto.Message) error {
	f, ok := m.(interface {
		GetName() string
		GetTypedConfig() *anypb.Any
	})
	if ok && f.GetTypedConfig() == nil {
		return fmt.Errorf("Didn't find a registered implementation for '%s' with type URL: ''", f.GetName()) //nolint:staticcheck // Envoy's own words
	}
	return nil
}

// oneManager takes a chain of one connection manager alone.
func oneManager(at string, m proto.Message) error {
	c, _ := m.(*listenerv3.FilterChain)
	if n := len(c.GetFilters()); n > 1 {
		return undone(fmt.Sprintf("%s.filters[1]", at), "runs one network filter a chain")
	}
	return nil
}

// wholeManager looks at a connection manager as a whole: its filters, its
// upgrades, and the routes that stand in it.
func wholeManager(at string, m proto.Message) error {
	h, _ := m.(*hcmv3.HttpConnectionManager)
	if err := filterOrder(at, h); err != nil {
		return err
	}
	if h.GetStripAnyHostPort() && h.GetStripMatchingHostPort() {
		return fmt.Errorf("%s: Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.", at) //nolint:staticcheck,revive // Envoy's own words
	}
	if rc := h.GetRouteConfig(); rc != nil {
		if err := compiles(at+".route_config", rc); err != nil {
			return err
		}
	}
	return oneUpgrade(at, h)
}

// noSource refuses what is no source of routes to an Envoy either.
func noSource(at string, _ proto.Message) error {
	return fmt.Errorf("%s: Missing config source specifier in envoy::config::core::v3::ConfigSource", at) //nolint:staticcheck // Envoy's own words
}

// filterOrder asks for a router behind all other filters.
func filterOrder(at string, h *hcmv3.HttpConnectionManager) error {
	last := len(h.GetHttpFilters()) - 1
	if last < 0 {
		return fmt.Errorf("%s.http_filters: there is no filter, and the built-in proxy does not let requests hang, as an Envoy without a router does; add %s", at, routerName)
	}
	for i, f := range h.GetHttpFilters() {
		switch is := typeOf(f.GetTypedConfig()) == router; {
		case is && i < last:
			return fmt.Errorf("%s.http_filters[%d]: terminal filter named %s of type %s must be the last filter in a http filter chain",
				at, i, f.GetName(), routerName)
		case !is && i == last:
			return fmt.Errorf("%s.http_filters[%d]: non-terminal filter named %s is the last filter in a http filter chain", at, i, f.GetName())
		}
	}
	return nil
}

const (
	router     = "envoy.extensions.filters.http.router.v3.Router"
	routerName = "envoy.filters.http.router"
)
