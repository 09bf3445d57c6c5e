package twin

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/xdstest"
)

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
	tw.Follow(withCertificate(t, bad, "/nowhere/cert.pem", "/nowhere/key.pem"))
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

// withCertificate puts TLS into the mesh's listener, with a certificate in files.
func withCertificate(t *testing.T, m *mesh.Mesh, chain, key string) *mesh.Mesh {
	t.Helper()
	r := m.List(mesh.Listener)[0]
	changed, err := text.Set(r.Source.Text, "filter_chains[0].transport_socket", map[string]any{
		"name": "envoy.transport_sockets.tls",
		"typed_config": map[string]any{
			"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
			"common_tls_context": map[string]any{"tls_certificates": []any{map[string]any{
				"certificate_chain": map[string]any{"filename": chain}, "private_key": map[string]any{"filename": key},
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
	tw.Follow(withCertificate(t, answering(port, "x"), "/nowhere/cert.pem", "/nowhere/key.pem"))
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

// A text that nginx -t takes and nginx cannot follow is refused too, and the
// ports are again those that nginx has.
func TestAPortThatIsTakenAtAReload(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	thief, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	other := freePort(t)
	tw.places.given[at(other)] = thief.Addr().String()
	stolen := tw.places.free
	tw.places.free = func(string) bool { return true }
	tw.Follow(answering(port, "one"))
	if got := answer(t, tw); got != "one" {
		t.Fatalf("answered %q", got)
	}
	before := tw.State()
	both := answering(port, "two").With(resource(mesh.Listener, listener("0.0.0.0", other, "other")))
	tw.Follow(both)
	s := until(t, tw, "it is refused", func(s State) bool { return s.Err != "" })
	if !strings.Contains(s.Err, "bind() to "+thief.Addr().String()) || s.Load.Refused != s.Err || s.Load.Given.IsZero() {
		t.Errorf("it says %q; the load is %+v", s.Err, s.Load)
	}
	if s.Runs != before.Runs || len(s.Places) != 1 || !s.Running || s.PID != before.PID {
		t.Errorf("the one before does not go on: %+v", s)
	}
	if got := answer(t, tw); got != "one" {
		t.Errorf("answered %q", got)
	}
	tw.places.free = stolen // the task that runs nginx waits for the next mesh
	tw.Follow(both)
	s = until(t, tw, "it has another port", func(s State) bool { return s.Err == "" && len(s.Places) == 2 })
	if here := s.Places[at(other)]; here == thief.Addr().String() {
		t.Errorf("it is still %s", here)
	}
}

// A listener with a certificate in files speaks TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	chain, key := xdstest.Certificate(t, 1)
	files := [2]string{filepath.Join(t.TempDir(), "chain.pem"), filepath.Join(t.TempDir(), "key.pem")}
	for i, content := range [][]byte{chain, key} {
		if err := os.WriteFile(files[i], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tw.Follow(withCertificate(t, answering(port, "secret"), files[0], files[1]))
	r := ask
	r.TLS, r.SNI = true, "lab.test"
	got, err := tw.Try(within(t), r)
	if err != nil || got.Answer.Body != "secret" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A TCP proxy runs where nginx has the stream module.
func TestTCP(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	if tw.o.Program.stream == "" {
		t.Skip("needs nginx's stream module")
	}
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	go func() {
		for {
			conn, err := backend.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntcp")
			conn.Close()
		}
	}()
	m, err := mesh.New(resource(mesh.Listener, fmt.Sprintf(`
name: raw
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
filter_chains:
- filters:
  - name: envoy.filters.network.tcp_proxy
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
      stat_prefix: raw
      cluster: raw
`, port)), resource(mesh.Cluster, fmt.Sprintf(`
name: raw
type: STATIC
load_assignment: {cluster_name: raw, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]}
`, backend.Addr().(*net.TCPAddr).Port)))
	if err != nil {
		t.Fatal(err)
	}
	tw.Follow(m)
	r := ask
	r.Port = uint32(port)
	got, err := tw.Try(within(t), r)
	if err != nil || got.Answer.Body != "tcp" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNothingPushedYet(t *testing.T) {
	tw := newTwin(t)
	if _, err := tw.Try(within(t), ask); err == nil || !strings.Contains(err.Error(), "nothing was pushed yet") {
		t.Errorf("%v", err)
	}
	port := freePort(t)
	tw.Follow(answering(port, "x"))
	r := ask
	r.Port = uint32(port) + 1
	if got, err := tw.Try(within(t), r); err == nil || got.Address != "" || !strings.Contains(err.Error(), "nothing can be sent") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	program := func(name, says string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+says+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for named, want := range map[string]string{
		filepath.Join(folder, "none"):                   "none does not run",
		program("other", "echo something else"):         `is no nginx: -V says "something else"`,
		program("broken", "exit 3"):                     "does not run: exit status 3",
		program("old", "echo nginx version: nginx/0.9"): "",
	} {
		t.Setenv(Variable, named)
		p, err := Find()
		if want == "" {
			if err != nil || p.String() != "nginx 0.9 ("+named+")" || p.stream != "" {
				t.Errorf("%s: %+v, %v", named, p, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), Variable) {
			t.Errorf("%s: %v, want %q", named, err, want)
		}
	}
	t.Setenv(Variable, "")
	t.Setenv("PATH", folder)
	if _, err := os.Stat(usual); err != nil {
		if _, err := Find(); err == nil || !strings.Contains(err.Error(), "no nginx on PATH") {
			t.Errorf("%v", err)
		}
	}
}
