package outline

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"
)

// otherValue says in a few words what a resource without a pane is. It never
// shows what a secret holds.
func otherValue(m proto.Message) string {
	switch m := m.(type) {
	case *tlsv3.Secret:
		return secretValue(m)
	case *routev3.VirtualHost:
		return fmt.Sprintf("%s → %s", listed(m.GetDomains(), "no domain"), count(len(m.GetRoutes()), "route"))
	case *routev3.ScopedRouteConfiguration:
		var keys []string
		for _, f := range m.GetKey().GetFragments() {
			keys = append(keys, f.GetStringKey())
		}
		to := m.GetRouteConfigurationName()
		if to == "" {
			to = "routes inline"
		}
		return fmt.Sprintf("key %s → %s", listed(keys, "none"), to)
	case *corev3.TypedExtensionConfig:
		url := m.GetTypedConfig().GetTypeUrl()
		return url[strings.LastIndexByte(url, '.')+1:]
	case *runtimev3.Runtime:
		return count(len(m.GetLayer().GetFields()), "key")
	}
	return ""
}

// secretValue is the kind of a secret and where its content lies.
func secretValue(s *tlsv3.Secret) string {
	switch t := s.GetType().(type) {
	case *tlsv3.Secret_TlsCertificate:
		return "certificate and key, " + lies(t.TlsCertificate.GetCertificateChain())
	case *tlsv3.Secret_ValidationContext:
		return "trusted CA, " + lies(t.ValidationContext.GetTrustedCa())
	case *tlsv3.Secret_SessionTicketKeys:
		return count(len(t.SessionTicketKeys.GetKeys()), "session ticket key")
	case *tlsv3.Secret_GenericSecret:
		return "generic secret, " + lies(t.GenericSecret.GetSecret())
	}
	return "empty"
}

// lies says where a data source's content comes from.
func lies(d *corev3.DataSource) string {
	switch s := d.GetSpecifier().(type) {
	case *corev3.DataSource_Filename:
		return "from " + s.Filename
	case *corev3.DataSource_EnvironmentVariable:
		return "from $" + s.EnvironmentVariable
	case *corev3.DataSource_InlineBytes, *corev3.DataSource_InlineString:
		return "inline"
	}
	return "not given"
}

// listed is the first of several and how many more there are.
func listed(all []string, none string) string {
	switch len(all) {
	case 0:
		return none
	case 1:
		return all[0]
	}
	return fmt.Sprintf("%s +%d", all[0], len(all)-1)
}
