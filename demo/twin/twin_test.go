package twin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
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

func TestTheTwinFollows(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(answering(port, "one"))
	if s := tw.State(); s.Started || s.PID != 0 {
		t.Errorf("before anybody asked: %+v", s)
	}
	got, err := tw.Try(within(t), ask)
	if err != nil || got.Answer.Body != "one" {
		t.Fatalf("%+v, %v", got, err)
	}
	first := tw.State()
	here := first.Places[at(port)]
	if !strings.HasPrefix(here, "127.0.0.1:") || here == fmt.Sprint("127.0.0.1:", port) || got.Address != here {
		t.Errorf("asked at %s, listens %v", got.Address, first.Places)
	}
	info, err := os.Stat(filepath.Join(tw.o.Dir, confFile))
	if err != nil || info.Mode().Perm() != 0o600 || int(info.Size()) != first.Load.Bytes {
		t.Errorf("the file: %v, %v; %d bytes are told", info, err, first.Load.Bytes)
	}
	if folder, err := os.Stat(tw.o.Dir); err != nil || folder.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", folder, err)
	}
	tw.Follow(answering(port, "two"))
	until(t, tw, "the second was given", func(s State) bool { return s.Load.Number == 2 && !s.Load.Given.IsZero() })
	for ctx := within(t); answer(t, tw) != "two"; { // the old worker answers until the new one is up
		if ctx.Err() != nil {
			t.Fatal("the second never answers")
		}
	}
	if s := tw.State(); s.PID != first.PID || s.Restarts != 0 || s.Places[at(port)] != here {
		t.Errorf("a reload is no restart: %+v, before %+v", s, first)
	}
}

// What nginx refuses is told in its words, and the last good text goes on.
func TestABadTextIsKeptOut(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(answering(port, "good"))
	if got := answer(t, tw); got != "good" {
		t.Fatalf("answered %q", got)
	}
	good := tw.State()
	bad := answering(port, "bad").With(resource(mesh.Cluster, "name: nowhere\ntype: STRICT_DNS\nload_assignment: {cluster_name: nowhere, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: nowhere.invalid, port_value: 1}}}}]}]}\n"))
	tw.Follow(withMissingCertificate(t, bad))
	s := until(t, tw, "the second was looked at", func(s State) bool { return s.Load.Number == 2 })
	if s.Err == "" || s.Load.Refused != s.Err || !s.Load.Given.IsZero() || !strings.Contains(s.Err, "/nowhere/cert.pem") {
		t.Errorf("it says %q; the load is %+v", s.Err, s.Load)
	}
	if s.PID != good.PID || !s.Running || s.Runs != good.Runs {
		t.Errorf("the good one does not go on: %+v", s)
	}
	if got := answer(t, tw); got != "good" {
		t.Errorf("answered %q", got)
	}
	tw.Follow(answering(port, "better"))
	s = until(t, tw, "the third was given", func(s State) bool { return s.Load.Number == 3 && !s.Load.Given.IsZero() })
	if s.Err != "" || s.PID != good.PID {
		t.Errorf("after it was mended: %+v", s)
	}
}

