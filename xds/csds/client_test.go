package csds_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	grpcxds "google.golang.org/grpc/xds"
	grpccsds "google.golang.org/grpc/xds/csds"

	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/xdstest"
)

var _ = grpcxds.NewGRPCServer // links in what xds:/// needs

// clientMode makes the test's own binary a gRPC program that is a client of
// xds:///shop; its value is where it serves CSDS. gRPC reads its bootstrap once,
// from the environment, so that each client is a process.
const clientMode = "MESHTUI_TEST_GRPC_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(clientMode) != "" {
		os.Exit(clientMain())
	}
	goleak.VerifyTestMain(m)
}

// clientMain answers each line on stdin ("call", or another target's name to
// dial as well) with a line on stdout: who answered, or why nobody did.
func clientMain() int {
	l, err := net.Listen("unix", strings.TrimPrefix(os.Getenv(clientMode), "unix:"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	server := grpc.NewServer()
	status, err := grpccsds.NewClientStatusDiscoveryServer()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	statusv3.RegisterClientStatusDiscoveryServiceServer(server, status)
	go func() { _ = server.Serve(l) }() // it ends with the process
	conn, err := grpc.NewClient("xds:///shop", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	conn.Connect()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		var who peer.Peer
		_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Peer(&who), grpc.WaitForReady(true))
		cancel()
		if err != nil {
			fmt.Println("error:", strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		fmt.Println(who.Addr)
	}
	return 0
}

// client is such a process, as its parent sees it.
type client struct {
	t    *testing.T
	csds string
	in   *os.File
	out  *bufio.Scanner
}

// startClient starts a gRPC program with our bootstrap.
func startClient(t *testing.T, l *lab, b csds.Bootstrap) *client {
	t.Helper()
	b.CSDS = "unix:" + filepath.Join(l.dir, b.NodeID)
	config, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), clientMode+"="+b.CSDS, "GRPC_XDS_BOOTSTRAP_CONFIG="+config)
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr, cmd.WaitDelay = stdin, os.Stderr, 5*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
			t.Errorf("the client: %v", err)
		}
		if err := errors.Join(in.Close(), stdin.Close()); err != nil {
			t.Error(err)
		}
	})
	return &client{t: t, csds: b.CSDS, in: in, out: bufio.NewScanner(out)}
}

// call sends one RPC, and returns the address of who answered.
func (c *client) call() string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, "call"); err != nil {
		c.t.Fatal(err)
	}
	if !c.out.Scan() {
		c.t.Fatalf("the client ended: %v", c.out.Err())
	}
	return c.out.Text()
}

// callUntil sends RPCs until that backend answers; none may fail meanwhile.
func (c *client) callUntil(backend string) {
	c.t.Helper()
	for deadline := time.Now().Add(xdstest.Patience); ; {
		switch who := c.call(); {
		case who == backend:
			return
		case strings.HasPrefix(who, "error:"):
			c.t.Fatal(who)
		case time.Now().After(deadline):
			c.t.Fatalf("%s answers, and not %s", who, backend)
		}
	}
}

// dump is what the client itself says of each resource, by "type name".
func (c *client) dump() map[string]*statusv3.ClientConfig_GenericXdsConfig {
	c.t.Helper()
	out, err := statusv3.NewClientStatusDiscoveryServiceClient(dial(c.t, c.csds)).FetchClientStatus(c.t.Context(), &statusv3.ClientStatusRequest{}, grpc.WaitForReady(true))
	if err != nil {
		c.t.Fatal(err)
	}
	all := map[string]*statusv3.ClientConfig_GenericXdsConfig{}
	for _, config := range out.GetConfig() {
		for _, g := range config.GetGenericXdsConfigs() {
			url := g.GetTypeUrl()
			all[url[strings.LastIndex(url, ".")+1:]+" "+g.GetName()] = g
		}
	}
	return all
}

// backend is a gRPC server, known by its address.
func backend(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, healthy{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("backend: %v", err)
		}
	})
	return l.Addr().String()
}

type healthy struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (healthy) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}
