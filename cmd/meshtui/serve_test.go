package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// folder writes a workspace of one listener that leads to backend.
func folder(t *testing.T, port int, backend string) string {
	t.Helper()
	host, bport, err := net.SplitHostPort(backend)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"lds.yaml": fmt.Sprintf(`resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: front
  address: {socket_address: {address: 127.0.0.1, port_value: %d}}
  enable_reuse_port: false
  filter_chains:
  - filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: front
        rds: {route_config_name: routes, config_source: {ads: {}, resource_api_version: V3}}
        http_filters:
        - name: envoy.filters.http.router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`, port),
		"rds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: routes
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {prefix: /}
      route: {cluster: back}
`,
		"cds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: back
  type: EDS
  eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
`,
		"eds.yaml": fmt.Sprintf(`resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: back
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: %s, port_value: %s}}}
`, host, bport),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rewrite changes a file as an editor does: a new file in its place.
func rewrite(t *testing.T, path string, change func(string) string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(change(string(b))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func named(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// An Envoy that was started by hand with what `meshtui bootstrap` prints is
// served, appears as a node, and takes what is saved to a file.
func TestServeAnEnvoyStartedByHand(t *testing.T) {
	for _, delta := range []bool{false, true} {
		t.Run(map[bool]string{false: "SotW", true: "delta"}[delta], func(t *testing.T) { serveByHand(t, delta) })
	}
}

func serveByHand(t *testing.T, delta bool) {
	envoyPath := needEnvoy(t)
	env := home(t)
	port := freeBase(t, 1)
	one, two := named(t, "one"), named(t, "two")
	dir := folder(t, port, one)
	p := serve(t, env, "--watch", dir)
	address := p.seen[0].Detail
	if !strings.HasPrefix(address, "unix:") {
		t.Errorf("it listens on %q", address)
	}

	args := []string{"bootstrap", "--xds", address, "--node", "by-hand", "--admin", fmt.Sprintf("127.0.0.1:%d", freeBase(t, 1))}
	if delta {
		args = append(args, "--delta")
	}
	yaml, errOut, status := meshtui(t, env, args...)
	if status != 0 {
		t.Fatalf("bootstrap: %s", errOut)
	}
	config := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	hand := exec.Command(envoyPath, "-c", config, "--disable-hot-restart", "--concurrency", "1", "--drain-time-s", "1", "-l", "error")
	hand.Stderr = os.Stderr
	if err := hand.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hand.Process.Kill(); _ = hand.Wait() })

	if e := p.until("connected", "", nil); e.Node != "by-hand" {
		t.Errorf("connected: %+v", e)
	}
	wanted := map[string]bool{"cluster": true, "endpoints": true, "listener": true, "route": true}
	for len(wanted) > 0 {
		e := p.until("active", "", nil)
		delete(wanted, e.Type)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	if got := body(t, url); got != "one" {
		t.Fatalf("it is answered by %q", got)
	}

	// A saved file is pushed.
	_, onePort, _ := net.SplitHostPort(one)
	_, twoPort, _ := net.SplitHostPort(two)
	eds := filepath.Join(dir, "eds.yaml")
	rewrite(t, eds, func(s string) string { return strings.Replace(s, onePort, twoPort, 1) })
	sent := p.until("sent", "endpoints", nil)
	if !slices.Equal(sent.Resources, []string{"back"}) || sent.Version == "" || sent.Nonce == "" {
		t.Errorf("sent: %+v", sent)
	}
	p.until("acked", "endpoints", func(e event) bool { return e.Version == sent.Version || e.Nonce == sent.Nonce })
	p.until("active", "endpoints", nil)
	if got := body(t, url); got != "two" {
		t.Errorf("after the save it is answered by %q", got)
	}

	// A bad one is reported, and the last good one is served on.
	rewrite(t, eds, func(s string) string { return strings.Replace(s, "lb_endpoints", "lb_endpionts", 1) })
	p.until("finding", "", func(e event) bool {
		return strings.Contains(e.Detail, "eds.yaml:") && strings.Contains(e.Detail, "lb_endpionts")
	})
	if got := body(t, url); got != "two" {
		t.Errorf("after a bad save it is answered by %q", got)
	}
	rewrite(t, eds, func(s string) string {
		return strings.Replace(strings.Replace(s, "lb_endpionts", "lb_endpoints", 1), twoPort, onePort, 1)
	})
	p.until("acked", "endpoints", nil)

	// What Envoy refuses is told in its words.
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	rewrite(t, filepath.Join(dir, "lds.yaml"), func(s string) string {
		return strings.Replace(s, fmt.Sprint(port), fmt.Sprint(busy.Addr().(*net.TCPAddr).Port), 1)
	})
	sent = p.until("sent", "listener", nil)
	if e := p.until("rejected", "listener", nil); !strings.Contains(e.Detail, "Address already in use") || e.Node != "by-hand" || e.Version != sent.Version {
		t.Errorf("rejected: %+v", e)
	}

	if err := hand.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until("disconnected", "", nil)
	if status := p.interrupt(syscall.SIGTERM); status != 143 {
		t.Errorf("status %d on SIGTERM", status)
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A second meshtui on the same address says who has it; one on the same
// workspace serves it without the right to push.
func TestServeTwice(t *testing.T) {
	env := home(t)
	dir := folder(t, freeBase(t, 1), "127.0.0.1:1")
	p := serve(t, env, dir)
	_, errOut, status := meshtui(t, env, "serve", dir)
	if status != 1 || !strings.Contains(errOut, "--xds") {
		t.Errorf("status %d: %s", status, errOut)
	}
	if !strings.Contains(errOut, fmt.Sprint(p.cmd.Process.Pid)) {
		t.Errorf("does not name process %d: %s", p.cmd.Process.Pid, errOut)
	}
	second := serve(t, env, "--xds", fmt.Sprintf("127.0.0.1:%d", freeBase(t, 1)), dir)
	second.until("finding", "", func(e event) bool {
		return strings.Contains(e.Detail, "read-only") && strings.Contains(e.Detail, fmt.Sprint(p.cmd.Process.Pid))
	})
	second.interrupt(syscall.SIGTERM)
	if status := p.interrupt(syscall.SIGINT); status != 130 {
		t.Errorf("status %d on SIGINT", status)
	}
	// A socket that a killed process left behind is no obstacle.
	p = serve(t, env, dir)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	p = serve(t, env, dir)
	p.interrupt(syscall.SIGTERM)
}

// The Envoys that serve started go with it, also when it is killed.
func TestEnvoysGoWithUs(t *testing.T) {
	envoyPath := needEnvoy(t)
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			env := home(t)
			port := freeBase(t, 1)
			dir := folder(t, port, named(t, "one"))
			p := serve(t, env, "--nodes", "1", "--envoy", envoyPath, dir)
			p.until("active", "listener", nil)
			if got := body(t, fmt.Sprintf("http://127.0.0.1:%d/", port)); got != "one" {
				t.Fatalf("answered by %q", got)
			}
			p.interrupt(how)
			deadline := time.Now().Add(patience)
			for {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if err == nil {
					l.Close()
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("the Envoy still listens: %v", err)
				}
			}
		})
	}
}

// A signal ends serve also while an Envoy hangs at its start.
func TestASignalWhileAnEnvoyStarts(t *testing.T) {
	env := home(t)
	dir := t.TempDir()
	hangs := filepath.Join(dir, "envoy")
	script := "#!/bin/sh\ncase \"$1\" in --version) echo; echo 'envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL';; *) touch " + dir + "/started; exec sleep 60;; esac\n"
	if err := os.WriteFile(hangs, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--nodes", "1", "--envoy", hangs, folder(t, freeBase(t, 1), "127.0.0.1:1"))
	cmd.Env, cmd.Stderr = env, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, "the Envoy to hang", func() bool { _, err := os.Stat(filepath.Join(dir, "started")); return err == nil })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience / 2): // the start itself would be given up only after 30 s
		t.Fatal("it goes on")
	}
	if status := cmd.ProcessState.ExitCode(); status != 143 {
		t.Errorf("status %d", status)
	}
}

// waitFor looks again and again until ok holds: for what no channel tells.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
