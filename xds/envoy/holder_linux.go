package envoy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// holder is Holder: the sockets that listen on the port, and the first process
// that has one of them open.
func holder(port uint32) string {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		body, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		listening(string(body), port, sockets)
	}
	if len(sockets) == 0 {
		return ""
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, path := range descriptors {
		if target, err := os.Readlink(path); err == nil && sockets[target] {
			process := filepath.Dir(filepath.Dir(path))
			name, _ := os.ReadFile(filepath.Join(process, "comm"))
			return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), filepath.Base(process))
		}
	}
	return ""
}

// listening adds the sockets of a /proc/net/tcp table that listen on the port,
// written as links in /proc/PID/fd have them.
func listening(table string, port uint32, into map[string]bool) {
	const stateListen = "0A"
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == stateListen && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			into["socket:["+f[9]+"]"] = true
		}
	}
}
