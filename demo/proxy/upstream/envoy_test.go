package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/xds/xdstest"
)

// The ports of the Envoy that the tests start.
const (
	envoyPort = 23300
	adminPort = 23301
)

// reference is a running Envoy whose virtual hosts are the scenarios.
type reference struct {
	log    string
	client *http.Client
}

// startEnvoy runs an Envoy with one virtual host and one cluster a scenario.
func startEnvoy(t *testing.T, all []scenario, worlds map[string]world) *reference {
	t.Helper()
	var clusters []string
	for _, s := range all {
		clusters = append(clusters, s.clusterYAML(worlds[s.name]))
	}
	return startEnvoyOf(t, all, clusters)
}

// startEnvoyOf runs an Envoy with these clusters, and a virtual host for each of
// the scenarios.
func startEnvoyOf(t *testing.T, all []scenario, clusters []string) *reference {
	t.Helper()
	binary := xdstest.NeedEnvoy(t)
	dir := t.TempDir()
	r := &reference{log: filepath.Join(dir, "access.log"), client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	config := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(config, []byte(bootstrap(r.log, all, clusters)), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(binary, "-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "warn", "--file-flush-interval-msec", "50")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed below
	}()
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		_ = cmd.Process.Kill() // it may have died already
		<-ended
	})
	until(t, "Envoy is live", func() bool {
		select {
		case <-ended:
			t.Fatalf("Envoy died: %s", output.String())
		default:
		}
		resp, err := r.client.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", adminPort))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return r
}

// until waits for a condition, for a time that only a fault exceeds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited 30 s in vain until %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func bootstrap(log string, all []scenario, clusters []string) string {
	var hosts, list strings.Builder
	hosts.WriteString("        - {name: nobody, domains: [nobody.test]}\n")
	for _, s := range all {
		route := "{match: {prefix: /}, route: {cluster: " + s.name + "\n" + indent("            ", commas(s.route)) + "}}"
		fmt.Fprintf(&hosts, "        - {name: %s, domains: [%s.test], routes: [%s]}\n", s.name, s.name, route)
	}
	for _, c := range clusters {
		list.WriteString("  - " + strings.TrimLeft(indent("    ", c), " "))
	}
	return fmt.Sprintf(`
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    enable_reuse_port: false
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          upgrade_configs: [{upgrade_type: websocket}]
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: %s
              log_format:
                json_format: {host: "%%REQ(:AUTHORITY)%%", id: "%%REQ(X-ID)%%", flags: "%%RESPONSE_FLAGS%%", details: "%%RESPONSE_CODE_DETAILS%%", attempts: "%%UPSTREAM_REQUEST_ATTEMPT_COUNT%%", upstream: "%%UPSTREAM_HOST%%"}
          route_config:
            virtual_hosts:
%s
  clusters:
%s`, adminPort, envoyPort, log, indent("    ", hosts.String()), list.String())
}

func indent(by, text string) string {
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(by + line + "\n")
	}
	return b.String()
}

// commas makes the lines of a block those of a flow mapping.
func commas(block string) string {
	if block == "" {
		return ""
	}
	return ", " + strings.Join(strings.Split(strings.TrimSpace(block), "\n"), ",\n")
}

// seen is what came of one request, in either proxy.
type seen struct {
	Status   int
	Body     string
	Cut      bool
	Overload string
	Flags    string
	Details  string
	Attempts string
	Upstream string // the endpoint's number, "" for none
}

// ask sends one request to the Envoy and finds what its access log says.
func (r *reference) ask(t *testing.T, s scenario, w world, id string) seen {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if s.leaves > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.leaves)
		defer cancel()
	}
	req := s.request(ctx, fmt.Sprintf("http://127.0.0.1:%d/", envoyPort))
	req.Header.Set("X-Id", id)
	if req.Body != nil {
		defer req.Body.Close()
	}
	var out seen
	if resp, err := r.client.Do(req); err == nil {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		out = seen{Status: resp.StatusCode, Body: string(b), Cut: err != nil, Overload: resp.Header.Get("x-envoy-overloaded")}
	}
	type line struct {
		ID, Flags, Details, Upstream string
		Attempts                     json.Number
	}
	var entry line
	until(t, "the access log tells of "+s.name, func() bool {
		text, err := os.ReadFile(r.log)
		if err != nil {
			return false
		}
		for written := range strings.Lines(string(text)) {
			entry = line{} // null would leave what was there
			if json.Unmarshal([]byte(written), &entry) == nil && entry.ID == id {
				return true
			}
		}
		return false
	})
	out.Flags, out.Details, out.Attempts = entry.Flags, entry.Details, entry.Attempts.String()
	if out.Flags == "-" {
		out.Flags = ""
	}
	out.Upstream = w.number(entry.Upstream)
	return out
}

// stats are the counters of one cluster.
func (r *reference) stats(t *testing.T, cluster string) map[string]uint64 {
	t.Helper()
	resp, err := r.client.Get(fmt.Sprintf("http://127.0.0.1:%d/stats?filter=%s", adminPort, `^cluster%5C.`+cluster+`%5C.`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		var n uint64
		if _, err := fmt.Sscan(value, &n); err == nil {
			out[strings.TrimPrefix(name, "cluster."+cluster+".")] = n
		}
	}
	return out
}

// world is the endpoints of one scenario.
type world []string

func (w world) number(address string) string {
	for i, a := range w {
		if a == address {
			return fmt.Sprint(i)
		}
	}
	return ""
}

// behave answers one connection; n is how many there were before it at this
// endpoint.
type behave func(c net.Conn, n int)

// listen serves a behaviour on a port of this machine; nil is a port that
// refuses.
func listen(t *testing.T, b behave) string {
	t.Helper()
	if b == nil {
		_, address := bound(t)
		return address
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b(c, n)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}