// withMissingCertificate puts TLS into the mesh's listener, of a file that is not
// there.
func withMissingCertificate(t *testing.T, m *mesh.Mesh) *mesh.Mesh {
	t.Helper()
	r := m.List(mesh.Listener)[0]
	changed, err := text.Set(r.Source.Text, "filter_chains[0].transport_socket", map[string]any{
		"name": "envoy.transport_sockets.tls",
		"typed_config": map[string]any{
			"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
			"common_tls_context": map[string]any{"tls_certificates": []any{map[string]any{
				"certificate_chain": map[string]any{"filename": "/nowhere/cert.pem"}, "private_key": map[string]any{"filename": "/nowhere/key.pem"},
			}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.Replace(r.Key, resource(mesh.Listener, changed))
}

// A mesh that nginx refuses from the beginning starts nothing, and the request
// says why.
func TestATextThatIsBadFromTheBeginning(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(withMissingCertificate(t, answering(port, "x")))
	if _, err := tw.Try(within(t), ask); err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") {
		t.Errorf("%v", err)
	}
	if s := tw.State(); s.Running || s.PID != 0 {
		t.Errorf("%+v", s)
	}
	tw.Follow(answering(port, "mended"))
	if got := answer(t, tw); got != "mended" {
		t.Errorf("answered %q", got)
	}
}

func TestAKilledNginxComesBack(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(answering(port, "here"))
	answer(t, tw)
	before := tw.State()
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := until(t, tw, "its end is told", func(s State) bool { return s.PID != before.PID })
	if s.Running || !strings.Contains(s.Err, "killed") || !strings.Contains(s.Err, "next start at") {
		t.Errorf("it says %+v", s)
	}
	s = until(t, tw, "it is back", func(s State) bool { return s.Running })
	if s.Err != "" || s.Restarts != 1 || s.Places[at(port)] != before.Places[at(port)] {
		t.Errorf("it is back as %+v, was %+v", s, before)
	}
	if got := answer(t, tw); got != "here" {
		t.Errorf("answered %q", got)
	}
}

// A port that another program took while nginx did not run is not waited for.
func TestATakenPortIsGivenUp(t *testing.T) {
	p := newPlaces("/run")
	p.free = func(here string) bool { return here != "127.0.0.1:80" }
	if got := p.of("0.0.0.0:30"); got == "127.0.0.1:80" {
		t.Errorf("a taken port was chosen: %s", got)
	}
	first := p.of("127.0.0.2:1000")
	p.free = func(here string) bool { return here != first }
	p.forget()
	if got := p.of("127.0.0.2:1000"); got == first {
		t.Errorf("%s is taken and was chosen again", got)
	}
}

func TestPlaces(t *testing.T) {
	p := newPlaces("/run/twin")
	p.free = func(here string) bool { return here != "127.0.0.1:8130" }
	for address, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:130", "127.0.0.2:80": "127.0.0.2:130", "[::1]:80": "[::1]:130",
		"0.0.0.0:8080": "127.0.0.1:8180", "192.0.2.1:9090": "127.0.0.1:9140", "/tmp/some:80": "/run/twin/",
	} {
		if got := p.of(address); !strings.HasPrefix(got, want) || got != p.of(address) {
			t.Errorf("%s: %s, then %s, want %s", address, got, p.of(address), want)
		}
	}
	if a, b := p.of("0.0.0.0:443"), p.of("192.0.2.1:443"); a == b {
		t.Errorf("two addresses got the same place %s", a)
	}
	if high := p.of("127.0.0.1:65530"); high == "127.0.0.1:65530" || !strings.HasPrefix(high, "127.0.0.1:") {
		t.Errorf("beyond the last port: %s", high)
	}
	m := answering(10000, "x")
	moved, err := p.move(m)
	if err != nil {
		t.Fatal(err)
	}
	l := moved.List(mesh.Listener)[0].Message.(*listenerv3.Listener)
	if got, was := bound(l.GetAddress()), bound(m.List(mesh.Listener)[0].Message.(*listenerv3.Listener).GetAddress()); got != "127.0.0.1:10050" || was != "0.0.0.0:10000" {
		t.Errorf("moved from %s to %s", was, got)
	}
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

// nginx and its workers go, also when we are killed.
func TestItGoesWithUs(t *testing.T) {
	t.Parallel()
	realNginx(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var master int
	if _, err := fmt.Fscan(out, &master); err != nil {
		t.Fatal(err)
	}
	family, err := exec.Command("pgrep", "-g", fmt.Sprint(master)).Output()
	pids := strings.Fields(string(family))
	if err != nil || len(pids) < 2 {
		t.Fatalf("before: %v, %v, want a master and a worker", pids, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(patience)
	for _, text := range pids {
		var pid int
		if _, err := fmt.Sscan(text, &pid); err != nil {
			t.Fatal(err)
		}
		for !gone(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d of nginx is still there", pid)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

func TestRefusal(t *testing.T) {
	for said, want := range map[string]string{
		"nginx: [emerg] unknown directive \"x\" in /d/n.conf:1\nnginx: configuration file /d/n.conf test failed\n": `unknown directive "x" in /d/n.conf:1`,
		"2026/11/23 10:00:00 [emerg] 12#12: bind() to 127.0.0.1:1 failed (98: Address already in use)\n":           "bind() to 127.0.0.1:1 failed (98: Address already in use)",
		"something\nelse\n": "something; else",
		"":                  "",
	} {
		if got := refusal(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}
