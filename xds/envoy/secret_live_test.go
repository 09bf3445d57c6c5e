package envoy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// certificate is a self-signed one, as YAML of a Secret.
func certificate(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lab.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		text := string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
		return "    inline_string: |\n      " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ") + "\n"
	}
	return "secret\nname: " + name + "\ntls_certificate:\n  certificate_chain:\n" + block("CERTIFICATE", der) +
		"  private_key:\n" + block("PRIVATE KEY", private)
}

// A secret is compared although Envoy shows its key as "[redacted]".
func TestSecretIsActive(t *testing.T) {
	back := newBackend(t)
	cert := certificate(t, "cert")
	authority := filepath.Join(t.TempDir(), "ca.pem")
	pem := parse(t, certificate(t, "ca")).(*tlsv3.Secret).GetTlsCertificate().GetCertificateChain().GetInlineString()
	if err := os.WriteFile(authority, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := "secret\nname: ca\nvalidation_context: {trusted_ca: {filename: " + authority + "}}\n"
	l := newLab(t, func(port uint32) []string {
		secure := strings.Replace(webListener("web", port), "- filters:", `- transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
      common_tls_context:
        tls_certificate_sds_secret_configs: [{name: cert, sds_config: {ads: {}, resource_api_version: V3}}]
        validation_context_sds_secret_config: {name: ca, sds_config: {ads: {}, resource_api_version: V3}}
  filters:`, 1)
		return []string{plainCluster, appEndpoints(back.port()), secure, mainRoute, cert, fromFile, certificate(t, "unused")}
	})
	state := func(name string) func(*Facts) Active {
		return func(f *Facts) Active { return f.Active[mesh.Key{Type: mesh.Secret, Name: name}] }
	}
	facts(t, l.watch, "envoy-1", "the secret is active", func(f *Facts) bool { return state("cert")(f).State == ActiveSame })
	facts(t, l.watch, "envoy-1", "what it has read from a file is not held against the file's name", func(f *Facts) bool {
		return state("ca")(f).State == NotObservable && strings.Contains(state("ca")(f).Detail, authority)
	})
	facts(t, l.watch, "envoy-1", "nothing asks for the other", func(f *Facts) bool {
		return state("unused")(f).State == Absent && state("unused")(f).Detail == "nothing asks for it"
	})
	other := proto.CloneOf(parse(t, cert).(*tlsv3.Secret))
	other.GetTlsCertificate().CertificateChain = parse(t, certificate(t, "cert")).(*tlsv3.Secret).GetTlsCertificate().GetCertificateChain()
	l.cp.pretend("envoy-1", other)
	facts(t, l.watch, "envoy-1", "another certificate is told", func(f *Facts) bool {
		return state("cert")(f).State == ActiveOther && strings.Contains(state("cert")(f).Detail, "certificate_chain")
	})
}
