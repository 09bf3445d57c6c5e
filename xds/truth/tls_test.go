package truth_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/cert"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// Our bootstrap lets a real Envoy speak mutual TLS: under its own certificate and
// id it is served, with a server of another name it does not speak.
func TestEnvoyOverMutualTLS(t *testing.T) {
	t.Parallel()
	for name, serverName := range map[string]string{"by address": "", "by name": "control.test"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, files := certificates(t)
			config, _, err := folder.ServerConfig()
			if err != nil {
				t.Fatal(err)
			}
			files.ServerName = serverName
			b := envoy.Bootstrap{XDS: fmt.Sprintf("127.0.0.1:%d", freePort(t)), TLS: files}
			l := newLabOver(t, xds.Options{TLS: config, Allow: permits}, b, plainStatic)
			l.push(l.texts(newBackend(t))...)
			l.active(shop...)
		})
	}
	t.Run("another server", func(t *testing.T) {
		t.Parallel()
		folder, files := certificates(t)
		config, _, err := folder.ServerConfig()
		if err != nil {
			t.Fatal(err)
		}
		files.ServerName = "other.test"
		b := envoy.Bootstrap{XDS: fmt.Sprintf("127.0.0.1:%d", freePort(t)), TLS: files}
		l := newLabOver(t, xds.Options{TLS: config, Allow: permits}, b, plainStatic)
		l.push(l.texts(newBackend(t))...)
		l.eventually("Envoy has turned the server away", func(*truth.Node) bool {
			_, refused := l.ask(http.MethodGet, "/stats?usedonly&filter=ssl.fail_verify_san$")
			return strings.Contains(refused, "cluster.meshtui_xds.ssl.fail_verify_san: ")
		})
		if n := l.State().Node("envoy-1"); n != nil {
			t.Errorf("it connected to a server of another name: %+v", n)
		}
	})
}

// permits takes those who show a certificate.
func permits(p xds.Peer) error {
	if len(p.Certificates) == 0 {
		return errors.New("no certificate")
	}
	return nil
}

// certificates is a folder with an authority, a server's pair and a node's.
func certificates(t *testing.T) (cert.Folder, envoy.TLS) {
	t.Helper()
	f := cert.Folder{Dir: t.TempDir()}
	write := func(p cert.Pair, certificate, key string) {
		for path, text := range map[string][]byte{certificate: p.Certificate, key: p.Key} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := time.Now()
	ca, pair, err := cert.NewAuthority(now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	write(pair, f.CA(), filepath.Join(f.Dir, "unused.key"))
	if pair, err = ca.Server(now, time.Hour, "127.0.0.1", "control.test"); err != nil {
		t.Fatal(err)
	}
	certificate, key := f.Server()
	write(pair, certificate, key)
	if pair, err = ca.Node(now, time.Hour, "envoy-1"); err != nil {
		t.Fatal(err)
	}
	certificate, key = f.Node("envoy-1")
	write(pair, certificate, key)
	return f, envoy.TLS{CA: f.CA(), Certificate: certificate, Key: key}
}
