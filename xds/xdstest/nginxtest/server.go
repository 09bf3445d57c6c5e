package nginxtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a real nginx that runs until its test ends.
type Server struct {
	Address string // where its first TCP listener is reached: "127.0.0.1:8080"
	Dir     string // its prefix: relative paths are below it

	t     testing.TB
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when the process has ended
}

// Start runs nginx with the text in a folder of the test, in the foreground and
// as one process unless the text says otherwise, and waits until it listens.
// What an ordinary user needs is put in where the text lacks it: a pid file and
// temporary folders of its own, no access log. The lines stay where they are. Warnings of nginx are no fault here.
func Start(t testing.TB, text string) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), ended: make(chan struct{})}
	s.log = filepath.Join(s.Dir, "stderr")
	file := write(t, s.Dir, unprivileged(text))
	accepted(t, s.Dir, file, false)
	if t.Failed() {
		t.FailNow()
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(Need(t), "-e", "stderr", "-p", s.Dir+"/", "-c", file, "-g", "daemon off;")
	s.cmd.Stderr, s.cmd.SysProcAttr = log, dieWithUs()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		_ = log.Close()
		close(s.ended)
	}()
	t.Cleanup(s.stop)
	if s.Address = listens(text); s.Address != "" {
		s.until("nginx does not listen on "+s.Address, func() bool {
			c, err := net.Dial("tcp", s.Address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
	return s
}

// Log is what nginx has written to its error log.
func (s *Server) Log() string {
	data, _ := os.ReadFile(s.log)
	return string(data)
}

// Reload puts another text in force by SIGHUP, and returns when connections from
// now on get it. Both texts say "master_process on": nginx as one process does
// not reload properly. The addresses should stay.
func (s *Server) Reload(text string) {
	s.t.Helper()
	if !masterOn.MatchString(text) {
		s.t.Fatal("a text that is to be reloaded says master_process on")
	}
	file := write(s.t, s.Dir, unprivileged(text))
	accepted(s.t, s.Dir, file, false)
	if s.t.Failed() {
		s.t.FailNow()
	}
	const told = "gracefully shutting down" // the old workers, when the new ones are there
	before := strings.Count(s.Log(), told)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.until("nginx does not reload", func() bool { return strings.Count(s.Log(), told) > before })
}

// until polls: nginx tells nobody what it is about to do.
func (s *Server) until(otherwise string, done func() bool) {
	s.t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.NewTimer(Patience)
	defer tick.Stop()
	defer deadline.Stop()
	for !done() {
		select {
		case <-s.ended:
			s.t.Fatalf("nginx has ended:\n%s", s.Log())
		case <-deadline.C:
			s.t.Fatalf("%s:\n%s", otherwise, s.Log())
		case <-tick.C:
		}
	}
}

// stop ends nginx and its workers.
func (s *Server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(Patience):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.ended
	}
	if s.t.Failed() {
		s.t.Logf("the end of nginx's log:\n%s", tail(s.Log()))
	}
}

var listenOf = regexp.MustCompile(`(?m)^[^#\n]*\blisten\s+([^;\s]+)`)

// listens is the first TCP address that the text listens on, as one dials it.
func listens(text string) string {
	for _, m := range listenOf.FindAllStringSubmatch(text, -1) {
		host, port, err := net.SplitHostPort(m[1])
		switch {
		case strings.HasPrefix(m[1], "unix:"):
			continue
		case err != nil && strings.Trim(m[1], "0123456789") == "":
			host, port = "", m[1]
		case err != nil:
			host, port = m[1], "80"
		}
		if host == "" || host == "*" || host == "0.0.0.0" {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, port)
	}
	return ""
}

// tail is the last lines of a log, cut off where they are long.
func tail(log string) string {
	lines := strings.Split(log, "\n")
	lines = lines[max(0, len(lines)-20):]
	for i, l := range lines {
		lines[i] = l[:min(len(l), 300)]
	}
	return strings.Join(lines, "\n")
}

var (
	masterOn  = regexp.MustCompile(`(?m)^[^#\n]*\bmaster_process\s+on\s*;`)
	errorLog  = regexp.MustCompile(`(?m)^error_log [^;]*;`)
	httpBlock = regexp.MustCompile(`(?m)^(.*[\s;}])?http\s*\{`)
)

// unprivileged is the text with what an ordinary user needs to run it.
func unprivileged(text string) string {
	says := func(name string) bool {
		return regexp.MustCompile(`(?m)^[^#\n]*\b` + name + `\s`).MatchString(text)
	}
	head, inner := "", ""
	for _, d := range [][2]string{{"pid", "nginx.pid"}, {"master_process", "off"}} {
		if !says(d[0]) {
			head += d[0] + " " + d[1] + "; "
		}
	}
	for _, d := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		if !says(d + "_temp_path") {
			inner += fmt.Sprintf(" %s_temp_path temp_%s;", d, d)
		}
	}
	if !says("access_log") {
		inner += " access_log off;"
	}
	text = errorLog.ReplaceAllString(text, "")
	text = httpBlock.ReplaceAllString(text, "${0}"+inner)
	return head + "error_log stderr notice; " + text
}
