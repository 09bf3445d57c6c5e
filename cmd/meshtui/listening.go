package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/cert"
)

// listenFlags say where the control plane listens, and to whom.
type listenFlags struct {
	addresses []string
	tlsDir    string
	allow     []string
}

func (f *listenFlags) bind(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.addresses, "xds", nil, "where to listen: unix:PATH or HOST:PORT; may be given several times (default: a socket in the runtime folder)")
	fs.StringVar(&f.tlsDir, "tls", "", "mutual TLS on HOST:PORT with the certificates in this folder, as 'meshtui cert' makes them; without it only this machine may connect")
	fs.StringArrayVar(&f.allow, "allow-node", nil, "a glob of node ids that may connect, and no others; may be given several times")
}

// check refuses globs that fit nothing.
func (f listenFlags) check() error {
	for _, glob := range f.allow {
		if _, err := path.Match(glob, ""); err != nil {
			return usageError(fmt.Errorf("--allow-node %q is no glob: %w", glob, err))
		}
	}
	return nil
}

// listening is what a server listens on.
type listening struct {
	listeners []net.Listener
	tls       *tls.Config // nil for none
	local     string      // the address that Envoys of this machine are told
	warnings  []string
}

// open listens. local is a socket of this process, which is taken for local
// Envoys where everything else wants certificates; "" takes none.
func (f listenFlags) open(local string) (l listening, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if f.tlsDir != "" {
		if l.tls, l.warnings, err = (cert.Folder{Dir: f.tlsDir}).ServerConfig(); err != nil {
			return l, fmt.Errorf("--tls %s: %w", f.tlsDir, err)
		}
	}
	addresses := f.addresses
	if len(addresses) == 0 {
		addresses = []string{xds.DefaultAddress()}
	}
	plain := func(address string) bool { return l.tls == nil || strings.HasPrefix(address, "unix:") }
	if local != "" && !slices.ContainsFunc(addresses, plain) {
		addresses = append(slices.Clone(addresses), local)
	}
	for _, address := range addresses {
		open := xds.Listen
		if l.tls != nil {
			open = xds.ListenTLS
		}
		one, err := open(address)
		if err != nil {
			return l, err
		}
		l.listeners = append(l.listeners, one)
		if l.local == "" && plain(address) {
			l.local = xds.Address(one)
		}
	}
	return l, nil
}

func (l listening) close() error {
	var errs []error
	for _, one := range l.listeners {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// addresses are where it listens, in words.
func (l listening) addresses() []string {
	var out []string
	for _, one := range l.listeners {
		said := xds.Address(one)
		if l.tls != nil && !strings.HasPrefix(said, "unix:") {
			said += " (mutual TLS)"
		}
		out = append(out, said)
	}
	return out
}

// permit says why a node may not connect; nil when it may. One with a
// certificate may call itself only what that says.
func (f listenFlags) permit(p xds.Peer) error {
	fits := func(glob string) bool { ok, err := path.Match(glob, p.NodeID); return err == nil && ok }
	if len(f.allow) > 0 && !slices.ContainsFunc(f.allow, fits) {
		return fmt.Errorf("node %q is not among those that may connect (--allow-node %s)", p.NodeID, strings.Join(f.allow, ", "))
	}
	if len(p.Certificates) > 0 {
		return cert.Permits(p.Certificates[0], p.NodeID)
	}
	return nil
}

// privateAddress is a socket of this process alone, beside the default one, so
// that it never is in the way of anything; "" where there is no place for one.
func privateAddress(what string) string {
	socket, ok := strings.CutSuffix(xds.DefaultAddress(), ".sock")
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s-%s-%d.sock", socket, what, os.Getpid())
}
