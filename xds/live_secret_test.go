package xds_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/sds"
	"example.com/meshtui/xds/xdstest"
)

const liveTLS = `  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
      common_tls_context:
        tls_certificate_sds_secret_configs: [{name: cert, sds_config: SOURCE}]
`

// secretInline is the secret "cert" with its certificate and key in it.
func secretInline(chain, key []byte) *tlsv3.Secret {
	data := func(b []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
	}
	return &tlsv3.Secret{Name: "cert", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: data(chain), PrivateKey: data(key)}}}
}

// handshake is the serial number of the certificate that a new connection gets.
func (l *live) handshake(ctx context.Context) (serial int64, err error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: "lab.test"}} //nolint:gosec // who it is does not matter here, only which certificate it shows
	conn, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func (l *live) shows(serial int64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("new connections get certificate %d", serial), func() bool {
		got, err := l.handshake(l.t.Context())
		return err == nil && got == serial
	})
}

// A certificate that is pushed anew is what new connections get; no listener
// changes, and its key is not to be seen anywhere.
func TestLiveSecret(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		chain, key := xdstest.Certificate(t, 1)
		m := with(t, l.mesh(liveWeb+liveRDS+liveRouter+liveTLS, says("main", "hello")), secretInline(chain, key))
		l.Publish(revision(1, m))
		l.start("")
		l.shows(1)
		l.Publish(revision(2, with(t, m, secretInline(xdstest.Certificate(t, 2)))))
		l.shows(2)
		l.through("envoy-1", 2, engine.Accepted)
		if got := l.stat("listener_manager.listener_modified"); got != "0" {
			t.Errorf("listener_modified is %q", got)
		}
		l.waitedForNothing()
		hidesKeys(t, l)
	})
}

// hidesKeys holds that no recorded message, and nothing that is told of what was
// served, has a private key in it.
func hidesKeys(t *testing.T, l *live) {
	t.Helper()
	shown := map[string]string{"the state": fmt.Sprintf("%+v", l.State().Node("envoy-1"))}
	secrets := 0
	msgs, _ := l.Wire().Since(0, 10_000)
	for _, m := range msgs {
		if body, ok := l.Wire().Body(m.Seq); ok {
			raw, err := proto.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			shown[fmt.Sprintf("message %d", m.Seq)] = string(raw)
			if m.Kind == xds.Response && m.Type == mesh.Secret && strings.Contains(string(raw), "[redacted]") {
				secrets++
			}
		}
	}
	raw, err := proto.Marshal(l.Served("envoy-1")[key(mesh.Secret, "cert")])
	if err != nil {
		t.Fatal(err)
	}
	shown["what was served"] = string(raw)
	for what, text := range shown {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s has a private key in it", what)
		}
	}
	if secrets == 0 || !strings.Contains(shown["what was served"], "CERTIFICATE") {
		t.Error("no secret was recorded: this test looks at nothing")
	}
}

// rotation is a way to renew the two files of a certificate.
type rotation func(t *testing.T, dir string, chain, key []byte)

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func inPlace(t *testing.T, dir string, chain, key []byte) {
	write(t, filepath.Join(dir, "tls.crt"), chain)
	write(t, filepath.Join(dir, "tls.key"), key)
}

func byRename(t *testing.T, dir string, chain, key []byte) {
	for name, data := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		write(t, filepath.Join(dir, name+".new"), data)
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

const secretFiles = "secret\nname: cert\ntls_certificate:\n  certificate_chain: {filename: tls.crt}\n  private_key: {filename: tls.key}\n"

// Files that are renewed under a loop of new connections reach the Envoy without
// a push, and no handshake fails.
func TestLiveSecretFiles(t *testing.T) {
	for name, rotate := range map[string]rotation{"in place": inPlace, "by rename": byRename} {
		t.Run(name, func(t *testing.T) {
			liveVariants(t, []xds.Variant{xds.SotWADS, xds.DeltaADS}, func(t *testing.T, v xds.Variant) { rotateFiles(t, v, rotate) })
		})
	}
}

func rotateFiles(t *testing.T, v xds.Variant, rotate rotation) {
	dir := t.TempDir()
	chain, key := xdstest.Certificate(t, 1)
	inPlace(t, dir, chain, key)
	var l *live
	source := sds.New(sds.Options{Dir: dir, Changed: func(keys ...mesh.Key) { l.Refill(keys...) }})
	l = newLive(t, v, xds.Options{Fill: source.Fill})
	g, ctx := task.New(t.Context())
	defer func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()
	g.Go("watching secrets", func() error { return source.Run(ctx) })
	l.Publish(revision(1, l.mesh(liveWeb+liveRDS+liveRouter+liveTLS, says("main", "hello"), secretFiles)))
	l.start("")
	l.shows(1)

	var dials, failed atomic.Int64
	g.Go("connections", func() error {
		for ctx.Err() == nil {
			if _, err := l.handshake(ctx); err != nil && ctx.Err() == nil {
				failed.Add(1)
			}
			dials.Add(1)
		}
		return nil
	})
	for serial := int64(2); serial < 6; serial++ {
		chain, key := xdstest.Certificate(t, serial)
		rotate(t, dir, chain, key)
		l.shows(serial)
	}
	// Half a renewal: the old pair is served on, and the other half ends it.
	chain, key = xdstest.Certificate(t, 6)
	write(t, filepath.Join(dir, "tls.crt"), chain)
	eventually(t, "the pair that does not fit is found", func() bool { return len(source.Findings()) == 1 })
	l.shows(5)
	write(t, filepath.Join(dir, "tls.key"), key)
	l.shows(6)
	eventually(t, "nothing is wrong", func() bool { return len(source.Findings()) == 0 })
	if failed.Load() > 0 || dials.Load() == 0 {
		t.Errorf("%d of %d handshakes failed", failed.Load(), dials.Load())
	}
	if n := l.State().Node("envoy-1").Types[mesh.Secret]; n.Rejected != nil {
		t.Errorf("Envoy refused: %s", n.Rejected.Detail)
	}
	hidesKeys(t, l)
}

// Without that care, whoever serves the files as they stand has the Envoy refuse
// a pair that is half renewed.
func TestLiveSecretFilesUnguarded(t *testing.T) {
	dir := t.TempDir()
	chain, key := xdstest.Certificate(t, 1)
	inPlace(t, dir, chain, key)
	raw := func(r *mesh.Resource) proto.Message {
		if r.Key.Type != mesh.Secret {
			return nil
		}
		chain, _ := os.ReadFile(filepath.Join(dir, "tls.crt")) // both are there
		key, _ := os.ReadFile(filepath.Join(dir, "tls.key"))
		return secretInline(chain, key)
	}
	l := newLive(t, xds.SotWADS, xds.Options{Fill: raw})
	l.Publish(revision(1, l.mesh(liveWeb+liveRDS+liveRouter+liveTLS, says("main", "hello"), secretFiles)))
	l.start("")
	l.shows(1)
	chain, _ = xdstest.Certificate(t, 2)
	write(t, filepath.Join(dir, "tls.crt"), chain)
	l.Refill(mesh.Key{Type: mesh.Secret, Name: "cert"})
	st := l.until("Envoy refuses the pair", func(st *xds.State) bool {
		return st.Node("envoy-1").Types[mesh.Secret].Rejected != nil
	})
	rej := st.Node("envoy-1").Types[mesh.Secret].Rejected
	if strings.Contains(rej.Raw, "PRIVATE KEY-----") {
		t.Error("the refusal quotes a key")
	}
	t.Logf("after %s: %s", time.Since(st.Node("envoy-1").Since).Round(time.Millisecond), rej.Detail)
}
