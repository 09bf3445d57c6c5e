package sds_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/prototext"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/sds"
	"example.com/meshtui/xds/xdstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resource is a resource of a file "sds.yaml", whose text begins on line 3.
func resource(t testing.TB, typ mesh.Type, yaml string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(typ, mesh.Source{File: "sds.yaml", Line: 3, Text: yaml})
	if r == nil {
		t.Fatalf("%v in\n%s", findings, yaml)
	}
	return r
}

const pairYAML = "name: cert\ntls_certificate:\n  certificate_chain: {filename: tls.crt}\n  private_key: {filename: tls.key}\n  watched_directory: {path: /x}\n"

func put(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is read, what is left alone, and what is said about it.
func TestFill(t *testing.T) {
	chain, key := xdstest.Certificate(t, 1)
	other, _ := xdstest.Certificate(t, 2)
	for name, tc := range map[string]struct {
		yaml    string
		files   map[string][]byte
		want    string // in what is served; "" when it is the secret as it is written
		finding string // of the only one; "" for none
	}{
		"a pair":                       {pairYAML, map[string][]byte{"tls.crt": chain, "tls.key": key}, "PRIVATE KEY", ""},
		"no files":                     {"name: a\ntls_certificate: {certificate_chain: {inline_string: x}}\n", nil, "", ""},
		"a missing file":               {pairYAML, map[string][]byte{"tls.crt": chain}, "", "sds.yaml:6: warning: secret cert: tls_certificate.private_key.filename: tls.key cannot be read: there is no such file; the secret is served as it is written (make"},
		"an empty file":                {pairYAML, map[string][]byte{"tls.crt": chain, "tls.key": nil}, "", "tls.key is empty"},
		"a pair that does not fit":     {pairYAML, map[string][]byte{"tls.crt": other, "tls.key": key}, "", "certificate and private key do not belong together"},
		"half a certificate":           {pairYAML, map[string][]byte{"tls.crt": chain[:len(chain)/2], "tls.key": key}, "", "the certificate is not whole"},
		"half a chain":                 {pairYAML, map[string][]byte{"tls.crt": append(bytes.Clone(chain), other[:len(other)/2]...), "tls.key": key}, "", "the certificate is not whole"},
		"half a key":                   {pairYAML, map[string][]byte{"tls.crt": chain, "tls.key": key[:len(key)/2]}, "", "the private key is not whole"},
		"a key that only Envoy knows":  {strings.Replace(pairYAML, "  watched", "  password: {inline_string: x}\n  watched", 1), map[string][]byte{"tls.crt": chain, "tls.key": []byte("sealed")}, "sealed", ""},
		"an authority":                 {"name: ca\nvalidation_context: {trusted_ca: {filename: ca.pem}}\n", map[string][]byte{"ca.pem": chain}, "CERTIFICATE", ""},
		"half an authority":            {"name: ca\nvalidation_context: {trusted_ca: {filename: ca.pem}}\n", map[string][]byte{"ca.pem": chain[:40]}, "", "the certificate is not whole"},
		"ticket keys":                  {"name: t\nsession_ticket_keys: {keys: [{filename: a}, {filename: b}]}\n", map[string][]byte{"a": bytes.Repeat([]byte("a"), 80), "b": bytes.Repeat([]byte("b"), 80)}, "bbbb", ""},
		"a ticket key of another size": {"name: t\nsession_ticket_keys: {keys: [{filename: a}]}\n", map[string][]byte{"a": []byte("short")}, "", "a session ticket key has 80 bytes; the file has 5"},
		"a generic secret":             {"name: g\ngeneric_secret: {secret: {filename: a}, secrets: {x: {filename: b}}}\n", map[string][]byte{"a": []byte("alpha"), "b": []byte("beta")}, "beta", ""},
		"a folder":                     {"name: g\ngeneric_secret: {secret: {filename: .}}\n", nil, "", "it is no regular file"},
		"a file that is too large":     {"name: g\ngeneric_secret: {secret: {filename: a}}\n", map[string][]byte{"a": make([]byte, 2<<20)}, "", "it has 2097152 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range tc.files {
				put(t, dir, name, data)
			}
			s := sds.New(sds.Options{Dir: dir})
			r := resource(t, mesh.Secret, tc.yaml)
			got := s.Fill(r)
			served := prototext.Format(got)
			switch {
			case tc.want == "" && got != r.Message:
				t.Errorf("it is not served as it is written: %s", served)
			case tc.want != "" && (!strings.Contains(served, tc.want) || strings.Contains(served, "filename") || strings.Contains(served, "watched")):
				t.Errorf("served is %s", served)
			}
			findings := s.Findings()
			switch {
			case tc.finding == "" && len(findings) > 0:
				t.Errorf("found %v", findings)
			case tc.finding != "" && (len(findings) != 1 || !strings.Contains(findings[0].String(), tc.finding)):
				t.Errorf("found %v, want %q", findings, tc.finding)
			}
			if s.Fill(r) != got {
				t.Error("a second answer is another one")
			}
			if quoted := fmt.Sprint(findings); strings.Contains(quoted, "BEGIN") || strings.Contains(quoted, "alpha") {
				t.Errorf("a finding quotes the secret: %s", quoted)
			}
		})
	}
}

