package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

// backdate is by how much a certificate is valid before it was made: the clocks
// of two machines never agree.
const backdate = 5 * time.Minute

// Pair is a certificate and its key, both PEM.
type Pair struct{ Certificate, Key []byte }

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes a certificate authority that is valid from now on for life,
// and the pair to keep it as.
func NewAuthority(now time.Time, life time.Duration) (*Authority, Pair, error) {
	key, err := newKey()
	if err != nil {
		return nil, Pair{}, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "meshtui local CA"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	pair, parsed, err := sign(template, template, key, key)
	if err != nil {
		return nil, Pair{}, err
	}
	return &Authority{certificate: parsed, key: key}, pair, nil
}

// ReadAuthority is the authority that was kept as a pair.
func ReadAuthority(p Pair) (*Authority, error) {
	c, err := parseCertificate(p.Certificate)
	if err != nil {
		return nil, err
	}
	if !c.IsCA {
		return nil, errors.New("the certificate is not that of an authority")
	}
	key, err := parseKey(p.Key)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("certificate and key do not belong together")
	}
	return &Authority{certificate: c, key: key}, nil
}

// Server is a certificate for a server that is reached under these host names
// and IP addresses; at least one is needed.
func (a *Authority) Server(now time.Time, life time.Duration, hosts ...string) (Pair, error) {
	if len(hosts) == 0 {
		return Pair{}, errors.New("a server's certificate needs the host names or IP addresses under which it is reached")
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "meshtui"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		if host == "" || strings.ContainsAny(host, ":/ ") {
			return Pair{}, fmt.Errorf("%q is neither a host name nor an IP address; leave the port out", host)
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return a.issue(template, now, life)
}

// Node is a certificate with which a node may connect under the ids that fit a
// glob, as in path.Match; most often that is one id.
func (a *Authority) Node(now time.Time, life time.Duration, id string) (Pair, error) {
	if err := checkID(id); err != nil {
		return Pair{}, err
	}
	return a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: shortened(id)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs: []*url.URL{identity(id)},
	}, now, life)
}

// shortened fits a common name, which X.509 limits to 64 characters.
func shortened(s string) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), 64)])
}

func (a *Authority) issue(template *x509.Certificate, now time.Time, life time.Duration) (Pair, error) {
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter // beyond it nobody would believe it
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	pair, _, err := sign(template, a.certificate, key, a.key)
	return pair, err
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (Pair, *x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return Pair{}, nil, fmt.Errorf("making the certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, nil, fmt.Errorf("making the certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, nil, fmt.Errorf("making the key: %w", err)
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, parsed, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate in it (PEM, -----BEGIN CERTIFICATE-----)")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no key in it (PEM, -----BEGIN PRIVATE KEY-----)")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T; an authority that meshtui signs with has an ECDSA key", any)
	}
	return key, nil
}
