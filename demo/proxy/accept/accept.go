package accept

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// instead is what to do about a resource that is refused.
const instead = "use a real Envoy (--data-plane envoy)"

// Accept returns nil when the proxy does all that the resource says, else one
// sentence that names the resource and the field: the text of the NACK. What an
// Envoy refuses too is said in its words.
func Accept(t mesh.Type, m proto.Message) error {
	if is, ok := mesh.TypeOf(m); !ok || is != t {
		return fmt.Errorf("it is no %s", t)
	}
	if err := check(m); err != nil {
		return fmt.Errorf("%s %s: %w", t, mesh.NameOf(m), err)
	}
	return nil
}

func check(m proto.Message) error {
	if err := validate(m); err != nil {
		return err
	}
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return foreign("cluster "+m.GetName(), upstream.Check(m))
	case *endpointv3.ClusterLoadAssignment:
		return foreign("endpoints of "+m.GetClusterName(), upstream.CheckAssignment(m))
	case *routev3.RouteConfiguration:
		if err := walk("", m.ProtoReflect()); err != nil {
			return err
		}
		return compiles("", m)
	case *tlsv3.Secret:
		return fmt.Errorf("the built-in proxy does not do TLS, nor anything else with a secret; %s", instead)
	}
	return walk("", m.ProtoReflect())
}

// foreign takes the resource's name off an error that has it, and says what to
// do about what the proxy does not do.
func foreign(named string, err error) error {
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), named+": ")
	if strings.Contains(text, "built-in proxy") && !strings.Contains(text, instead) {
		text += "; " + instead
	}
	return errors.New(text)
}

// compiles refuses routes that cannot be compiled, which an Envoy refuses too.
func compiles(at string, rc *routev3.RouteConfiguration) error {
	_, problems := routes.Compile(rc)
	for _, p := range problems {
		if strings.Contains(p.Message, "Envoy takes this") {
			continue // it does nothing, there as here
		}
		return fmt.Errorf("%s: %s", join(at, p.Path), strings.TrimPrefix(p.Message, "this route never matches: "))
	}
	return nil
}

// validate runs the rules that stand in the protos, and words a breach as Envoy
// does.
func validate(m proto.Message) error {
	v, ok := m.(interface{ Validate() error })
	if !ok {
		return nil
	}
	err := v.Validate()
	if err == nil {
		return nil
	}
	text := broken.ReplaceAllString(err.Error(), "${1}ValidationError.")
	text = strings.NewReplacer("caused by: ", "caused by ", " runes", " characters").Replace(text)
	return fmt.Errorf("Proto constraint validation failed (%s)", text) //nolint:staticcheck // Envoy's own words
}

// broken is how Go's validation names a field.
var broken = regexp.MustCompile(`invalid (\w+)\.`)
