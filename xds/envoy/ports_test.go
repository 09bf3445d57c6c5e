package envoy

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
)

// meshOf is a mesh of resources in YAML.
func meshOf(t *testing.T, texts ...string) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, text := range texts {
		r, err := mesh.NewResource(parse(t, text), mesh.Source{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func listenerOn(name, host string, port uint32) string {
	return fmt.Sprintf("listener\nname: %s\naddress: {socket_address: {address: %q, port_value: %d}}\n", name, host, port)
}

// taken is a port on loopback that the test holds.
func taken(t *testing.T) uint32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return uint32(l.Addr().(*net.TCPAddr).Port)
}

func TestPortsTaken(t *testing.T) {
	port := taken(t)
	m := meshOf(t,
		listenerOn("web", "127.0.0.1", port),
		listenerOn("all", "0.0.0.0", port),
		listenerOn("elsewhere", "203.0.113.9", 10000),
		listenerOn("any", "127.0.0.1", 0),
		"listener\nname: pipe\naddress: {pipe: {path: /tmp/x}}\n",
		"listener\nname: udp\naddress: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: "+fmt.Sprint(port)+"}}\n",
		"listener\nname: more\naddress: {pipe: {path: /tmp/x}}\nadditional_addresses: [{address: {socket_address: {address: 127.0.0.1, port_value: "+fmt.Sprint(port)+"}}}]\n",
		"cluster\nname: web\n")
	got := map[string]mesh.Finding{}
	for _, f := range PortsTaken(m, 1) {
		got[f.Key.Name] = f
		if f.Severity != mesh.Error || f.Hint == "" || f.Key.Type != mesh.Listener {
			t.Errorf("incomplete: %+v", f)
		}
	}
	if len(got) != 4 {
		t.Errorf("got %v", got)
	}
	wantPlace := map[string]string{
		"web": "address.socket_address.port_value", "all": "address.socket_address.port_value",
		"elsewhere": "address.socket_address.port_value", "more": "additional_addresses[0].address.socket_address.port_value",
	}
	for name, path := range wantPlace {
		if got[name].Path != path {
			t.Errorf("%s: at %q", name, got[name].Path)
		}
	}
	want := fmt.Sprintf("port %d is already taken on 127.0.0.1", port)
	if runtime.GOOS == "linux" {
		want += fmt.Sprintf(" by envoy.test (pid %d)", os.Getpid())
	}
	if got["web"].Message != want {
		t.Errorf("got %q, want %q", got["web"].Message, want)
	}
	if !strings.Contains(got["elsewhere"].Message, "no address of this machine") {
		t.Errorf("got %q", got["elsewhere"].Message)
	}
}

func TestPortsTakenOfFurtherNodes(t *testing.T) {
	m := meshOf(t, listenerOn("web", "127.0.0.1", 65450))
	findings := PortsTaken(m, 3)
	if len(findings) != 2 || !strings.Contains(findings[0].Message, "beyond 65535") {
		t.Errorf("got %v", findings)
	}
	port := taken(t)
	if port <= 1024+PortStep {
		t.Skip("the system gave a very low port")
	}
	findings = PortsTaken(meshOf(t, listenerOn("web", "127.0.0.1", port-PortStep)), 2)
	if len(findings) != 1 || !strings.Contains(findings[0].Message, fmt.Sprintf("port %d is", port)) {
		t.Errorf("the second node's port: %v", findings)
	}
}
