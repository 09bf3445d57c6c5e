package nginxtest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for nginx. It is a deadline for the broken
// case, never a measure.
const Patience = 20 * time.Second

// Need is the path of the nginx on PATH. Without one the test is skipped, or
// fails where MESHTUI_REQUIRE names nginx.
func Need(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		absent(t, "no nginx on PATH")
	}
	return path
}

// NeedStream is the path of nginx's stream module, which is a file of its own
// with many an nginx; MESHTUI_NGINX_STREAM may name it. Without one the test is
// skipped, or fails where MESHTUI_REQUIRE names nginx.
func NeedStream(t testing.TB) string {
	t.Helper()
	nginx, file := Need(t), os.Getenv("MESHTUI_NGINX_STREAM")
	if file == "" {
		out, err := exec.Command(nginx, "-V").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`--modules-path=(\S+)`).FindSubmatch(out); m != nil {
			file = filepath.Join(string(m[1]), "ngx_stream_module.so")
		}
	}
	if _, err := os.Stat(file); err != nil {
		absent(t, "no stream module beside this nginx, and MESHTUI_NGINX_STREAM names none")
	}
	return file
}

func absent(t testing.TB, why string) {
	t.Helper()
	for want := range strings.SplitSeq(os.Getenv("MESHTUI_REQUIRE"), ",") {
		if strings.TrimSpace(want) == "nginx" {
			t.Fatal("MESHTUI_REQUIRE names nginx: " + why)
		}
	}
	t.Skip(why)
}

// FreePort is a TCP port of 127.0.0.1 that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
