package xds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
)

// transport is mutual TLS on TCP, and none on a unix socket, which the file
// system keeps to its owner.
type transport struct {
	credentials.TransportCredentials
	tls credentials.TransportCredentials
}

func newTransport(plain credentials.TransportCredentials, c *tls.Config) credentials.TransportCredentials {
	return transport{TransportCredentials: plain, tls: credentials.NewTLS(c)}
}

func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn.LocalAddr().Network() == "unix" {
		return t.TransportCredentials.ServerHandshake(conn)
	}
	return t.tls.ServerHandshake(conn)
}

func (t transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

func (t transport) Clone() credentials.TransportCredentials {
	return transport{TransportCredentials: t.TransportCredentials.Clone(), tls: t.tls.Clone()}
}

// fitToServe says why a listener must not be served on: others could reach it
// from beyond this machine, and nothing would prove who they are.
func fitToServe(l net.Listener, c *tls.Config) error {
	if c != nil && c.ClientAuth != tls.RequireAndVerifyClientCert {
		return errors.New("TLS without a verified client certificate lets anybody in; the server wants tls.RequireAndVerifyClientCert")
	}
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok || c != nil || a.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("xDS address %s is not loopback: beyond this machine it needs mutual TLS; make certificates with `meshtui cert`, then give --tls DIR", a)
}