// What is no secret is none of its business; relative paths need a folder.
func TestFillOthers(t *testing.T) {
	s := sds.New(sds.Options{})
	c := resource(t, mesh.Cluster, "name: app\n")
	if s.Fill(c) != c.Message {
		t.Error("a cluster was filled in")
	}
	r := resource(t, mesh.Secret, pairYAML)
	if s.Fill(r) != r.Message {
		t.Error("relative paths were read from who knows where")
	}
	if f := s.Findings(); len(f) != 2 || !strings.Contains(f[0].Message, "there is no workspace folder for it to be in") {
		t.Errorf("found %v", f)
	}
	s.Retain()
	if f := s.Findings(); len(f) > 0 {
		t.Errorf("of what is not served any more is found %v", f)
	}
}

func TestOutOfDate(t *testing.T) {
	chain, key := xdstest.Certificate(t, 1)
	for name, tc := range map[string]struct {
		now  time.Time
		want string
	}{
		"ran out": {time.Now().Add(48 * time.Hour), "the certificate ran out on"},
		"holds":   {time.Now(), ""},
		"not yet": {time.Now().Add(-48 * time.Hour), "the certificate holds only from"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "tls.crt", chain)
			put(t, dir, "tls.key", key)
			s := sds.New(sds.Options{Dir: dir, Now: func() time.Time { return tc.now }})
			if r := resource(t, mesh.Secret, pairYAML); s.Fill(r) == r.Message {
				t.Error("it is not served")
			}
			f := s.Findings()
			if tc.want == "" && len(f) > 0 || tc.want != "" && (len(f) != 1 || !strings.Contains(f[0].Message, tc.want)) {
				t.Errorf("found %v, want %q", f, tc.want)
			}
		})
	}
}

// watched is a source that runs, of one secret from a folder.
type watched struct {
	*sds.Source
	t       *testing.T
	r       *mesh.Resource
	dir     string
	changed chan []mesh.Key
}

func watch(t *testing.T, dir, yaml string) *watched {
	t.Helper()
	w := &watched{t: t, dir: dir, changed: make(chan []mesh.Key, 100)}
	w.Source = sds.New(sds.Options{Dir: dir, Changed: func(keys ...mesh.Key) { w.changed <- keys }})
	w.r = resource(t, mesh.Secret, yaml)
	g, ctx := task.New(t.Context())
	g.Go("source", func() error { return w.Run(ctx) })
	t.Cleanup(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	w.Fill(w.r)
	return w
}

// serves waits until a change is told and a certificate is served.
func (w *watched) serves(chain []byte) {
	w.t.Helper()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	for {
		select {
		case keys := <-w.changed:
			if len(keys) != 1 || keys[0] != w.r.Key {
				w.t.Fatalf("changed: %v", keys)
			}
			secret, ok := w.Fill(w.r).(*tlsv3.Secret)
			if ok && bytes.Equal(secret.GetTlsCertificate().GetCertificateChain().GetInlineBytes(), chain) {
				return
			}
		case <-deadline.C:
			w.t.Fatalf("the certificate never came; found: %v", w.Findings())
		}
	}
}

// However a certificate is renewed, it is noticed.
func TestWatch(t *testing.T) {
	// folder writes a pair into a folder of its own, as Kubernetes does.
	folder := func(t *testing.T, dir, name string, chain, key []byte) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, dir, name+"/tls.crt", chain)
		put(t, dir, name+"/tls.key", key)
	}
	link := func(t *testing.T, target, path string) {
		t.Helper()
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		first, then func(t *testing.T, dir string, chain, key []byte)
	}{
		"in place": {
			func(t *testing.T, dir string, chain, key []byte) {
				put(t, dir, "tls.crt", chain)
				put(t, dir, "tls.key", key)
			},
			func(t *testing.T, dir string, chain, key []byte) {
				put(t, dir, "tls.key", key)
				put(t, dir, "tls.crt", chain)
			},
		},
		"by a link of folders": {
			func(t *testing.T, dir string, chain, key []byte) {
				folder(t, dir, "..1", chain, key)
				link(t, "..1", filepath.Join(dir, "..data"))
				link(t, "..data/tls.crt", filepath.Join(dir, "tls.crt"))
				link(t, "..data/tls.key", filepath.Join(dir, "tls.key"))
			},
			func(t *testing.T, dir string, chain, key []byte) {
				folder(t, dir, "..2", chain, key)
				link(t, "..2", filepath.Join(dir, "..data"))
			},
		},
		"what was not there": {
			func(*testing.T, string, []byte, []byte) {},
			func(t *testing.T, dir string, chain, key []byte) {
				put(t, dir, "tls.crt", chain)
				put(t, dir, "tls.key", key)
			},
		},
		"gone and back": {
			func(t *testing.T, dir string, chain, key []byte) {
				put(t, dir, "tls.crt", chain)
				put(t, dir, "tls.key", key)
			},
			func(t *testing.T, dir string, chain, key []byte) {
				for _, name := range []string{"tls.crt", "tls.key"} {
					if err := os.Remove(filepath.Join(dir, name)); err != nil {
						t.Fatal(err)
					}
				}
				put(t, dir, "tls.crt", chain)
				put(t, dir, "tls.key", key)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			chain, key := xdstest.Certificate(t, 1)
			tc.first(t, dir, chain, key)
			w := watch(t, dir, pairYAML)
			chain, key = xdstest.Certificate(t, 2)
			tc.then(t, dir, chain, key)
			w.serves(chain)
			if f := w.Findings(); len(f) > 0 {
				t.Errorf("found %v", f)
			}
		})
	}
}
