package matchtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// envoyBinary is a real Envoy's path; the test is skipped without one.
func envoyBinary(t *testing.T) string {
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

// lab serves cases with a real Envoy, each on a loopback address of its own, so
// that the port can be the same for all.
type lab struct {
	t        *testing.T
	binary   string
	port     uint32
	backends []uint32
	sources  sync.Mutex
}

const clusters = 4

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, binary: envoyBinary(t), port: freePort(t)}
	if p, err := net.Listen("tcp", net.JoinHostPort(loopback(0), "0")); err != nil {
		t.Skipf("this system has one loopback address alone: %v", err)
	} else {
		p.Close()
	}
	for i := range clusters {
		l.backends = append(l.backends, backend(t, clusterName(i)))
	}
	return l
}

// loopback is the address of the i-th case.
func loopback(i int) string { return fmt.Sprintf("127.24.%d.%d", i/250, 1+i%250) }

// freePort is one that no one listens on, on any address.
func freePort(t *testing.T) uint32 {
	t.Helper()
	for i := range 1000 {
		port := 24000 + (os.Getpid()+i*37)%1000
		if p, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			p.Close()
			return uint32(port)
		}
	}
	t.Fatal("no free port")
	return 0
}

// backend serves as a cluster on a port of its own until the test ends.
func backend(t *testing.T, cluster string) uint32 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveAll(listener, cluster)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return uint32(listener.Addr().(*net.TCPAddr).Port)
}

// serveAll serves connections until the listener closes, then ends them.
func serveAll(listener net.Listener, cluster string) {
	ended := make(chan net.Conn)
	open := 0
	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		open++
		go func() {
			_ = Serve(conn, cluster) // an upstream connection that was cut says nothing
			conn.Close()
			ended <- conn
		}()
	drain:
		for {
			select {
			case <-ended:
				open--
			default:
				break drain
			}
		}
	}
	for ; open > 0; open-- {
		<-ended // Envoy is gone by now, and its connections with it
	}
}

// observe serves the cases with one Envoy and asks all requests; refused says
// which cases Envoy did not take.
func (l *lab) observe(cases []Case) (seen [][]Observed, refused map[int]string, err error) {
	for i := range cases {
		cases[i] = cases[i].At(loopback(i))
	}
	p, err := l.start(cases)
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	seen = make([][]Observed, len(cases))
	const askers = 4
	done := make(chan struct{})
	for worker := range askers {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := worker; i < len(cases); i += askers {
				if p.refused[i] == "" {
					seen[i] = l.ask(cases[i])
				}
			}
		}()
	}
	for range askers {
		<-done
	}
	return seen, p.refused, nil
}
