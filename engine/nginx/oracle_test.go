package nginx

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// findNginx is the nginx on PATH. Without one the test is skipped, or fails
// where MESHTUI_REQUIRE asks for it.
func findNginx(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err == nil {
		return path
	}
	for want := range strings.SplitSeq(os.Getenv("MESHTUI_REQUIRE"), ",") {
		if strings.TrimSpace(want) == "nginx" {
			t.Fatal("MESHTUI_REQUIRE names nginx, and none is on PATH")
		}
	}
	t.Skip("no nginx on PATH")
	return ""
}

// accepted fails the test unless nginx -t takes the text, without a warning.
func accepted(t testing.TB, nginx, dir, text string) {
	t.Helper()
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
