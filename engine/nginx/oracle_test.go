package nginx

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// findNginx is the nginx on PATH. Without one the test is skipped, or fails
// where MESHTUI_REQUIRE asks for it.
func findNginx(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err == nil {
		return path
	}
	absent(t, "no nginx on PATH")
	return ""
}

// absent skips a test for want of nginx or a part of it, or fails it where
// MESHTUI_REQUIRE asks for nginx.
func absent(t testing.TB, why string) {
	t.Helper()
	for want := range strings.SplitSeq(os.Getenv("MESHTUI_REQUIRE"), ",") {
		if strings.TrimSpace(want) == "nginx" {
			t.Fatal("MESHTUI_REQUIRE names nginx: " + why)
		}
	}
	t.Skip(why)
}

// pemFiles are the files that nginx reads when it starts.
var pemFiles = regexp.MustCompile(`\b((?:proxy_|grpc_)?ssl_(?:certificate|client_certificate|trusted_certificate|certificate_key)) (?:"(?:[^"\\]|\\.)*"|[^";]+);`)

// withFiles names files that exist in the stead of those that the text names:
// a mesh need not have its certificates on the machine of the test.
func withFiles(t testing.TB, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "pair.pem")
	if _, err := os.Stat(file); err != nil {
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
		pair := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
		if err := os.WriteFile(file, pair, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pemFiles.ReplaceAllString(text, "$1 "+file+";")
}

// accepted fails the test unless nginx -t takes the text, without a warning.
func accepted(t testing.TB, nginx, dir, text string) {
	t.Helper()
	text = withFiles(t, dir, text)
	if err := os.WriteFile(filepath.Join(dir, "n.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(nginx, "-t", "-e", "stderr", "-p", dir+"/", "-c", "n.conf").CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("[warn]")) {
		t.Errorf("nginx -t: %v\n%s\n%s", err, out, numbered(text))
	}
}

// numbered is the text with line numbers, the first 400 lines of it.
func numbered(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i == 400 {
			b.WriteString("…\n")
			break
		}
		b.WriteString(strings.TrimRight(strings.Join([]string{strconv.Itoa(i + 1), line}, "\t"), " ") + "\n")
	}
	return b.String()
}
