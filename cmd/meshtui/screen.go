package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"google.golang.org/grpc/grpclog"

	"example.com/meshtui/tui"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// screenFlags say how the screen looks.
type screenFlags struct{ ascii bool }

// onScreen runs a session behind the screen until the operator quits, and stops
// the session afterwards.
func onScreen(ctx context.Context, s *session, d tui.Deps, f screenFlags) (err error) {
	defer func() { err = errors.Join(err, s.stop()) }()
	restore, err := logToFile()
	if err != nil {
		return err
	}
	defer restore()
	d.Workspace = s.workspace
	d.Nodes = nodes{s.server}
	d.Evidence = s.watcher
	d.DataPlane = dataPlane{s}
	d.Product = s.plane.product
	d.Truth = s.truth
	d.Plan = steps
	d.Findings = s.secrets.Findings
	if d.Nginx == nil && s.twin != nil {
		d.Nginx = nginxBeside{Twin: s.twin}
	}
	d.NoNginx = s.noNginx
	if d.Trier == nil {
		d.Trier = tester{s: s}
	}
	// The screen ends with the session: one that shows a dead control plane
	// would tell yesterday's news.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	defer leaveSignals(ctx)()
	return tui.Run(ctx, d, tui.Options{ASCII: f.ascii, ScratchDir: filepath.Join(stateDir(), "scratch")})
}

// nodes is the server as the screen sees it.
type nodes struct{ *xds.Server }

func (n nodes) Wire() tui.WireReader { return n.Server.Wire() }

// dataPlane is the local proxies as the screen sees them.
type dataPlane struct{ s *session }

// Changed wakes when a process has come or gone; never without local proxies.
func (d dataPlane) Changed() (<-chan struct{}, func()) {
	if d.s.fleet == nil {
		return nil, func() {}
	}
	return d.s.fleet.Changed()
}

// Describe names the data plane: which proxy, where it came from and how many
// there are.
func (d dataPlane) Describe() string {
	if d.s.fleet == nil {
		return ""
	}
	return d.s.plane.describe()
}

// Notices are the warnings of the start, and what is amiss with a process.
func (d dataPlane) Notices() []tui.Notice {
	out := d.s.noted()
	if d.s.fleet == nil {
		return out
	}
	for _, p := range d.s.fleet.Processes() {
		if p.State != envoy.Live {
			out = append(out, tui.Notice{Bad: p.State == envoy.Restarting, Text: trouble(p)})
		}
	}
	return out
}

// Nodes are the processes' ids as nodes.
func (d dataPlane) Nodes() []string {
	if d.s.fleet == nil {
		return nil
	}
	var out []string
	for _, p := range d.s.fleet.Processes() {
		out = append(out, p.Node)
	}
	return out
}

// trouble says in a sentence what is amiss with a local proxy.
func trouble(p envoy.Process) string {
	text := p.Node + " is " + p.State.String()
	if p.Why != "" {
		text += ": " + p.Why
	}
	if !p.NextTry.IsZero() {
		text += "; next start at " + p.NextTry.Format("15:04:05")
	}
	if p.State == envoy.Restarting && p.Log != "" {
		text += "; its log is " + p.Log
	}
	return text
}

// maxLog is the size in bytes above which a log is put aside at the next start.
const maxLog = 10 << 20

// logToFile sends what libraries log to a file for as long as the screen is on:
// a line on stderr would be painted over it.
func logToFile() (restore func(), err error) {
	if err := os.MkdirAll(stateDir(), 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	path := filepath.Join(stateDir(), "meshtui.log")
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		_ = os.Rename(path, path+".old")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(f, nil)))
	log.SetOutput(f)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, f, f))
	return func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		_ = f.Close()
	}, nil
}
