package cert_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/xds/cert"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

const year = 365 * 24 * time.Hour

// made is a folder with a server for 127.0.0.1 and a pair for the node edge.
func made(t *testing.T) cert.Folder {
	t.Helper()
	f := cert.Folder{Dir: filepath.Join(t.TempDir(), "tls"), Now: clock}
	issueServer(t, f, false, "127.0.0.1", "mesh.test")
	issueNode(t, f, "edge")
	return f
}

func issueServer(t *testing.T, f cert.Folder, renew bool, hosts ...string) bool {
	t.Helper()
	c, k := f.Server()
	done, err := f.Issue(c, k, renew, func(a *cert.Authority) (cert.Pair, error) { return a.Server(now, year, hosts...) })
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func issueNode(t *testing.T, f cert.Folder, id string) {
	t.Helper()
	c, k := f.Node(id)
	if _, err := f.Issue(c, k, false, func(a *cert.Authority) (cert.Pair, error) { return a.Node(now, year, id) }); err != nil {
		t.Fatal(err)
	}
}

func leaf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeysAreForTheirOwnerAlone(t *testing.T) {
	f := made(t)
	all, err := filepath.Glob(filepath.Join(f.Dir, "*"))
	if err != nil || len(all) != 6 {
		t.Fatalf("%v, %v; want three pairs", all, err)
	}
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(0o644)
		if strings.HasSuffix(path, ".key") {
			want = 0o600
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	if info, err := os.Stat(f.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}

func TestAPairThatIsThereIsLeftUnlessRenewed(t *testing.T) {
	f := made(t)
	path, _ := f.Server()
	before := leaf(t, path)
	if issueServer(t, f, false, "other.test") {
		t.Error("a certificate that was there was made again")
	}
	if got := leaf(t, path); !got.Equal(before) {
		t.Error("it was changed")
	}
	if !issueServer(t, f, true, "other.test") {
		t.Error("it was not renewed")
	}
	if got := leaf(t, path); got.Equal(before) || got.VerifyHostname("other.test") != nil {
		t.Errorf("after the renewal it is for %v", got.DNSNames)
	}
}

func TestAnAuthorityWithoutItsKeyIsNotReplaced(t *testing.T) {
	f := made(t)
	if err := os.Remove(filepath.Join(f.Dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Authority(); err == nil || !strings.Contains(err.Error(), "ca.key") {
		t.Errorf("error: %v", err)
	}
}

func TestPermits(t *testing.T) {
	f := made(t)
	issueNode(t, f, "edge-*")
	foreign := &x509.Certificate{DNSNames: []string{"app.prod", "*.prod"}}
	node := func(id string) *x509.Certificate {
		path, _ := f.Node(id)
		return leaf(t, path)
	}
	server, _ := f.Server()
	for _, tc := range []struct {
		about string
		c     *x509.Certificate
		id    string
		ok    bool
	}{
		{"its own id", node("edge"), "edge", true},
		{"another id", node("edge"), "edge-1", false},
		{"one that fits the glob", node("edge-*"), "edge-1", true},
		{"one that does not", node("edge-*"), "core-1", false},
		{"a name of another authority", foreign, "app.prod", true},
		{"what would be a glob there is none", foreign, "db.prod", false},
		{"the server's", leaf(t, server), "edge", false},
		{"nothing", &x509.Certificate{}, "edge", false},
	} {
		if err := cert.Permits(tc.c, tc.id); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.about, err)
		}
	}
}

func TestNodesThatCannotBe(t *testing.T) {
	a, _, err := cert.NewAuthority(now, year)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "a/b", "[", "a\\b", strings.Repeat("x", 201), "a\xff"} {
		if _, err := a.Node(now, year, id); err == nil {
			t.Errorf("a certificate was made for %q", id)
		}
	}
	for _, host := range []string{"", "a:80", "a/b"} {
		if _, err := a.Server(now, year, host); err == nil {
			t.Errorf("a certificate was made for host %q", host)
		}
	}
	if p, err := a.Node(now, 20*year, "long"); err != nil {
		t.Error(err)
	} else if block, _ := pem.Decode(p.Certificate); block != nil {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || c.NotAfter.After(now.Add(year)) {
			t.Errorf("it outlives its authority: %v, %v", c.NotAfter, err)
		}
	}
}

// No two ids share their files, and each name is one file of the folder.
func TestEachNodeHasItsOwnFiles(t *testing.T) {
	f := cert.Folder{Dir: "tls"}
	seen := map[string]string{}
	for _, id := range []string{"a*b", "a?b", "a_b", "a%2Ab", "a[b]", "a b", "a/b", "ä*", "ä"} {
		path, key := f.Node(id)
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q are both %s", id, other, path)
		}
		if seen[path] = id; filepath.Dir(path) != "tls" || filepath.Dir(key) != "tls" || strings.ContainsAny(path, "*?[] ") {
			t.Errorf("%q is %s and %s", id, path, key)
		}
	}
	if path, _ := f.Node("edge-1.eu_2"); path != filepath.Join("tls", "node-edge-1.eu_2.pem") {
		t.Errorf("a plain id is %s", path)
	}
}

// A long id is cut between letters where X.509 has no room for it.
func TestALongID(t *testing.T) {
	a, _, err := cert.NewAuthority(now, year)
	if err != nil {
		t.Fatal(err)
	}
	id := "a" + strings.Repeat("ä", 99)
	p, err := a.Node(now, year, id)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p.Certificate)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil || cert.Permits(c, id) != nil {
		t.Errorf("%v; it is for %v", err, cert.Names(c))
	}
}

