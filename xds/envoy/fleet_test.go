package envoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childRole is the environment variable that makes this test binary play a part
// of its own instead of running tests.
const childRole = "ENVOY_TEST_CHILD"

// partOf plays that part.
func partOf() (played bool, status int) {
	switch os.Getenv(childRole) {
	case "fleet": // starts an Envoy and waits to be killed
		f, err := StartFleet(context.Background(), FleetOptions{
			Binary: Binary{Path: os.Getenv("ENVOY_TEST_BINARY")}, Nodes: 1, XDS: "127.0.0.1:1", Dir: os.Getenv("ENVOY_TEST_DIR"),
		})
		if err != nil {
			fmt.Println(err)
			return true, 1
		}
		fmt.Println(f.Processes()[0].PID)
		select {}
	}
	return false, 0
}

// gone reports whether a process has ended; one that nobody has reaped yet has.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // gone since, or a system without /proc
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

// startFleet starts one that is stopped at the end of the test.
func startFleet(t *testing.T, o FleetOptions) *Fleet {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	f, err := StartFleet(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
		for _, p := range f.Processes() {
			if p.State != Stopped || p.PID != 0 {
				t.Errorf("after the stop: %+v", p)
			}
		}
	})
	return f
}

// freePort is a port on loopback that nobody held a moment ago, nor the one
// PortStep above it.
func freePort(t *testing.T) uint32 {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := uint32(l.Addr().(*net.TCPAddr).Port)
		l.Close()
		if message, _ := bindable("127.0.0.1", port+PortStep); message == "" {
			return port
		}
	}
	t.Fatal("no two free ports")
	return 0
}

// webListener answers every path through a route of its own name.
func webListener(name string, port uint32) string {
	return listenerOn(name, "127.0.0.1", port) + `filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`
}

const mainRoute = `route
name: main
virtual_hosts:
- name: all
  domains: ["*"]
  routes: [{match: {prefix: /}, route: {cluster: app}}]
`

// plainCluster has neither health checks nor outlier detection.
const plainCluster = `cluster
name: app
type: EDS
connect_timeout: 0.5s
eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 2s}}
`

func appEndpoints(ports ...string) string {
	s := "endpoints\ncluster_name: app\nendpoints:\n- lb_endpoints:\n"
	for _, p := range ports {
		s += "  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " + p + "}}}\n"
	}
	return s
}

// answer is the status of a GET, 0 when there is none.
func answer(client *http.Client, port uint32) int {
	res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}
}

func TestFleetServesWithPortsApart(t *testing.T) {
	binary := realEnvoy(t)
	for _, delta := range []bool{false, true} {
		t.Run(fmt.Sprintf("delta %v", delta), func(t *testing.T) {
			cp := startControlPlane(t)
			back := newBackend(t)
			port := freePort(t)
			o := FleetOptions{Binary: binary, Nodes: 2, XDS: cp.address, Dir: t.TempDir(), Delta: delta}
			for i := range o.Nodes {
				cp.push(t, o.NodeID(i), o.Overlay(o.NodeID(i)), plainCluster, appEndpoints(back.port()), webListener("web", port), mainRoute)
			}
			f := startFleet(t, o)
			client := newClient(t)
			for i := range o.Nodes {
				eventually(t, "traffic through "+o.NodeID(i), func() bool { return answer(client, port+uint32(i)*PortStep) == 200 })
			}
			eventually(t, "both live", func() bool { return f.Processes()[0].State == Live && f.Processes()[1].State == Live })
			for _, p := range f.Processes() {
				info, err := os.Stat(p.Log)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the log of %s: %v, %v", p.Node, info, err)
				}
				log, _ := os.ReadFile(p.Log)
				if strings.Contains(string(log), " warning ") || strings.Contains(string(log), " error ") {
					t.Errorf("%s complains:\n%s", p.Node, log)
				}
			}
		})
	}
}

