//go:build unix

package cert_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"example.com/meshtui/xds/cert"
)

// A pipe in the place of a file keeps no connection waiting, and none is served
// from it.
func TestAPipeInPlaceOfAFile(t *testing.T) {
	for name, path := range map[string]func(cert.Folder) string{
		"the key":         func(f cert.Folder) string { _, key := f.Server(); return key },
		"the certificate": func(f cert.Folder) string { certificate, _ := f.Server(); return certificate },
		"the authority":   cert.Folder.CA,
	} {
		t.Run(name, func(t *testing.T) {
			f := made(t)
			addr := echo(t, f)
			client := cert.Folder{Dir: t.TempDir(), Now: clock}
			if err := os.CopyFS(client.Dir, os.DirFS(f.Dir)); err != nil {
				t.Fatal(err)
			}
			before, err := ask(t, client, addr, "edge")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path(f)); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path(f), 0o600); err != nil {
				t.Fatal(err)
			}
			if after, err := ask(t, client, addr, "edge"); err != nil || !after.Equal(before) {
				t.Errorf("%v; want the certificate of before", err)
			}
			if _, _, err := f.ServerConfig(); err == nil || !strings.Contains(err.Error(), "no regular file") {
				t.Errorf("a server that begins: %v", err)
			}
		})
	}
}
