package importer

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// upstreamTLS is how a location speaks TLS with an upstream, nil where it does
// not. nginx names no server (SNI) and checks no certificate unless told; neither
// does Envoy then.
func (im *importer) upstreamTLS(loc, pass *conf.Directive, p *pool) proto.Message {
	on := im.one(loc, "proxy_ssl") // of stream {}
	if scheme := schemeOf(pass); scheme != "https" && scheme != "grpcs" && on.Arg(0) != "on" {
		return nil
	}
	ssl := func(name string) *conf.Directive { return im.one(loc, familyOf(pass)+"_ssl_"+name) }
	common := &tlsv3.CommonTlsContext{}
	out := &tlsv3.UpstreamTlsContext{CommonTlsContext: common}
	name, _, _ := strings.Cut(p.name, ":")
	if d := ssl("name"); d != nil {
		name = d.Arg(0)
		if strings.Contains(name, "$") {
			im.none(d, "the name is a variable, and a cluster of Envoy's has one name", "set auto_host_sni in the cluster's HttpProtocolOptions and upstream_http_protocol_options.auto_sni")
			name = ""
		}
	}
	if d := ssl("server_name"); d != nil && strings.EqualFold(d.Arg(0), "on") {
		out.Sni = name
	}
	im.upstreamVersions(ssl, common)
	im.clientCertificate(ssl, common)
	im.verification(ssl, name, common)
	if d := ssl("session_reuse"); d != nil && d.Arg(0) == "off" {
		out.MaxSessionKeys = wrapperspb.UInt32(0)
	}
	if pass.Name == "grpc_pass" {
		common.AlpnProtocols = []string{"h2"}
	}
	return out
}

// tlsVersions are nginx's names of TLS's versions.
var tlsVersions = map[string]tlsv3.TlsParameters_TlsProtocol{
	"TLSv1": tlsv3.TlsParameters_TLSv1_0, "TLSv1.1": tlsv3.TlsParameters_TLSv1_1,
	"TLSv1.2": tlsv3.TlsParameters_TLSv1_2, "TLSv1.3": tlsv3.TlsParameters_TLSv1_3,
}

func (im *importer) upstreamVersions(ssl func(string) *conf.Directive, c *tlsv3.CommonTlsContext) {
	params := &tlsv3.TlsParameters{}
	if d := ssl("protocols"); d != nil {
		for _, a := range d.Args {
			v, ok := tlsVersions[a]
			if !ok {
				continue
			}
			if params.TlsMinimumProtocolVersion == 0 || v < params.TlsMinimumProtocolVersion {
				params.TlsMinimumProtocolVersion = v
			}
			params.TlsMaximumProtocolVersion = max(params.TlsMaximumProtocolVersion, v)
		}
	}
	if d := ssl("ciphers"); d != nil {
		names, missing, _ := ciphers(d.Arg(0))
		params.CipherSuites = names
		if len(missing) > 0 {
			im.none(d, "Envoy's TLS library does not have "+strings.Join(missing, ", "), "the others of the list are carried over")
		}
	}
	if params.TlsMinimumProtocolVersion != 0 || len(params.GetCipherSuites()) > 0 {
		c.TlsParams = params
	}
}

func (im *importer) clientCertificate(ssl func(string) *conf.Directive, c *tlsv3.CommonTlsContext) {
	chain, key := ssl("certificate"), ssl("certificate_key")
	if chain == nil || key == nil || strings.Contains(chain.Arg(0)+key.Arg(0), "$") {
		if chain != nil && strings.Contains(chain.Arg(0), "$") {
			im.none(chain, "the file is a variable, and a cluster of Envoy's has one certificate", "")
		}
		return
	}
	cert := &tlsv3.TlsCertificate{CertificateChain: im.file(chain.Arg(0)), PrivateKey: im.file(key.Arg(0))}
	if d := ssl("password_file"); d != nil {
		cert.Password = im.file(d.Arg(0))
	}
	c.TlsCertificates = []*tlsv3.TlsCertificate{cert}
}

func (im *importer) verification(ssl func(string) *conf.Directive, name string, c *tlsv3.CommonTlsContext) {
	verify, trusted := ssl("verify"), ssl("trusted_certificate")
	if verify == nil || !strings.EqualFold(verify.Arg(0), "on") || trusted == nil {
		return
	}
	v := &tlsv3.CertificateValidationContext{TrustedCa: im.file(trusted.Arg(0))}
	if d := ssl("crl"); d != nil {
		v.Crl = im.file(d.Arg(0))
	}
	if d := ssl("verify_depth"); d != nil {
		v.MaxVerifyDepth = wrapperspb.UInt32(min(count(d.Arg(0), 1), 99) + 1) // Envoy counts the trust anchor too
	}
	if name != "" {
		v.MatchTypedSubjectAltNames = []*tlsv3.SubjectAltNameMatcher{{SanType: tlsv3.SubjectAltNameMatcher_DNS,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}}}}
	}
	c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: v}
}

// file is a file that the configuration names, relative to its own folder as
// nginx reads it.
func (im *importer) file(name string) *corev3.DataSource {
	if !filepath.IsAbs(name) && im.conf.Path != "" {
		name = filepath.Join(filepath.Dir(im.conf.Path), name)
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}

// tlsFields are the fields that the proxy_ssl_ directives become.
var tlsFields = map[string]string{
	"server_name": "sni", "name": "sni", "protocols": "common_tls_context.tls_params", "ciphers": "common_tls_context.tls_params.cipher_suites", "session_reuse": "max_session_keys",
	"certificate": "common_tls_context.tls_certificates[0].certificate_chain", "certificate_key": "common_tls_context.tls_certificates[0].private_key",
	"password_file": "common_tls_context.tls_certificates[0].password", "verify": "common_tls_context.validation_context",
	"trusted_certificate": "common_tls_context.validation_context.trusted_ca", "crl": "common_tls_context.validation_context.crl",
	"verify_depth": "common_tls_context.validation_context.max_verify_depth",
}

// tlsLinks accounts for the directives that made the context.
func (im *importer) tlsLinks(loc *conf.Directive, c *clusterv3.Cluster, context proto.Message) {
	if context == nil {
		return
	}
	root := "transport_socket.typed_config."
	if strings.HasSuffix(c.GetTransportSocket().GetName(), "proxy_protocol") { // which TLS stands within
		root += root
	}
	for _, family := range []string{"proxy", "grpc"} {
		for _, name := range slices.Sorted(maps.Keys(tlsFields)) {
			if d := im.one(loc, family+"_ssl_"+name); d != nil && !im.claimed[d] {
				im.exact(d, at(c, root+tlsFields[name]))
			}
		}
	}
}
