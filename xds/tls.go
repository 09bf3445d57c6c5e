package xds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// transport is mutual TLS on TCP, and none on a unix socket, which the file
// system keeps to its owner.
type transport struct {
	credentials.TransportCredentials
	tls    credentials.TransportCredentials
	failed func(from net.Addr, why error) // is told of handshakes that failed
}

func newTransport(plain credentials.TransportCredentials, c *tls.Config, failed func(net.Addr, error)) credentials.TransportCredentials {
	return transport{TransportCredentials: plain, tls: credentials.NewTLS(c), failed: failed}
}

func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn.LocalAddr().Network() == "unix" {
		return t.TransportCredentials.ServerHandshake(conn)
	}
	secure, info, err := t.tls.ServerHandshake(conn)
	if err != nil {
		t.failed(conn.RemoteAddr(), err)
	}
	return secure, info, err
}

func (t transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

func (t transport) Clone() credentials.TransportCredentials {
	return transport{TransportCredentials: t.TransportCredentials.Clone(), tls: t.tls.Clone(), failed: t.failed}
}

// secured reports whether TLS lets in only who has a certificate of ours.
func secured(c *tls.Config) bool {
	return c != nil && c.ClientAuth == tls.RequireAndVerifyClientCert
}

// checkListener refuses to serve beyond this machine without mutual TLS.
func (s *Server) checkListener(l net.Listener) error {
	if local(l.Addr()) || secured(s.o.TLS) {
		return nil
	}
	return fmt.Errorf("xDS address %s can be reached from other machines, and that needs mutual TLS; make certificates with `meshtui cert` and give --tls, or listen on unix:/path or a loopback address", l.Addr())
}

// local reports whether an address is of this machine alone.
func local(a net.Addr) bool {
	switch a := a.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}

// hereOnly refuses services that tell of every node to who calls from beyond this
// machine: a node's certificate is good for its own configuration alone.
func hereOnly(ctx context.Context, method string, services map[string]bool) error {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if !services[service] {
		return nil
	}
	p, ok := peer.FromContext(ctx)
	if ok && p.LocalAddr != nil && local(p.LocalAddr) {
		// Who shows a certificate comes from elsewhere, through a tunnel maybe.
		if _, elsewhere := p.AuthInfo.(credentials.TLSInfo); !elsewhere {
			return nil
		}
	}
	return status.Errorf(codes.PermissionDenied, "%s is answered on this machine only", service)
}