func TestFleetRestarts(t *testing.T) {
	f := startFleet(t, FleetOptions{Binary: realEnvoy(t), Nodes: 1, XDS: "127.0.0.1:1"})
	changed, cancel := f.Changed()
	defer cancel()
	before := f.Processes()[0]
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	seen := false
	eventually(t, "another process", func() bool {
		select {
		case <-changed:
		default:
		}
		p := f.Processes()[0]
		if p.State == Restarting {
			seen = true
			if !strings.Contains(p.Why, "killed") || p.NextTry.IsZero() {
				t.Errorf("while it is down: %+v", p)
			}
		}
		return p.PID != 0 && p.PID != before.PID && p.State != Restarting
	})
	p := f.Processes()[0]
	if !seen || p.Restarts != 1 || !strings.Contains(p.Why, "killed") || p.Admin != before.Admin {
		t.Errorf("seen down: %v; now %+v, before %+v", seen, p, before)
	}
}

func TestFleetSaysWhyAnEnvoyDiesAtItsStart(t *testing.T) {
	binary := realEnvoy(t)
	dir := t.TempDir()
	fake := script(t, filepath.Join(dir, "bin"), "exec "+binary.Path+" --no-such-flag\n")
	crash := script(t, filepath.Join(dir, "crash"), "echo '2026-11-23T03:59:23.690 critical main: no more memory' >&2; exit 7\n")
	for _, c := range []struct {
		name, want string
		binary     Binary
	}{
		{"wrong flag", "no-such-flag", Binary{Path: fake}},
		{"its own words", "exit status 7: no more memory", Binary{Path: crash}},
		{"no binary", "no such file", Binary{Path: filepath.Join(dir, "none")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := StartFleet(context.Background(), FleetOptions{Binary: c.binary, Nodes: 2, XDS: "127.0.0.1:1", Dir: t.TempDir()})
			if f != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "envoy-1") {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestFleetRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []FleetOptions{{Nodes: 0, Dir: t.TempDir()}, {Nodes: 1, Dir: filepath.Join(file, "x")}, {Nodes: 1, Dir: t.TempDir(), XDS: "nowhere"}} {
		if _, err := StartFleet(context.Background(), o); err == nil {
			t.Errorf("%+v was started", o)
		}
	}
}

func TestEnvoyGoesWithUs(t *testing.T) {
	binary := realEnvoy(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"=fleet", "ENVOY_TEST_BINARY="+binary.Path, "ENVOY_TEST_DIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("the child says %q", line[:n])
	}
	if gone(pid) {
		t.Fatal("the Envoy was gone before its parent")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the Envoy to go too", func() bool { return gone(pid) })
}

func TestFleetEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f, err := StartFleet(ctx, FleetOptions{Binary: realEnvoy(t), Nodes: 2, XDS: "127.0.0.1:1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	before := f.Processes()
	cancel()
	eventually(t, "both to be stopped", func() bool {
		return f.Processes()[0].State == Stopped && f.Processes()[1].State == Stopped
	})
	if !gone(before[0].PID) || !gone(before[1].PID) || before[0].Admin == before[1].Admin {
		t.Errorf("before: %+v", before)
	}
	if err := f.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// When nobody listens the newest events stay.
func TestEventsNeverBlock(t *testing.T) {
	f := &Fleet{events: make(chan Event, 2)}
	for i := range 5 {
		f.emit(Event{Node: fmt.Sprint(i)})
	}
	if a, b := <-f.events, <-f.events; a.Node != "3" || b.Node != "4" {
		t.Errorf("left are %s and %s", a.Node, b.Node)
	}
}

// has asks the first Envoy's admin interface.
func has(t *testing.T, f *Fleet, path, want string) bool {
	t.Helper()
	client, err := newAdmin(f.Processes()[0].Admin, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	body, err := client.must(context.Background(), path)
	return err == nil && strings.Contains(string(body), want)
}

func TestEnvoySaysThatAPortIsTaken(t *testing.T) {
	cp := startControlPlane(t)
	back := newBackend(t)
	port := taken(t)
	o := FleetOptions{Binary: realEnvoy(t), Nodes: 1, XDS: cp.address, Dir: t.TempDir()}
	cp.push(t, "envoy-1", o.Overlay("envoy-1"), plainCluster, appEndpoints(back.port()), webListener("web", port), mainRoute)
	startFleet(t, o)
	eventually(t, "the refusal", func() bool { return strings.Contains(strings.Join(cp.refusals(), " "), "Address already in use") })
}
