package xds_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.com/meshtui/xds"
)

func TestListenRefuses(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ addr, want string }{
		{"0.0.0.0:18000", "meshtui cert"},
		{":18000", "mutual TLS"},
		{"192.0.2.1:18000", "mutual TLS"},
		{"example.test:18000", "mutual TLS"},
		{"18000", "neither unix:/path nor host:port"},
		{"127.0.0.1:99999", "cannot listen"},
		{taken.Addr().String(), "is in use by another process"},
		{"unix:", "not absolute"},
		{"unix:relative.sock", "not absolute"},
		{"unix:" + filepath.Join(dir, strings.Repeat("x", 108-len(dir)-1)), "has 108 bytes, and a socket's path may have 107"},
		{"unix:" + file, "is a file and no socket"},
		{"unix:" + filepath.Join(open, "xds.sock"), "others can write to"},
	} {
		l, err := xds.Listen(c.addr)
		if err == nil {
			l.Close()
			t.Errorf("%s: taken", c.addr)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--xds") {
			t.Errorf("%s: %v, want it to say %q and name --xds", c.addr, err, c.want)
		}
	}
}

func TestListenOnSocket(t *testing.T) {
	dir := filepath.Join(shortDir(t), "new")
	path := filepath.Join(dir, strings.Repeat("s", 107-len(dir)-1)) // the longest that there is
	first, err := xds.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", p, info.Mode(), err, want)
		}
	}
	_, err = xds.Listen("unix:" + path)
	if err == nil || !strings.Contains(err.Error(), "(pid "+strconv.Itoa(os.Getpid())+")") || !strings.Contains(err.Error(), "--xds") {
		t.Errorf("a second one on it: %v, want the living process named", err)
	}
	// What a killed process leaves behind: the file, and nobody listening.
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := xds.Listen("unix:" + path)
	if err != nil {
		t.Fatalf("a socket that was left behind is not replaced: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListenOnLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0"} {
		l, err := xds.Listen(addr)
		if err != nil {
			if addr == "[::1]:0" && !bytes.Contains([]byte(err.Error()), []byte("loopback")) {
				continue // no IPv6 here
			}
			t.Errorf("%s: %v", addr, err)
			continue
		}
		l.Close()
	}
}

func TestDefaultAddress(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1")
	if got := xds.DefaultAddress(); got != "unix:/run/user/1/meshtui/xds.sock" {
		t.Error(got)
	}
	for _, unfit := range []string{"", "relative", "/" + strings.Repeat("x", 100)} {
		t.Setenv("XDG_RUNTIME_DIR", unfit)
		t.Setenv("TMPDIR", "/tmp")
		if got, want := xds.DefaultAddress(), "unix:/tmp/meshtui-"+strconv.Itoa(os.Getuid())+"/xds.sock"; got != want {
			t.Errorf("with %q: %s, want %s", unfit, got, want)
		}
	}
}
