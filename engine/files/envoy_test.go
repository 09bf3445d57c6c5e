package files

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// envoy is a real Envoy's path; the test is skipped without one.
func envoy(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("MESHTUI_ENVOY"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		if p := filepath.Join(dir, ".tools", "envoy"); exec.Command(p, "--version").Run() == nil {
			return p
		}
		break
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return p
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatal("no Envoy, and MESHTUI_REQUIRE asks for one")
	}
	t.Skip("no Envoy: make envoy puts one into .tools")
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A real Envoy reads a saved folder without us: it opens its ports, and a
// request goes through listener, route, cluster and endpoint.
func TestEnvoyReadsASavedFolder(t *testing.T) {
	binary := envoy(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello "+r.URL.Path) }))
	defer backend.Close()
	port, admin := freePort(t), freePort(t)
	source, err := os.ReadFile("testdata/bootstraps/front-proxy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := backend.Listener.Addr().(*net.TCPAddr).Port
	body := strings.NewReplacer("port_value: 10000", fmt.Sprint("port_value: ", port), "port_value: 20001", fmt.Sprint("port_value: ", at),
		"port_value: 20002", fmt.Sprint("port_value: ", at), "port_value: 20003", fmt.Sprint("port_value: ", at)).Replace(string(source))
	from := write(t, t.TempDir(), map[string]string{"envoy.yaml": body})
	o := open(t, filepath.Join(from, "envoy.yaml"))
	dir := filepath.Join(t.TempDir(), "saved")
	o = save(t, dir, o, o.Meshes)
	start(t, binary, dir, admin)
	eventually(t, "a 200 through both services", func() error {
		for _, path := range []string{"/service/1/x", "/service/2/y"} {
			if got, err := get(port, path); err != nil || got != "hello "+path {
				return fmt.Errorf("%s: %q %w", path, got, err)
			}
		}
		return nil
	})
	// A route is changed and saved: that Envoy takes it by itself.
	k := mesh.Key{Type: mesh.Route, Name: "local_route"}
	save(t, dir, o, edit(t, o, k, func(s string) (string, error) {
		return text.Set(s, "virtual_hosts[0].routes[0].match.prefix", "/moved")
	}))
	eventually(t, "the changed route", func() error {
		if got, err := get(port, "/moved/x"); err != nil || got != "hello /moved/x" {
			return fmt.Errorf("%q %w", got, err)
		}
		return nil
	})
}

// Every bootstrap of the test data, saved, is taken by a real Envoy: no update
// is rejected, and nothing stays warming.
func TestEnvoyTakesEverySavedBootstrap(t *testing.T) {
	binary := envoy(t)
	for _, path := range bootstraps(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			o := open(t, onFreePorts(t, path))
			dir, admin := filepath.Join(t.TempDir(), "saved"), freePort(t)
			save(t, dir, o, o.Meshes)
			start(t, binary, dir, admin)
			listeners := len(o.Meshes[mesh.DefaultGroup].List(mesh.Listener))
			eventually(t, "all listeners active and nothing rejected", func() error { return settled(admin, listeners) })
		})
	}
}

// onFreePorts is a copy of a bootstrap whose listeners have ports that are free.
func onFreePorts(t *testing.T, path string) string {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range open(t, path).Meshes[mesh.DefaultGroup].List(mesh.Listener) {
		line, ok := text.Scalar(l.Source.Text, "address.socket_address.port_value")
		if !ok {
			t.Fatal("no port")
		}
		source = bytes.Replace(source, []byte(line), []byte(fmt.Sprint(freePort(t))), 1)
	}
	return filepath.Join(write(t, t.TempDir(), map[string]string{filepath.Base(path): string(source)}), filepath.Base(path))
}

// settled reports why Envoy is not yet, or never will be, as it should be.
func settled(admin, listeners int) error {
	stats, err := get(admin, "/stats?format=json&filter=update_rejected|total_listeners_active|warming_clusters|total_listeners_warming|update_failure")
	if err != nil {
		return err
	}
	var doc struct {
		Stats []struct {
			Name  string
			Value any
		}
	}
	if err := json.Unmarshal([]byte(stats), &doc); err != nil {
		return err
	}
	for _, s := range doc.Stats {
		n, _ := s.Value.(float64)
		switch {
		case s.Name == "listener_manager.total_listeners_active" && int(n) != listeners:
			return fmt.Errorf("%v listeners of %d are active", n, listeners)
		case s.Name != "listener_manager.total_listeners_active" && n > 0:
			return fmt.Errorf("%s is %v", s.Name, n)
		}
	}
	if len(doc.Stats) == 0 {
		return fmt.Errorf("no statistics yet")
	}
	return nil
}

func start(t *testing.T, binary, dir string, admin int) {
	t.Helper()
	config := fmt.Sprintf(`node: {id: test, cluster: test}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
dynamic_resources:
  lds_config: {path_config_source: {path: %[2]s/lds.yaml}}
  cds_config: {path_config_source: {path: %[2]s/cds.yaml}}
`, admin, dir)
	run(t, binary, "--config-yaml", config)
}

// run starts an Envoy, which ends with the test.
func run(t *testing.T, binary string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append(args, "--concurrency", "1", "--disable-hot-restart", "-l", "warning")...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Envoy said:\n%s", log.String())
		}
	})
}

func get(port int, path string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", r.Status)
	}
	return string(b), err
}

// eventually waits for a condition, with a generous deadline.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came: %s: %v", what, err)
		}
	}
}
