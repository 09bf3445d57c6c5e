package xdstest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/xds/envoy"
)

// FindEnvoy is the path of the Envoy that the product itself would find in this
// checkout: what MESHTUI_ENVOY names, else the one on PATH, else .tools/envoy. It
// fails where there is none.
func FindEnvoy() (path string, err error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	b, err := envoy.Find("", filepath.Join(dir, ".tools"))
	return b.Path, err
}

// NeedEnvoy is FindEnvoy for a test that cannot do without: it skips the test
// where there is none, and fails it where MESHTUI_REQUIRE asks for one.
func NeedEnvoy(t testing.TB) string {
	t.Helper()
	path, err := FindEnvoy()
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatalf("MESHTUI_REQUIRE asks for an Envoy: %v", err)
	}
	t.Skipf("needs a real Envoy: %v", err)
	return ""
}
