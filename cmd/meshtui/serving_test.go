package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a running meshtui serve whose events a test waits for.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	events chan event
	seen   []event
}

// serve starts `meshtui serve --json` and waits until it listens.
func serve(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{T: t, cmd: exec.Command(program, append([]string{"serve", "--json"}, args...)...), events: make(chan event, 1000)}
	p.cmd.Env, p.cmd.Stderr = env, os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("no JSON object: %s", lines.Text())
				continue
			}
			p.events <- e
		}
	}()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	if first := p.until("listening", "", nil); len(p.seen) != 1 || first.Detail == "" {
		t.Fatalf("the first event is %+v", p.seen[0])
	}
	return p
}

// until waits for an event of that kind and type (any, when empty) that ok
// takes (any, when nil).
func (p *process) until(kind, typ string, ok func(event) bool) event {
	p.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case e, open := <-p.events:
			if !open {
				p.Fatalf("serve ended before %s %s; it told:\n%s", kind, typ, p.told())
			}
			p.seen = append(p.seen, e)
			if e.Event == kind && (typ == "" || e.Type == typ) && (ok == nil || ok(e)) {
				return e
			}
		case <-deadline.C:
			p.Fatalf("waited in vain for %s %s; it told:\n%s", kind, typ, p.told())
		}
	}
}

func (p *process) told() string {
	var b strings.Builder
	for _, e := range p.seen {
		fmt.Fprintln(&b, e.line())
	}
	return b.String()
}

// interrupt ends it as a shell would and returns the exit status.
func (p *process) interrupt(s syscall.Signal) int {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
	for e := range p.events {
		p.seen = append(p.seen, e)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}
