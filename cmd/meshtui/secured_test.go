package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Certificates from `cert`, a server with --tls and what `bootstrap --tls` prints
// make an Envoy connect over mutual TLS; one that calls itself otherwise than its
// certificate says is refused, and so is one without any.
func TestServeWithCertificates(t *testing.T) {
	envoyPath := needEnvoy(t)
	env := home(t)
	dir := filepath.Join(t.TempDir(), "tls")
	if out, errOut, status := meshtui(t, env, "cert", "--dir", dir, "--host", "127.0.0.1", "--node", "edge"); status != 0 || !strings.Contains(out, "node-edge.pem") {
		t.Fatalf("cert: %d %s %s", status, out, errOut)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freeBase(t, 1))
	mesh := folder(t, freeBase(t, 1), named(t, "one"))
	p := serve(t, env, "--xds", address, "--tls", dir, "--allow-node", "edge", "--allow-node", "other", mesh)
	if got := p.seen[0].Detail; got != address+" (mutual TLS)" {
		t.Errorf("it listens on %q", got)
	}

	start := func(bootstrap string) {
		config := filepath.Join(t.TempDir(), "bootstrap.yaml")
		if err := os.WriteFile(config, []byte(bootstrap), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(envoyPath, "-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "off")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
	bootstrap := func(admin string) string {
		out, errOut, status := meshtui(t, env, "bootstrap", "--xds", address, "--tls", dir, "--node", "edge", "--admin", admin)
		if status != 0 {
			t.Fatalf("bootstrap: %s", errOut)
		}
		return out
	}
	// The certificate is edge's; the name is another's.
	start(strings.Replace(bootstrap(""), `id: "edge"`, `id: "other"`, 1))
	p.until("refused", "", func(e event) bool {
		return e.Node == "other" && strings.Contains(e.Detail, `is for edge and not for node "other"`)
	})
	start(bootstrap(fmt.Sprintf("127.0.0.1:%d", freeBase(t, 1))))
	p.until("acked", "listener", func(e event) bool { return e.Node == "edge" })
	p.until("active", "listener", func(e event) bool { return e.Node == "edge" })
	for _, e := range p.seen {
		if e.Node == "other" && e.Event != "refused" {
			t.Errorf("a node under another name than its certificate's was let in: %s", e.line())
		}
	}
	if status := p.interrupt(syscall.SIGINT); status != 130 {
		t.Errorf("status %d", status)
	}
}

func TestWhatTLSRefuses(t *testing.T) {
	env := home(t)
	mesh := folder(t, freeBase(t, 1), "127.0.0.1:1")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"serve", mesh, "--xds", "0.0.0.0:0"}, "meshtui cert"},
		{[]string{"serve", mesh, "--xds", "127.0.0.1:0", "--tls", t.TempDir()}, "meshtui cert"},
		{[]string{"serve", mesh, "--allow-node", "["}, "is no glob"},
		{[]string{"bootstrap", "--xds", "192.0.2.1:18000"}, "mutual TLS"},
		{[]string{"bootstrap", "--xds", "unix:/run/x.sock", "--tls", "/etc/meshtui"}, "file system"},
		{[]string{"cert", "--dir", filepath.Join(t.TempDir(), "c"), "--node", "a/b"}, "cannot be the id"},
		{[]string{"cert", "--days", "0"}, "at least a day"},
	} {
		if _, errOut, status := meshtui(t, env, tc.args...); status == 0 || !strings.Contains(errOut, tc.want) {
			t.Errorf("%v: status %d, %q; want %q in it", tc.args, status, errOut, tc.want)
		}
	}
}
