package check

import (
	"fmt"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

const routerType = "envoy.extensions.filters.http.router.v3.Router"

// typeIn is the message name in a type URL.
func typeIn(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// isOpaque tells a filter that may be the router without showing it: one that
// is discovered later, or whose configuration is not looked into.
func isOpaque(f *hcmv3.HttpFilter) bool {
	return f.GetConfigDiscovery() != nil || strings.HasSuffix(f.GetTypedConfig().GetTypeUrl(), "TypedStruct")
}

// missingRouter reports HTTP connection managers whose requests hang.
func missingRouter(c *checker) {
	each(c, func(n node, m *hcmv3.HttpConnectionManager) {
		filters := m.GetHttpFilters()
		if len(filters) == 0 {
			c.report(mesh.Error, n.key, n.at("http_filters"),
				"there are no http_filters: Envoy ACKs this, and every request hangs until its client gives up",
				"add envoy.filters.http.router as the last filter")
			return
		}
		for _, f := range filters {
			if typeIn(f.GetTypedConfig().GetTypeUrl()) == routerType || isOpaque(f) {
				return
			}
		}
		c.report(mesh.Error, n.key, n.item("http_filters", len(filters)-1),
			"no filter is the router: Envoy ACKs this, and every request hangs until its client gives up",
			"add envoy.filters.http.router as the last filter")
	})
}

// routerNotLast reports filters behind the router.
func routerNotLast(c *checker) {
	each(c, func(n node, m *hcmv3.HttpConnectionManager) {
		for i, f := range m.GetHttpFilters() {
			if typeIn(f.GetTypedConfig().GetTypeUrl()) == routerType && i < len(m.GetHttpFilters())-1 {
				c.report(mesh.Error, n.key, n.item("http_filters", i),
					"the router must be the last of the http_filters, and Envoy rejects the listener otherwise",
					"move it behind the others")
			}
		}
	})
}

// untypedFilter reports filters without a configuration: Envoy finds an
// extension by the type of its configuration, not by its name.
func untypedFilter(c *checker) {
	complain := func(n node, name string) {
		c.report(mesh.Error, n.key, n.path,
			fmt.Sprintf("filter %q has no typed_config: Envoy finds an extension by the type of its configuration, not by its name", name),
			"add typed_config with the \"@type\" of the filter")
	}
	each(c, func(n node, f *hcmv3.HttpFilter) {
		if f.GetTypedConfig() == nil && f.GetConfigDiscovery() == nil {
			complain(n, f.GetName())
		}
	})
	each(c, func(n node, f *listenerv3.Filter) {
		if f.GetTypedConfig() == nil && f.GetConfigDiscovery() == nil {
			complain(n, f.GetName())
		}
	})
}

// endsConnection are the network filters that must stand last in their chain.
var endsConnection = map[string]string{
	"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": "HTTP connection manager",
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy":                            "TCP proxy",
}

// terminalNotLast reports network filters behind one that ends the chain.
func terminalNotLast(c *checker) {
	each(c, func(n node, chain *listenerv3.FilterChain) {
		for i, f := range chain.GetFilters() {
			called, ends := endsConnection[typeIn(f.GetTypedConfig().GetTypeUrl())]
			if ends && i < len(chain.GetFilters())-1 {
				c.report(mesh.Error, n.key, n.item("filters", i),
					"the "+called+" must be the last of the filters, and Envoy rejects the listener otherwise",
					"move it behind the others")
			}
		}
	})
}

// serverCertificate reports TLS listeners without a certificate.
func serverCertificate(c *checker) {
	each(c, func(n node, m *tlsv3.DownstreamTlsContext) {
		t := m.GetCommonTlsContext()
		if len(t.GetTlsCertificates())+len(t.GetTlsCertificateSdsSecretConfigs()) > 0 ||
			t.GetTlsCertificateProviderInstance() != nil || t.GetCustomTlsCertificateSelector() != nil ||
			t.GetTlsCertificateCertificateProvider() != nil || t.GetTlsCertificateCertificateProviderInstance() != nil {
			return
		}
		if n.key.Type == mesh.Listener {
			c.report(mesh.Error, n.key, n.path, "this TLS listener has no certificate, and Envoy rejects it",
				"add common_tls_context.tls_certificates, or tls_certificate_sds_secret_configs")
		}
	})
}

// peerUnverified notes upstream TLS that takes any certificate.
func peerUnverified(c *checker) {
	each(c, func(n node, m *tlsv3.UpstreamTlsContext) {
		if m.GetCommonTlsContext().GetValidationContextType() == nil {
			c.report(mesh.Note, n.key, n.path, "without a validation_context any certificate of the upstream is taken",
				"add common_tls_context.validation_context with trusted_ca")
		}
	})
}

// badRegex reports expressions that Envoy cannot compile.
func badRegex(c *checker) {
	each(c, func(n node, m *matcherv3.RegexMatcher) {
		if err := routes.CheckRegex(m.GetRegex()); err != nil {
			c.report(mesh.Error, n.key, n.at("regex"),
				fmt.Sprintf("%q is no regular expression: %s", m.GetRegex(), err),
				"use RE2 syntax, which has no look-around and no back references")
		}
	})
}
