//go:build unix

package xds_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

const filesEnv = "XDS_TEST_FEW_FILES"

// No more files can be opened: those who are connected are served on, and who
// comes when there is room again is, too. The limit is one of the process, so it
// is another process that runs into it.
func TestNoMoreFiles(t *testing.T) {
	if os.Getenv(filesEnv) != "" {
		runOutOfFiles(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoMoreFiles$", "-test.v")
	cmd.Env = append(os.Environ(), filesEnv+"=1")
	cmd.SysProcAttr = xdstest.DieWithUs()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestNoMoreFiles") {
		t.Fatalf("%v:\n%s", err, out)
	}
}

func runOutOfFiles(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var flood []net.Conn
	for {
		conn, err := net.Dial("unix", strings.TrimPrefix(s.addr, "unix:"))
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatalf("after %d connections: %v", len(flood), err)
		}
		flood = append(flood, conn)
	}
	if len(flood) < 10 {
		t.Fatalf("only %d connections fit", len(flood))
	}
	s.Publish(revision(2, with(t, shop(t), cluster("app", 5*time.Second))))
	r := st.Next()
	mustBe(t, r, mesh.Cluster, "app", "legacy")
	st.Ack(r)
	for _, conn := range flood {
		conn.Close()
	}
	late := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-2"}).Open()
	late.Subscribe(mesh.Cluster)
	mustBe(t, late.Next(), mesh.Cluster, "app", "legacy")
}
