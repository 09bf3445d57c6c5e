package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// portClaim keeps the ports of a demo for it until its proxies listen there, and
// for as long as it runs: of two that start at once each would find them free. It
// holds among the demos of one user; the kernel gives it back when the process
// ends, however it ends.
type portClaim struct {
	port  int    // of the first node; each further one is envoy.PortStep above
	by    string // who has the wished one; "" where it was free, or that cannot be seen
	locks []*os.File
}

// claimPorts claims the first port from the wished one on that is free for each
// of the nodes; the wished one, unclaimed, when none of the next hundred is.
func claimPorts(wished, nodes int) *portClaim {
	by := ""
	for port := wished; port < wished+envoy.PortStep; port++ {
		c := claimed(port, nodes)
		switch {
		case c == nil && port == wished:
			by = "another demo"
		case c == nil:
		case allFree(port, nodes):
			c.by = by
			return c
		default:
			c.release()
			if port == wished {
				by = envoy.Holder(uint32(port))
			}
		}
	}
	return &portClaim{port: wished}
}

// claimed locks the ports of each node; nil where another demo has one of them.
func claimed(port, nodes int) *portClaim {
	c := &portClaim{port: port}
	for i := range nodes {
		f, taken := lockPort(port + i*envoy.PortStep)
		if taken {
			c.release()
			return nil
		}
		if f != nil {
			c.locks = append(c.locks, f)
		}
	}
	return c
}

// lockPort locks the file that stands for a port. Where there is no place for such
// files it returns nil: then the look at the ports must do.
func lockPort(port int) (f *os.File, taken bool) {
	socket, ok := strings.CutPrefix(xds.DefaultAddress(), "unix:")
	if !ok {
		return nil, false
	}
	dir := filepath.Join(filepath.Dir(socket), "ports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errors.Is(err, syscall.EWOULDBLOCK)
	}
	return f, false
}

// release gives the ports back. A nil claim has none.
func (c *portClaim) release() {
	if c == nil {
		return
	}
	for _, f := range c.locks {
		_ = f.Close()
	}
	c.locks = nil
}

// moved says that the demo has another port than the wished one, and who has
// that; "" where it has it.
func (c *portClaim) moved(wished int) string {
	if c.port == wished {
		return ""
	}
	return fmt.Sprintf("port %d is taken by %s, so the demo listens on %d", wished, cmp.Or(c.by, "another program"), c.port)
}

func allFree(port, nodes int) bool {
	for i := range nodes {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i*envoy.PortStep)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
