package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/xds/cert"
)

// A certificate that is renewed on disk reaches the Envoy's next connections by
// itself; while only half of the pair is new, the old one is served and that is
// said.
func TestServeRenewsCertificates(t *testing.T) {
	envoyPath := needEnvoy(t)
	env := home(t)
	port := freeBase(t, 1)
	dir := folder(t, port, named(t, "one"))
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(t, filepath.Join(dir, "lds.yaml"), func(s string) string {
		return s + `    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
        common_tls_context:
          tls_certificate_sds_secret_configs: [{name: front, sds_config: {ads: {}, resource_api_version: V3}}]
`
	})
	write("sds.yaml", `resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: front
  tls_certificate: {certificate_chain: {filename: front.pem}, private_key: {filename: front.key}}
`)
	authority, _, err := cert.NewAuthority(time.Now(), time.Hour*24*100)
	if err != nil {
		t.Fatal(err)
	}
	pair := func(host string) cert.Pair {
		p, err := authority.Server(time.Now(), time.Hour*24*50, host)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second := pair("first.test"), pair("second.test")
	write("front.pem", string(first.Certificate))
	write("front.key", string(first.Key))

	p := serve(t, env, "--envoy", envoyPath, "--nodes", "1", dir)
	shown := func() string {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // what is shown is what is looked at
		if err != nil {
			return err.Error()
		}
		defer func() { _ = conn.Close() }()
		return strings.Join(conn.ConnectionState().PeerCertificates[0].DNSNames, " ")
	}
	waitFor(t, "the first certificate", func() bool { return shown() == "first.test" })

	write("front.pem", string(second.Certificate))
	if told := p.until("finding", "secret", nil); !strings.Contains(told.Detail, "front") {
		t.Errorf("of half a pair it tells %q", told.Detail)
	}
	if got := shown(); got != "first.test" {
		t.Errorf("with half a pair it shows %q", got)
	}
	write("front.key", string(second.Key))
	waitFor(t, "the second certificate", func() bool { return shown() == "second.test" })
	if strings.Contains(p.told(), "PRIVATE KEY") {
		t.Error("a private key is among the events")
	}
}
