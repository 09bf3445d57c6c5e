package nginx

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/mesh"
)

// tlsContext is what a filter chain says about TLS.
type tlsContext struct {
	origin Origin
	config *tlsv3.DownstreamTlsContext // nil for a socket of a kind that is not known here
	files  []certificate
	others []Origin // certificates that lie in no file
	trust  trust
}

// certificate is a certificate with its key, both in files.
type certificate struct {
	chain, key string
	origin     Origin
	also       []Origin
}

// trust is the authority that the other side's certificate is checked against.
type trust struct {
	asked  bool   // there is one
	file   string // where it lies, "" when it is in no file that nginx can name
	origin Origin
	also   []Origin
	rules  *tlsv3.CertificateValidationContext
	secret *tlsv3.CertificateValidationContext // further rules that come by SDS
	rest   Origin                              // of rules
}

// downstreamTLS reads the chain's transport socket; nil for a plain chain. One
// of a kind that is not known here is TLS without a certificate.
func (p *projection) downstreamTLS(c chain) *tlsContext {
	config := c.GetTransportSocket().GetTypedConfig()
	if c.GetTransportSocket() == nil || strings.HasSuffix(config.GetTypeUrl(), ".RawBuffer") {
		return nil
	}
	o := c.origin.at("transport_socket")
	m, ok := unpack(config).(*tlsv3.DownstreamTlsContext)
	if !ok {
		return &tlsContext{origin: o, others: []Origin{o}}
	}
	t := &tlsContext{origin: o.at("typed_config"), config: m}
	common := t.origin.at("common_tls_context")
	t.files, t.others = p.certificates(common, m.GetCommonTlsContext())
	t.trust = p.trustOf(common, m.GetCommonTlsContext())
	return t
}

// certificates are those of a TLS context, in files and otherwise.
func (p *projection) certificates(o Origin, c *tlsv3.CommonTlsContext) (files []certificate, others []Origin) {
	add := func(at Origin, tc *tlsv3.TlsCertificate, also []Origin) {
		one := certificate{chain: fileOf(tc.GetCertificateChain()), key: fileOf(tc.GetPrivateKey()), origin: at, also: also}
		if one.chain == "" || one.key == "" {
			others = append(append(others, at), also...)
			return
		}
		files = append(files, one)
	}
	for i, tc := range c.GetTlsCertificates() {
		add(o.at(fmt.Sprintf("tls_certificates[%d]", i)), tc, nil)
	}
	for i, sds := range c.GetTlsCertificateSdsSecretConfigs() {
		from := o.at(fmt.Sprintf("tls_certificate_sds_secret_configs[%d].name", i))
		secret, also := p.secret(sds.GetName())
		add(from, secret.GetTlsCertificate(), also)
	}
	return files, others
}

// secret is one that the mesh serves by SDS, nil when it does not.
func (p *projection) secret(name string) (*tlsv3.Secret, []Origin) {
	r := p.mesh.Get(mesh.Key{Type: mesh.Secret, Name: name})
	if r == nil {
		return nil, nil
	}
	p.shown[r.Key] = true
	s, _ := r.Message.(*tlsv3.Secret)
	return s, []Origin{{Key: r.Key}}
}

// trustOf finds the authority in whichever of Envoy's three places it stands.
func (p *projection) trustOf(o Origin, c *tlsv3.CommonTlsContext) trust {
	t := trust{}
	sds := c.GetValidationContextSdsSecretConfig()
	at := o.at("validation_context_sds_secret_config")
	if combined := c.GetCombinedValidationContext(); combined != nil {
		t.rest = o.at("combined_validation_context.default_validation_context")
		t.rules = combined.GetDefaultValidationContext()
		sds, at = combined.GetValidationContextSdsSecretConfig(), o.at("combined_validation_context.validation_context_sds_secret_config")
	}
	if v := c.GetValidationContext(); v != nil {
		t.rest, t.rules = o.at("validation_context"), v
	}
	if sds != nil {
		t.asked, t.origin = true, at
		var s *tlsv3.Secret
		s, t.also = p.secret(sds.GetName())
		t.file, t.secret = fileOf(s.GetValidationContext().GetTrustedCa()), s.GetValidationContext()
	}
	if ca := t.rules.GetTrustedCa(); ca != nil && t.file == "" {
		t.asked, t.origin, t.file = true, t.rest.at("trusted_ca"), fileOf(ca)
	}
	if t.rules.GetSystemRootCerts() != nil && !t.asked {
		t.asked, t.origin = true, t.rest.at("system_root_certs")
	}
	return t
}

