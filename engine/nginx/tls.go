package nginx

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/mesh"
)

// tlsContext is what a filter chain says about TLS.
type tlsContext struct {
	origin Origin
	files  []certificate
	others []Origin // certificates that lie in no file
	client bool     // the client must bring a certificate
}

// certificate is a certificate with its key, both in files.
type certificate struct {
	chain, key string
	origin     Origin
	also       []Origin
}

// downstreamTLS reads the chain's transport socket; nil for a plain chain. One
// of a kind that is not known here is TLS without a certificate.
func (p *projection) downstreamTLS(c chain) *tlsContext {
	if c.GetTransportSocket() == nil {
		return nil
	}
	o := c.origin.at("transport_socket")
	m, ok := unpack(c.GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext)
	if !ok {
		return &tlsContext{origin: o, others: []Origin{o}}
	}
	t := &tlsContext{origin: o, client: m.GetRequireClientCertificate().GetValue()}
	common := o.at("typed_config.common_tls_context")
	for i, tc := range m.GetCommonTlsContext().GetTlsCertificates() {
		t.certificate(common.at(fmt.Sprintf("tls_certificates[%d]", i)), tc, nil)
	}
	for i, sds := range m.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs() {
		from := common.at(fmt.Sprintf("tls_certificate_sds_secret_configs[%d].name", i))
		r := p.mesh.Get(mesh.Key{Type: mesh.Secret, Name: sds.GetName()})
		if r == nil {
			t.others = append(t.others, from)
			continue
		}
		p.shown[r.Key] = true
		if secret, ok := r.Message.(*tlsv3.Secret); ok {
			t.certificate(from, secret.GetTlsCertificate(), []Origin{{Key: r.Key}})
		}
	}
	return t
}

func (t *tlsContext) certificate(o Origin, tc *tlsv3.TlsCertificate, also []Origin) {
	c := certificate{chain: fileOf(tc.GetCertificateChain()), key: fileOf(tc.GetPrivateKey()), origin: o, also: also}
	if c.chain == "" || c.key == "" {
		t.others = append(append(t.others, o), also...)
		return
	}
	t.files = append(t.files, c)
}

// fileOf is the file that holds the data, "" when none does that nginx can name.
func fileOf(d *corev3.DataSource) string {
	if name := d.GetFilename(); literal(name) {
		return name
	}
	return ""
}

// tlsLines writes a server's certificates, or says why there are none.
func (p *projection) tlsLines(s *site) {
	t := s.tls
	if t == nil {
		return
	}
	if !s.port.secure {
		p.note(mark{from: t.origin}.none(lessonNoCert), "ssl: this port speaks TLS in Envoy")
	}
	for _, o := range t.others {
		p.note(mark{from: o}.none(lessonNoCert), "ssl_certificate of %s, which is in no file", o.Key)
	}
	for _, c := range t.files {
		m := mark{kind: Exact, from: c.origin, also: c.also, lesson: lessonTLS}
		if !s.port.secure {
			p.note(m.none(lessonNoCert), "ssl_certificate %s;", token(c.chain))
			continue
		}
		p.lazyCertificates = true
		p.add(m, "ssl_certificate %s;", token(c.chain+"$at_handshake"))
		p.add(m, "ssl_certificate_key %s;", token(c.key+"$at_handshake"))
	}
	if t.client {
		p.note(mark{from: t.origin}.none(lessonTLS), "ssl_verify_client on;  (nginx reads the authorities when it starts)")
	}
}
