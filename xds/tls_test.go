package xds_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/cert"
)

// certified is a folder with certificates for a server on this machine and for
// the node edge.
func certified(t *testing.T) cert.Folder {
	t.Helper()
	f := cert.Folder{Dir: filepath.Join(t.TempDir(), "tls")}
	c, k := f.Server()
	_, err1 := f.Issue(c, k, false, func(a *cert.Authority) (cert.Pair, error) { return a.Server(time.Now(), time.Hour, "127.0.0.1") })
	c, k = f.Node("edge")
	_, err2 := f.Issue(c, k, false, func(a *cert.Authority) (cert.Pair, error) { return a.Node(time.Now(), time.Hour, "edge") })
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return f
}

// clientOf are the credentials of the node edge.
func clientOf(t *testing.T, f cert.Folder) credentials.TransportCredentials {
	t.Helper()
	c, k := f.Node("edge")
	pair, err := tls.LoadX509KeyPair(c, k)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(f.CA())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
}

// askClusters opens a stream as a node and returns the first answer.
func askClusters(t *testing.T, target string, creds credentials.TransportCredentials, id string) (*discovery.DiscoveryResponse, error) {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&discovery.DiscoveryRequest{Node: &corev3.Node{Id: id}, TypeUrl: resource.ClusterType}); err != nil {
		return nil, err
	}
	return stream.Recv()
}

// On TCP a node needs a certificate, and is only who that says it is; what tells
// of other nodes is not for it. A unix socket beside it needs none.
func TestMutualTLS(t *testing.T) {
	f := certified(t)
	config, _, err := f.ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := xds.ListenTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := xds.Listen("unix:" + filepath.Join(t.TempDir(), "xds.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := xds.New(xds.Options{
		TLS:      config,
		Register: func(g grpc.ServiceRegistrar) { healthv1.RegisterHealthServer(g, health.NewServer()) },
		Allow: func(p xds.Peer) error {
			if len(p.Certificates) == 0 {
				return nil
			}
			return cert.Permits(p.Certificates[0], p.NodeID)
		},
	})
	m, err := mesh.New()
	if err != nil {
		t.Fatal(err)
	}
	s.Publish(&engine.Revision{Number: 1, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: m}})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, tcp, socket) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	edge := clientOf(t, f)
	if _, err := askClusters(t, tcp.Addr().String(), edge, "edge"); err != nil {
		t.Errorf("the node of the certificate: %v", err)
	}
	if _, err := askClusters(t, tcp.Addr().String(), edge, "core"); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "core") {
		t.Errorf("a node of another name: %v", err)
	}
	if _, err := askClusters(t, tcp.Addr().String(), insecure.NewCredentials(), "edge"); err == nil {
		t.Error("a node without TLS was answered on TCP")
	}
	told := ""
	for _, m := range messagesOf(s.Wire().Since(0, 1000)) {
		if m.Kind == xds.Refused {
			told += m.Detail + "\n"
		}
	}
	if !strings.Contains(told, `for edge and not for node "core"`) || !strings.Contains(told, "TLS with 127.0.0.1") {
		t.Errorf("of those who were refused the wire tells %q", told)
	}
	if _, err := askClusters(t, "unix:"+socket.Addr().String(), insecure.NewCredentials(), "anyone"); err != nil {
		t.Errorf("on the unix socket: %v", err)
	}
	for target, want := range map[string]codes.Code{"unix:" + socket.Addr().String(): codes.OK, tcp.Addr().String(): codes.PermissionDenied} {
		creds := edge
		if want == codes.OK {
			creds = insecure.NewCredentials()
		}
		conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		if status.Code(err) != want {
			t.Errorf("a further service at %s: %v, want %v", target, err, want)
		}
		_ = conn.Close()
	}
}

func messagesOf(ms []xds.Message, _ uint64) []xds.Message { return ms }

func TestNoListenerBeyondThisMachineWithoutMutualTLS(t *testing.T) {
	for about, c := range map[string]*tls.Config{
		"no TLS": nil, "clients without certificates": {}, "certificates of anybody": {ClientAuth: tls.RequireAnyClientCert},
	} {
		l, err := xds.ListenTLS("0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := xds.New(xds.Options{TLS: c}).Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "mutual TLS") {
			t.Errorf("%s: %v", about, err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the listener was left open: %v", about, err)
		}
	}
}
