package nginxtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Accepted fails the test unless nginx -t takes the text without a warning. What
// stands in the stead of certificate files that the text names is a certificate
// made for the test: a configuration need not have its files on this machine.
func Accepted(t testing.TB, text string) {
	t.Helper()
	dir := t.TempDir()
	accepted(t, dir, write(t, dir, text), true)
}

// AcceptedFolder is Accepted for an nginx.conf on disk, with what it includes.
// It is taken as it is.
func AcceptedFolder(t testing.TB, file string) {
	t.Helper()
	accepted(t, filepath.Dir(file), file, true)
}

func accepted(t testing.TB, dir, file string, silently bool) {
	t.Helper()
	out, err := exec.Command(Need(t), "-t", "-e", "stderr", "-p", dir+"/", "-c", file).CombinedOutput()
	if err != nil || silently && bytes.Contains(out, []byte("[warn]")) {
		text, _ := os.ReadFile(file)
		t.Errorf("nginx -t: %v\n%s\n%s", err, out, numbered(string(text)))
	}
}

// write puts a text into a folder, with certificates that exist.
func write(t testing.TB, dir, text string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "n.conf")
	if err := os.WriteFile(file, []byte(withFiles(t, dir, text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// pemFiles are the files that nginx reads when it starts.
var pemFiles = regexp.MustCompile(`\b((?:proxy_|grpc_)?ssl_(?:certificate|client_certificate|trusted_certificate|certificate_key)) (?:"(?:[^"\\]|\\.)*"|[^";]+);`)

// withFiles puts a certificate in the stead of those that are not there.
func withFiles(t testing.TB, dir, text string) string {
	t.Helper()
	if !pemFiles.MatchString(text) {
		return text
	}
	file := filepath.Join(dir, "pair.pem")
	if _, err := os.Stat(file); err != nil {
		if err := os.WriteFile(file, pair(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pemFiles.ReplaceAllStringFunc(text, func(line string) string {
		name, named, _ := strings.Cut(strings.TrimSuffix(line, ";"), " ")
		if _, err := os.Stat(strings.Trim(named, `"`)); err == nil && filepath.IsAbs(named) {
			return line
		}
		return name + " " + file + ";"
	})
}

// pair is a certificate that signs itself, and its key.
func pair(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"a.test", "b.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

// numbered is the text with line numbers, the first 400 lines of it.
func numbered(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i == 400 {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintf(&b, "%d\t%s\n", i+1, strings.TrimRight(line, " "))
	}
	return b.String()
}
