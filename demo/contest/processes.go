package contest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// processes are those that serve on one side, by their numbers.
type processes map[int]*Process

// begin drops those that are gone: a change has begun.
func (p processes) begin() {
	maps.DeleteFunc(p, func(_ int, q *Process) bool { return q.Gone })
}

// see notes which processes there are at a moment, and which of them leave.
func (p processes) see(at time.Time, there map[int]bool) {
	for pid, leaving := range there {
		q := p[pid]
		if q == nil || q.Gone {
			q = &Process{PID: pid, Since: at}
			p[pid] = q
		}
		if leaving && !q.Leaving {
			q.Leaving, q.Since = true, at
		}
	}
	for pid, q := range p {
		if _, ok := there[pid]; !ok && !q.Gone {
			q.Gone, q.Leaving, q.Since = true, false, at
		}
	}
}

// list are all of them, the oldest number first.
func (p processes) list() []Process {
	var out []Process
	for _, pid := range slices.Sorted(maps.Keys(p)) {
		out = append(out, *p[pid])
	}
	return out
}

// lookAtProcesses looks at who serves on this side.
func (w *world) lookAtProcesses() {
	at := w.c.o.Now()
	there := map[int]bool{}
	var since time.Time
	if w.nginx {
		there = children(w.c.o.Twin.State().PID)
	} else if p := w.c.o.Process(); p.PID != 0 {
		there[p.PID], since = false, p.Since
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.processes.see(at, there)
	if !since.IsZero() {
		for pid := range there {
			w.processes[pid].Since = since
		}
	}
}

// workers are the workers of nginx that take requests; nil for Envoy.
func (w *world) workers() []int {
	if !w.nginx {
		return nil
	}
	var out []int
	for pid, leaving := range children(w.c.o.Twin.State().PID) {
		if !leaving {
			out = append(out, pid)
		}
	}
	return out
}

// children are the workers of an nginx master, and whether each shuts down; none
// where the system does not show them.
func children(master int) map[int]bool {
	out := map[int]bool{}
	if master == 0 {
		return out
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	if err != nil {
		return out
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			continue
		}
		// A process that is gone but not yet reaped has no title.
		title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(title), "worker process") {
			out[pid] = strings.Contains(string(title), "shutting down")
		}
	}
	return out
}

// servedByNew reports whether a connection is held by one of the workers that is
// not among the old ones.
func servedByNew(l *link, now, old []int) bool {
	socket := socketOf(l.RemoteAddr().String(), l.LocalAddr().String())
	if socket == "" {
		return false
	}
	for _, pid := range now {
		if slices.Contains(old, pid) {
			continue
		}
		descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, d := range descriptors {
			if to, err := os.Readlink(d); err == nil && to == socket {
				return true
			}
		}
	}
	return false
}

// socketOf names the IPv4 socket that has these two ends, as links to descriptors
// do: "socket:[123]"; "" when it cannot be seen.
func socketOf(local, remote string) string {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	near, far := ":"+hexPort(local), ":"+hexPort(remote)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], near) && strings.HasSuffix(f[2], far) {
			return "socket:[" + f[9] + "]"
		}
	}
	return ""
}

// hexPort is the port of "host:port" as /proc/net/tcp writes it.
func hexPort(address string) string {
	n, err := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	if err != nil {
		return "none"
	}
	return fmt.Sprintf("%04X", n)
}