// echo serves mutual TLS as the folder says, and answers each byte with itself.
func echo(t *testing.T, f cert.Folder) string {
	t.Helper()
	c, _, err := f.ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Time = clock
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

// ask connects with a node's pair and returns the server's certificate.
func ask(t *testing.T, f cert.Folder, addr, id string) (*x509.Certificate, error) {
	t.Helper()
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(f.CA())
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, ServerName: "mesh.test", NextProtos: []string{"h2"}, Time: time.Now}
	if id != "" {
		certificate, key := f.Node(id)
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	config.Time = clock
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte{1}); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // TLS 1.3 tells a refusal here
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}

func TestOnlyClientsOfTheAuthorityConnect(t *testing.T) {
	f := made(t)
	addr := echo(t, f)
	if _, err := ask(t, f, addr, "edge"); err != nil {
		t.Errorf("a client of the authority: %v", err)
	}
	if _, err := ask(t, f, addr, ""); err == nil {
		t.Error("a client without a certificate got in")
	}
	other := made(t)
	if err := os.WriteFile(other.CA(), mustRead(t, f.CA()), 0o644); err != nil { // it trusts the server, but is not trusted
		t.Fatal(err)
	}
	if _, err := ask(t, other, addr, "edge"); err == nil {
		t.Error("a client of another authority got in")
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A renewed pair is served from the next connection on; half of one is not.
func TestTheServerTakesRenewedFiles(t *testing.T) {
	f := made(t)
	addr := echo(t, f)
	before, err := ask(t, f, addr, "edge")
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := f.Server()
	oldKey := mustRead(t, key)
	issueServer(t, f, true, "mesh.test", "second.test")
	newKey := mustRead(t, key)

	if err := os.WriteFile(key, oldKey, 0o600); err != nil { // the new certificate with the old key
		t.Fatal(err)
	}
	half, err := ask(t, f, addr, "edge")
	if err != nil || !half.Equal(before) {
		t.Errorf("with half of a new pair: %v; want the old certificate", err)
	}
	if err := os.WriteFile(key, newKey, 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := ask(t, f, addr, "edge")
	if err != nil || !after.Equal(leaf(t, certificate)) {
		t.Errorf("the renewed certificate is not served: %v", err)
	}
}

func TestWhatIsWrongWithTheFolderIsSaid(t *testing.T) {
	for about, tc := range map[string]struct {
		spoil func(f cert.Folder) error
		want  string
	}{
		"no authority": {func(f cert.Folder) error { return os.Remove(f.CA()) }, "meshtui cert"},
		"no server":    {func(f cert.Folder) error { c, _ := f.Server(); return os.Remove(c) }, "meshtui cert"},
		"a CA of words": {func(f cert.Folder) error { return os.WriteFile(f.CA(), []byte("no"), 0o644) },
			"holds no certificate"},
		"a key of another": {func(f cert.Folder) error {
			_, server := f.Server()
			_, node := f.Node("edge")
			return os.Rename(node, server)
		}, "private key"},
		"time": {func(cert.Folder) error { return nil }, "expired"},
	} {
		f := made(t)
		if err := tc.spoil(f); err != nil {
			t.Fatal(err)
		}
		if about == "time" {
			f.Now = func() time.Time { return now.Add(2 * year) }
		}
		if _, _, err := f.ServerConfig(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q in it", about, err, tc.want)
		}
	}
	f := made(t)
	f.Now = func() time.Time { return now.Add(year - 24*time.Hour) }
	if _, warnings, err := f.ServerConfig(); err != nil || len(warnings) != 1 {
		t.Errorf("a day before the end: %v, %v; want one warning", warnings, err)
	}
}
