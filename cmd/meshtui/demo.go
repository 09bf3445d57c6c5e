package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/meshtui/demo"
	"example.com/meshtui/engine"
	"example.com/meshtui/tui"
	"example.com/meshtui/xds/envoy"
)

// demoPort is the listener of the demo's mesh, as in the talk, and demoRate how
// many requests a second it gets.
const (
	demoPort = 10000
	demoRate = 100
)

// demoFlags are those of the demo.
type demoFlags struct {
	envoys envoyFlags
	screen screenFlags
	rolls  rolloutFlags
	port   int
	rate   int
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Open the screen on a demo mesh with backends and live traffic",
		Long: `Open the screen on a demo mesh: www.example.com/foo goes to app, nine in ten to
v1 and one to v2, all else goes to legacy. The backends and a steady load run in
this process; the traffic goes through a real Envoy, or through the built-in
proxy where none can be had.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, f) },
	}
	f.envoys.bind(cmd, 1)
	f.screen.bind(cmd)
	f.rolls.bind(cmd)
	cmd.Flags().IntVar(&f.port, "port", demoPort, "the port of the mesh's listener; the next free one when it is taken")
	cmd.Flags().IntVar(&f.rate, "rate", demoRate, fmt.Sprintf("requests a second, at most %d", demo.MaxRate))
	return cmd
}

// runDemo opens the screen on the demo.
func runDemo(cmd *cobra.Command, f demoFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if err := needTerminal(); err != nil {
		return err
	}
	ctx := cmd.Context()
	lab, s, err := startDemo(ctx, f, progress(cmd))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	d := tui.Deps{Traffic: traffic{lab}, Lab: backends{lab}, Trier: tester{s: s, backend: lab.Who}}
	if s.twin != nil {
		d.Nginx = nginxBeside{Twin: s.twin, backend: lab.Who}
	}
	d.Contest = competition{s.compete(lab)}
	return onScreen(ctx, s, d, f.screen)
}

// check refuses what cannot be meant.
func (f demoFlags) check() error {
	switch {
	case f.envoys.nodes < 1:
		return usageError(errors.New("the demo needs at least one proxy: --nodes 1"))
	case f.rate < 1 || f.rate > demo.MaxRate:
		return usageError(fmt.Errorf("--rate %d: it is 1 to %d requests a second", f.rate, demo.MaxRate))
	case f.port < 1 || f.port > 65535:
		return usageError(fmt.Errorf("--port %d is no port", f.port))
	}
	return f.envoys.check()
}

// startDemo starts the backends, a session on their mesh over a socket of its
// own, and the load.
func startDemo(ctx context.Context, f demoFlags, say func(string)) (lab *demo.Demo, s *session, err error) {
	claim := claimPorts(f.port, f.envoys.nodes)
	defer func() {
		if err != nil {
			claim.release()
		}
	}()
	moved := claim.moved(f.port)
	if moved != "" {
		say(moved)
	}
	lab, err = demo.New(context.WithoutCancel(ctx), demo.Options{Port: claim.port, Nodes: f.envoys.nodes, Step: envoy.PortStep, Rate: f.rate})
	if err != nil {
		return nil, nil, err
	}
	meshes, err := lab.Meshes()
	if err != nil {
		return nil, nil, errors.Join(err, lab.Close())
	}
	asks, err := lab.Kept()
	if err != nil {
		return nil, nil, errors.Join(err, lab.Close())
	}
	s, err = startSession(ctx, sessionOptions{
		listen: listenFlags{addresses: demoAddress()}, rolls: f.rolls, envoys: f.envoys, nginx: true, say: say,
		open: func(ctx context.Context, o engine.Options) (*engine.Workspace, error) {
			o.Kept = asks
			return engine.OpenMeshes(ctx, "shop", meshes, o)
		},
	})
	if err != nil {
		return nil, nil, errors.Join(err, lab.Close())
	}
	s.ports = claim
	if moved != "" {
		s.notice(tui.Notice{Text: moved})
	}
	lab.StartLoad()
	return lab, s, nil
}

// demoAddress is a socket of this process alone, so that a demo never is in the
// way of anything; none where there is no place for one.
func demoAddress() []string {
	if own := privateAddress("demo"); own != "" {
		return []string{own}
	}
	return nil
}

// traffic is the demo's load as the screen sees it.
type traffic struct{ *demo.Demo }

func (t traffic) Snapshot() tui.TrafficSnapshot {
	s := t.Demo.Snapshot()
	out := tui.TrafficSnapshot{RPS: s.RPS, Errors: s.Errors, Codes: s.Codes}
	for _, b := range s.Backends {
		out.Backends = append(out.Backends, tui.Backend{Name: b.Name, Address: b.Address, Version: b.Version,
			Share: b.Share, RPS: b.RPS, State: b.State.String()})
	}
	for _, a := range s.Last {
		out.Last = append(out.Last, tui.Answer{At: a.At, Code: a.Code, Backend: a.Backend, Flags: a.Flags})
	}
	return out
}

// backends is the demo's lab as the screen sees it.
type backends struct{ *demo.Demo }

func (b backends) Backends() []tui.Backend { return traffic(b).Snapshot().Backends }

func (b backends) Kill(name string) error { return b.Become(name, demo.Down) }

func (b backends) Revive(name string) error { return b.Become(name, demo.Up) }

// Slow makes a backend slow, and a slow one quick again.
func (b backends) Slow(name string) error {
	for _, now := range b.Demo.Backends() {
		if now.Name == name && now.State == demo.Slow {
			return b.Become(name, demo.Up)
		}
	}
	return b.Become(name, demo.Slow)
}

func (b backends) Add(cluster string) (string, error) {
	added, err := b.Demo.Add(cluster)
	return added.Address, err
}
