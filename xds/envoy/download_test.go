package envoy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// archive is what a release archive looks like, with a script as the binary.
func archive(t *testing.T, body string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	data := []byte("#!/bin/sh\n" + body)
	if err := w.WriteHeader(&tar.Header{Name: "envoy-x/bin/envoy", Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// releases serves a list of versions and one archive, whose checksum may lie.
func releases(t *testing.T, body []byte, sum string) (versions string, fetched *int) {
	t.Helper()
	fetched = new(int)
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	const name = "envoy-release.tar.gz"
	mux.HandleFunc("/versions.json", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"versions": map[string]any{Measured: map[string]any{
				"releaseDate": "2026-10-01",
				"tarballs":    map[string]string{runtime.GOOS + "/" + runtime.GOARCH: s.URL + "/" + name},
			}},
			"sha256sums": map[string]string{name: sum},
		})
	})
	mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
		*fetched++
		_, _ = w.Write(body)
	})
	return s.URL + "/versions.json", fetched
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestDownload(t *testing.T) {
	dir := t.TempDir()
	body := archive(t, says(Measured))
	versions, fetched := releases(t, body, sum(body))
	var done, total int64
	b, err := download(context.Background(), dir, versions, func(d, n int64) { done, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if b.Version != Measured || b.Origin != "downloaded" || filepath.Dir(b.Path) != dir {
		t.Errorf("got %+v", b)
	}
	if done != int64(len(body)) || total != int64(len(body)) {
		t.Errorf("progress ended at %d of %d, the archive has %d", done, total, len(body))
	}
	if again, err := download(context.Background(), dir, versions, nil); err != nil || again != b {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if *fetched != 1 {
		t.Errorf("fetched %d times", *fetched)
	}
	onlyEnvoyIn(t, dir, filepath.Base(b.Path))
}

func TestDownloadFails(t *testing.T) {
	good := archive(t, says(Measured))
	notEnvoy := archive(t, "echo hello\n")
	refuses := httptest.NewServer(http.NotFoundHandler())
	refuses.Close()
	for _, c := range []struct {
		name, want string
		versions   func(t *testing.T) string
	}{
		{"nobody there", "refused", func(*testing.T) string { return refuses.URL + "/v.json" }},
		{"forbidden", "403", func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
			t.Cleanup(s.Close)
			return s.URL + "/v.json"
		}},
		{"wrong checksum", "SHA-256", func(t *testing.T) string { v, _ := releases(t, good, strings.Repeat("0", 64)); return v }},
		{"broken off", "untarring", func(t *testing.T) string { v, _ := releases(t, good[:len(good)/2], sum(good)); return v }},
		{"not an Envoy", "does not run", func(t *testing.T) string { v, _ := releases(t, notEnvoy, sum(notEnvoy)); return v }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := download(context.Background(), dir, c.versions(t), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			onlyEnvoyIn(t, dir, "")
		})
	}
}

func TestDownloadBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	dir := t.TempDir()
	_, err := download(ctx, dir, s.URL+"/v.json", nil)
	if err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Errorf("got %v", err)
	}
	onlyEnvoyIn(t, dir, "")
}

// onlyEnvoyIn checks that nothing else was left in the folder.
func onlyEnvoyIn(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}
