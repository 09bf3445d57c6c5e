package xds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/meshtui/xds/envoy"
)

const (
	unixPrefix  = "unix:"
	dialTimeout = time.Second
)

// DefaultAddress is where the server listens unless it is told otherwise: a
// socket in the user's runtime folder, else in a folder of this user's own in
// the temp folder.
func DefaultAddress() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if path := filepath.Join(dir, "meshtui", "xds.sock"); len(path) <= envoy.MaxSocketPath {
			return unixPrefix + path
		}
	}
	dir := filepath.Join(os.TempDir(), "meshtui-"+strconv.Itoa(os.Getuid()))
	return unixPrefix + filepath.Join(dir, "xds.sock")
}

// Listen opens "unix:/path" or "host:port". Without mutual TLS only this
// machine may connect, so any host that is not loopback is refused. A socket
// that a dead process left behind is replaced; one that a living process listens
// on is left to it, and the error says whose it is.
func Listen(addr string) (net.Listener, error) { return listen(addr, false) }

// ListenTLS is Listen for a server with mutual TLS, which may be reached under
// any host. Server.Serve refuses such a listener without it.
func ListenTLS(addr string) (net.Listener, error) { return listen(addr, true) }

func listen(addr string, anyHost bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return listenUnix(path)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("xDS address %q is neither unix:/path nor host:port; give one with --xds", addr)
	}
	if !anyHost && !isLoopback(host) {
		return nil, fmt.Errorf("xDS address %q is not loopback: beyond this machine it needs mutual TLS; make certificates with `meshtui cert` and give --tls DIR, or give unix:/path or 127.0.0.1:%s with --xds", addr, port)
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("xDS address %s is in use by another process; choose another with --xds", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on xDS address %s: %w; choose another with --xds", addr, err)
	}
	return l, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func listenUnix(path string) (net.Listener, error) {
	if path == "" || !filepath.IsAbs(path) {
		return nil, fmt.Errorf("xDS socket path %q is not absolute; give unix:/path with --xds", path)
	}
	if len(path) > envoy.MaxSocketPath {
		return nil, fmt.Errorf("xDS socket path %s has %d bytes, and a socket's path may have %d; choose a shorter one with --xds", path, len(path), envoy.MaxSocketPath)
	}
	if err := makePrivateDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := clearLeftBehind(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on xDS socket %s: %w; choose another with --xds", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make xDS socket %s private: %w", path, err), l.Close())
	}
	return l, nil
}

// makePrivateDir makes the socket's folder if it is missing. One of another
// user is refused: who owns the folder can put a socket of his own into it.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder for the xDS socket: %w; choose another with --xds", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot read the folder of the xDS socket: %w; choose another with --xds", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	strange := ok && int(owner.Uid) != os.Getuid() && owner.Uid != 0
	shared := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0
	if strange || shared {
		return fmt.Errorf("others can write to %s, so the xDS socket would not be safe there; choose another with --xds", dir)
	}
	return nil
}

// clearLeftBehind removes a socket that nobody listens on any more.
func clearLeftBehind(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look at xDS socket %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is a file and no socket; choose another path with --xds", path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("xDS socket %s was left behind and cannot be removed: %w", path, err)
		}
		return nil
	}
	who := "another process"
	if err == nil {
		who = peerOf(conn)
		_ = conn.Close() // nothing was sent on it
	}
	return fmt.Errorf("xDS socket %s is in use by %s; end it, or choose another with --xds", path, who)
}