// narrow reports whether a certificate that the authority has signed may still
// be refused.
func (t *trust) narrow() bool {
	for _, c := range []*tlsv3.CertificateValidationContext{t.rules, t.secret} {
		if len(c.GetMatchTypedSubjectAltNames())+len(c.GetVerifyCertificateHash())+len(c.GetVerifyCertificateSpki()) > 0 ||
			len(c.GetMatchSubjectAltNames()) > 0 || c.GetCrl() != nil || c.GetCustomValidatorConfig() != nil { //nolint:staticcheck // files have it
			return true
		}
	}
	return false
}

// fileOf is the file that holds the data, "" when none does that nginx can name.
func fileOf(d *corev3.DataSource) string {
	if name := d.GetFilename(); literal(name) && !strings.HasPrefix(name, "data:") && !strings.HasPrefix(name, "engine:") {
		return name
	}
	return ""
}

// tlsLines writes a server's part in TLS. A server that cannot have what Envoy
// has refuses the handshake: a port that answers in plain text, or to anybody,
// would be no likeness of it.
func (p *projection) tlsLines(s *site) {
	t := s.tls
	if t == nil {
		return
	}
	for _, o := range t.others {
		p.note(mark{from: o}.none(lessonNoCert), "no ssl_certificate: of %s, in no file", o.Key)
	}
	must := t.config.GetRequireClientCertificate().GetValue()
	switch {
	case len(t.files) == 0 || t.trust.asked && t.trust.file == "" && must:
		p.add(mark{from: t.origin}.approx(lessonReject), "ssl_reject_handshake on;")
	case must && t.trust.narrow():
		p.add(mark{from: t.trust.rest}.approx(lessonNarrow), "ssl_reject_handshake on;")
	}
	for _, c := range t.files {
		m := mark{kind: Exact, from: c.origin, also: c.also, lesson: lessonTLS}
		p.add(m, "ssl_certificate %s;", token(c.chain))
		p.add(m, "ssl_certificate_key %s;", token(c.key))
	}
	p.clientCertificate(t)
	p.protocols(s.port, t)
	if !s.introduced && t.config != nil {
		p.downstreamRest(t)
	}
}

// clientCertificate writes what the client must show.
func (p *projection) clientCertificate(t *tlsContext) {
	must := t.config.GetRequireClientCertificate().GetValue()
	required := exact(t.origin.at("require_client_certificate")).with(lessonVerifyClient)
	switch {
	case t.trust.asked && t.trust.file == "":
		p.note(mark{from: t.trust.origin, also: t.trust.also}.none(lessonNoAuthority), "no ssl_client_certificate: in no file")
	case t.trust.file != "":
		how := "on"
		if !must {
			how, required = "optional", mark{from: t.trust.origin}.approx(lessonVerifyOptional)
		}
		p.add(mark{kind: Exact, from: t.trust.origin, also: t.trust.also, lesson: lessonVerifyClient}, "ssl_client_certificate %s;", token(t.trust.file))
		p.add(required, "ssl_verify_client %s;", how)
	case must:
		m := required.approx(lessonVerifyNobody)
		p.add(m, "ssl_verify_client optional_no_ca;")
		p.add(m, "if ($ssl_client_verify = NONE) { return 400; }")
	}
}

