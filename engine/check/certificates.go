package check

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/mesh"
)

// soon is how long before its end a certificate is spoken of.
const soon = 7 * 24 * time.Hour

// redacted is what Envoy writes into a dump in the place of a key.
const redacted = "[redacted]"

// missingFile reports files that resources name and that are not on this machine.
// An Envoy elsewhere may have them.
func missingFile(c *checker) {
	if c.ReadFile == nil {
		return
	}
	each(c, func(n node, d *corev3.DataSource) {
		if !filepath.IsAbs(d.GetFilename()) {
			return // from where Envoy was started, which is not known here
		}
		if _, err := c.ReadFile(d.GetFilename()); errors.Is(err, fs.ErrNotExist) {
			c.report(mesh.Warning, n.key, n.at("filename"), fmt.Sprintf("there is no %s on this machine, and an Envoy on it rejects this %s", d.GetFilename(), n.key.Type),
				"put the file there, or correct the path")
		}
	})
}

// data is what a data source holds; ok is false where that cannot be seen from
// here.
func (c *checker) data(d *corev3.DataSource) (data []byte, ok bool) {
	switch {
	case d.GetInlineString() != "":
		data = []byte(d.GetInlineString())
	case len(d.GetInlineBytes()) > 0:
		data = d.GetInlineBytes()
	case d.GetFilename() != "" && c.ReadFile != nil:
		var err error
		if data, err = c.ReadFile(d.GetFilename()); err != nil {
			return nil, false
		}
	}
	return data, len(data) > 0 && !isRedacted(d)
}

func isRedacted(d *corev3.DataSource) bool {
	return d.GetInlineString() == redacted || string(d.GetInlineBytes()) == redacted
}

// certificatePair reports certificates and keys that cannot be used, or do not
// belong together.
func certificatePair(c *checker) {
	each(c, func(n node, m *tlsv3.TlsCertificate) {
		chain, there := c.data(m.GetCertificateChain())
		if !there || isRedacted(m.GetPrivateKey()) {
			return // what was dumped is of no use before its key is put in
		}
		if _, err := certificates(chain); err != nil {
			c.report(mesh.Error, n.key, n.at("certificate_chain"), fmt.Sprintf("this is no certificate chain, and Envoy rejects it: %v", err),
				"write certificates in PEM, that of the server first")
			return
		}
		key, there := c.data(m.GetPrivateKey())
		if !there || m.GetPassword() != nil || strings.Contains(string(key), "ENCRYPTED") {
			return
		}
		if _, err := tls.X509KeyPair(chain, key); err != nil {
			c.report(mesh.Error, n.key, n.at("private_key"), "certificate and key do not fit, and Envoy rejects them: "+strings.TrimPrefix(err.Error(), "tls: "),
				"write the key that the certificate was made with")
		}
	})
}

// certificateExpiry reports certificates that are over, not yet valid, or over
// soon. Envoy loads them all, and the other side of a handshake refuses them.
func certificateExpiry(c *checker) {
	if c.Now.IsZero() {
		return
	}
	each(c, func(n node, m *tlsv3.TlsCertificate) { c.expiry(n, "certificate_chain", m.GetCertificateChain()) })
	each(c, func(n node, m *tlsv3.CertificateValidationContext) { c.expiry(n, "trusted_ca", m.GetTrustedCa()) })
}

func (c *checker) expiry(n node, field string, d *corev3.DataSource) {
	data, there := c.data(d)
	if !there {
		return
	}
	chain, err := certificates(data)
	if err != nil {
		return // certificatePair speaks of it
	}
	over := 0
	for _, x := range chain {
		what := fmt.Sprintf("the certificate of %q", subject(x))
		switch left := x.NotAfter.Sub(c.Now); {
		case left <= 0:
			// Bundles of authorities have old ones among many: harmless as long as one is good.
			if over++; field == "certificate_chain" || over == len(chain) {
				c.report(mesh.Warning, n.key, n.at(field), fmt.Sprintf("%s ended on %s: handshakes fail, though Envoy ACKs it", what, day(x.NotAfter)), "renew it")
			}
		case c.Now.Before(x.NotBefore):
			c.report(mesh.Warning, n.key, n.at(field), fmt.Sprintf("%s is not valid before %s: handshakes fail until then", what, x.NotBefore.UTC().Format(time.RFC3339)),
				"look at the clocks")
		case left < soon && (field == "certificate_chain" || len(chain) == 1):
			c.report(mesh.Warning, n.key, n.at(field), fmt.Sprintf("%s ends on %s, in less than 7 days", what, day(x.NotAfter)), "renew it")
		}
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// subject is whom a certificate is for, as people call it.
func subject(x *x509.Certificate) string {
	switch {
	case x.Subject.CommonName != "":
		return x.Subject.CommonName
	case len(x.DNSNames) > 0:
		return x.DNSNames[0]
	}
	return x.Subject.String()
}

// certificates reads a PEM chain; there is at least one in it.
func certificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no certificate in PEM in it")
	}
	return out, nil
}
