package sds

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

const (
	chainField   = "tls_certificate.certificate_chain.filename"
	trustedField = "validation_context.trusted_ca.filename"
	ticketBytes  = 80 // of a session ticket key, says Envoy
)

// fits reports what is wrong with a secret as it was read, and in which field:
// nothing of it may be half written, and a certificate belongs to its key. What
// cannot be judged, such as an encrypted key, is left to the Envoy.
func fits(s *tlsv3.Secret) (field string, err error) {
	switch {
	case s.GetTlsCertificate() != nil:
		return chainField, pairFits(s.GetTlsCertificate())
	case s.GetValidationContext().GetTrustedCa() != nil:
		_, err := certificates(inline(s.GetValidationContext().GetTrustedCa()))
		return trustedField, err
	}
	for i, k := range s.GetSessionTicketKeys().GetKeys() {
		if b := inline(k); b != nil && len(b) != ticketBytes {
			return fmt.Sprintf("session_ticket_keys.keys[%d].filename", i), fmt.Errorf("a session ticket key has %d bytes; the file has %d", ticketBytes, len(b))
		}
	}
	return "", nil
}

func pairFits(c *tlsv3.TlsCertificate) error {
	chain, key := inline(c.GetCertificateChain()), inline(c.GetPrivateKey())
	if chain == nil {
		return nil
	}
	if _, err := certificates(chain); err != nil {
		return err
	}
	block, _ := pem.Decode(key)
	switch {
	case key == nil, c.GetPassword() != nil:
		return nil
	case block == nil:
		return fmt.Errorf("the private key is not whole: it has no PEM block")
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["Proc-Type"] != "":
		return nil
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return fmt.Errorf("certificate and private key do not belong together: %w", err)
	}
	return nil
}

// certificates are those in a PEM file. It fails on one that is not whole.
func certificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(out) == 0 || bytes.Contains(rest, []byte("-----BEGIN")) {
				return nil, fmt.Errorf("the certificate is not whole: a PEM block is missing or has no end")
			}
			return out, nil
		}
		if block.Type != "CERTIFICATE" {
			continue // keys and parameters may stand beside it
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate cannot be read: %w", err)
		}
		out = append(out, c)
	}
}

// outOfDate says that a certificate has run out or does not hold yet; "" else.
func outOfDate(s *tlsv3.Secret, now time.Time) string {
	chain, err := certificates(inline(s.GetTlsCertificate().GetCertificateChain()))
	if err != nil {
		return ""
	}
	switch leaf := chain[0]; {
	case now.After(leaf.NotAfter):
		return "the certificate ran out on " + leaf.NotAfter.UTC().Format(time.DateTime) + " UTC; clients refuse it"
	case now.Before(leaf.NotBefore):
		return "the certificate holds only from " + leaf.NotBefore.UTC().Format(time.DateTime) + " UTC; clients refuse it"
	}
	return ""
}

// inline is what a data source holds itself; nil for none.
func inline(d *corev3.DataSource) []byte {
	switch d.GetSpecifier().(type) {
	case *corev3.DataSource_InlineBytes:
		return d.GetInlineBytes()
	case *corev3.DataSource_InlineString:
		return []byte(d.GetInlineString())
	}
	return nil
}