// protocols writes the versions and ciphers.
func (p *projection) protocols(pt *port, t *tlsContext) {
	if t.config == nil {
		return
	}
	params, o := t.config.GetCommonTlsContext().GetTlsParams(), t.origin.at("common_tls_context.tls_params")
	from := o
	if params == nil {
		from = t.origin
	}
	if versions := versionsOf(params, tlsv3.TlsParameters_TLSv1_3); versions != "" {
		m := exact(from).with(lessonVersions)
		if pt.differ {
			m = m.approx(lessonVersionsShared)
		}
		p.add(m, "ssl_protocols %s;", versions)
	} else {
		p.note(mark{from: o}.none(lessonVersions), "no ssl_protocols: the least is above the most")
	}
	if ciphers := p.ciphers(o, params); ciphers != "" {
		p.add(exact(o.at("cipher_suites")).with(lessonCiphers), "ssl_ciphers %s;", ciphers)
		if !t.config.GetPreferClientCiphers() {
			p.add(exact(o.at("cipher_suites")).with(lessonCiphers), "ssl_prefer_server_ciphers on;")
		}
	}
	var curves []string
	for _, c := range params.GetEcdhCurves() {
		if slices.Contains(curves, c) {
			continue
		}
		if slices.Contains(knownCurves, c) {
			curves = append(curves, c)
		} else {
			p.note(mark{from: o.at("ecdh_curves")}.none(lessonCiphers), "curve %s", c)
		}
	}
	if len(curves) > 0 {
		p.add(exact(o.at("ecdh_curves")).with(lessonCiphers), "ssl_ecdh_curve %s;", strings.Join(curves, ":"))
	}
}

var knownCurves = []string{"X25519", "P-256", "P-384", "P-521"}

// versionsOf are nginx's words for the versions that are allowed, "" for none.
// most is what Envoy takes at most unless told: TLS 1.3 as a server, 1.2 as a
// client. It takes 1.2 at least.
func versionsOf(params *tlsv3.TlsParameters, most tlsv3.TlsParameters_TlsProtocol) string {
	least := tlsv3.TlsParameters_TLSv1_2
	if v := params.GetTlsMinimumProtocolVersion(); v != tlsv3.TlsParameters_TLS_AUTO {
		least = v
	}
	if v := params.GetTlsMaximumProtocolVersion(); v != tlsv3.TlsParameters_TLS_AUTO {
		most = v
	}
	var out []string
	for i, v := range []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		if n := tlsv3.TlsParameters_TlsProtocol(i + 1); n >= least && n <= most {
			out = append(out, v)
		}
	}
	return strings.Join(out, " ")
}

// knownCiphers are the suites that Envoy and OpenSSL spell alike.
var knownCiphers = []string{
	"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA",
	"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA",
	"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
}

// ciphers is the list as nginx takes it: Envoy's groups of equal preference,
// [A|B], become a sequence.
func (p *projection) ciphers(o Origin, params *tlsv3.TlsParameters) string {
	var out []string
	for _, entry := range params.GetCipherSuites() {
		for name := range strings.SplitSeq(strings.Trim(entry, "[]"), "|") {
			if slices.Contains(knownCiphers, name) {
				out = append(out, name)
			} else {
				p.note(mark{from: o.at("cipher_suites")}.none(lessonCiphers), "cipher %s", name)
			}
		}
	}
	return strings.Join(out, ":")
}

// downstreamRest names what else the context says.
func (p *projection) downstreamRest(t *tlsContext) {
	common := t.config.GetCommonTlsContext()
	at := t.origin.at("common_tls_context")
	p.rest(t.origin, t.config, "common_tls_context", "require_client_certificate", "prefer_client_ciphers")
	p.rest(at, common, "tls_params", "tls_certificates", "tls_certificate_sds_secret_configs", "validation_context",
		"combined_validation_context", "validation_context_sds_secret_config", "alpn_protocols")
	p.rest(at.at("tls_params"), common.GetTlsParams(), "tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites", "ecdh_curves")
	p.rest(t.trust.rest, t.trust.rules, "trusted_ca", "system_root_certs")
}
