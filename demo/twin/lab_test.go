package twin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// childRole is the environment variable that makes this test binary run a twin
// and wait to be killed.
const childRole = "TWIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childRole); dir != "" {
		os.Exit(runAndWait(dir))
	}
	goleak.VerifyTestMain(m)
}

func runAndWait(dir string) int {
	program, err := Find()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	t := New(context.Background(), Options{Program: program, Dir: filepath.Join(dir, "nginx")})
	t.Follow(answering(10000, "one"))
	if _, err := t.Try(context.Background(), ask); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(t.State().PID)
	select {}
}

// patience bounds how long a test waits for what must happen.
const patience = 30 * time.Second

// ask is a request that answering's mesh answers.
var ask = match.Request{Host: "www.example.com", Path: "/"}

// realNginx is an nginx to test with, or skips the test.
func realNginx(t *testing.T) Program {
	t.Helper()
	p, err := Find()
	if err == nil {
		return p
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "nginx") {
		t.Fatalf("MESHTUI_REQUIRE asks for an nginx: %v", err)
	}
	t.Skipf("needs a real nginx: %v", err)
	return Program{}
}

// newTwin is one that follows nothing yet and ends with the test.
func newTwin(t *testing.T) *Twin {
	t.Helper()
	tw := New(context.Background(), Options{Program: realNginx(t), Dir: filepath.Join(t.TempDir(), "nginx")})
	t.Cleanup(func() {
		if err := tw.Close(); err != nil {
			t.Error(err)
		}
	})
	return tw
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a state.
func until(t *testing.T, tw *Twin, what string, ok func(State) bool) State {
	t.Helper()
	if err := tw.await(within(t), ok); err != nil {
		t.Fatalf("waited in vain until %s: %v; the state is %+v", what, err, tw.State())
	}
	return tw.State()
}

// resource is one of the YAML text, which must be right.
func resource(kind mesh.Type, content string) *mesh.Resource {
	r, findings := text.Decode(kind, mesh.Source{Text: content})
	if r == nil {
		panic(fmt.Sprint(findings))
	}
	return r
}

// answering is a mesh of one listener, on that port of all addresses, that answers
// body.
func answering(port int, body string) *mesh.Mesh {
	m, err := mesh.New(resource(mesh.Listener, listener("0.0.0.0", port, body)))
	if err != nil {
		panic(err)
	}
	return m
}

// at is the address of answering's listener.
func at(port int) string { return fmt.Sprint("0.0.0.0:", port) }

// freePort is one that the tests that run beside this one do not take.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 1<<16-shift && free(fmt.Sprint("127.0.0.1:", port+shift)) {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

func listener(address string, port int, body string) string {
	return fmt.Sprintf(`
name: web-%[2]d
address: {socket_address: {address: %[1]s, port_value: %[2]d}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      route_config:
        name: local
        virtual_hosts:
        - name: all
          domains: ["*"]
          routes:
          - match: {prefix: /}
            direct_response: {status: 200, body: {inline_string: %[3]q}}
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`, address, port, body)
}

func answer(t *testing.T, tw *Twin) string {
	t.Helper()
	got, err := tw.Try(within(t), ask)
	if err != nil {
		t.Fatal(err)
	}
	if got.Answer.Status != 200 {
		t.Fatalf("answered %d", got.Answer.Status)
	}
	return got.Answer.Body
}

// gone reports whether a process has ended; one that nobody has reaped yet has.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}
