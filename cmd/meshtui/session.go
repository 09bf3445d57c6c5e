package main

import (
	"context"
	"errors"
	"log/slog"
	"os/user"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"example.com/meshtui/demo/contest"
	"example.com/meshtui/demo/twin"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/tui"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/envoy"
)

// stopDeadline bounds how long local proxies may take to drain when meshtui ends.
const stopDeadline = 8 * time.Second

// sessionOptions say what a session is made of.
type sessionOptions struct {
	open   func(context.Context, engine.Options) (*engine.Workspace, error)
	path   string // what open opens; "" for nothing on disk
	listen listenFlags
	rolls  rolloutFlags
	envoys envoyFlags
	nginx  bool         // have an nginx beside the proxies, where there is one, for who asks for it
	say    func(string) // progress before there is a screen; may be nil
}

// session is one running control plane: the workspace, the server that rolls
// its revisions out, the local proxies and the watcher that reads what they do.
type session struct {
	held      int // number of the revision that is served on, as it was accepted before; 0 for none
	workspace *engine.Workspace
	server    *xds.Server
	plane     *plane
	fleet     proxies // nil when no local proxy runs
	watcher   *envoy.Watcher
	secrets   *secrets
	twin      *twin.Twin                      // nil without an nginx
	contest   atomic.Pointer[contest.Contest] // in the demo
	noNginx   string                          // why twin is nil
	ports     *portClaim                      // of the demo; nil else
	runDir    func() (string, error)          // for the logs and sockets of what is started here
	eyes      atomic.Pointer[envoy.Watcher]   // watcher, for who may ask before it is there

	mu      sync.Mutex
	notices []tui.Notice // see note

	listening listening
	tasks     *task.Group
	ctx       context.Context
}

// startSession opens the workspace, listens, starts the Envoys and the watcher.
// What it started is stopped again when it fails.
func startSession(ctx context.Context, o sessionOptions) (s *session, err error) {
	if o.say == nil {
		o.say = func(string) {}
	}
	if err := errors.Join(o.envoys.check(), o.listen.check()); err != nil {
		return nil, err
	}
	s = &session{runDir: sync.OnceValues(runDir)}
	// The server must serve while Envoys drain, so it outlives the signal that
	// ends the command: stop decides.
	s.tasks, s.ctx = task.New(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
			s = nil
		}
	}()
	if s.plane, err = o.envoys.choose(ctx, o.say, s.note); err != nil {
		return s, err
	}
	// First the address: a start that fails on it leaves no mark in the history.
	own := ""
	if s.plane.nodes > 0 {
		own = privateAddress("local")
	}
	if s.listening, err = o.listen.open(own); err != nil {
		return s, err
	}
	for _, w := range s.listening.warnings {
		o.say(w)
		s.note(w)
	}
	outcomes := &outcomeRelay{}
	s.secrets = newSecrets(o.path, func(keys ...mesh.Key) { s.server.Refill(keys...) })
	s.server = xds.New(xds.Options{
		Overlay:   func(node string) xds.Overlay { return s.plane.overlay(node) },
		OnOutcome: outcomes.told,
		OnError:   s.broke,
		Draining:  s.draining,
		Warming:   s.warming,
		TLS:       s.listening.tls,
		Allow:     o.listen.permit,
		Fill:      s.secrets.Fill,
		Register:  func(g grpc.ServiceRegistrar) { csds.Register(g, func() csds.Source { return s.server }) },
	})
	if o.nginx {
		if err = s.findTwin(); err != nil {
			return s, errors.Join(err, s.listening.close())
		}
	}
	s.workspace, err = o.open(ctx, engine.Options{StateDir: stateDir(), Publisher: publisher{s.server, s.secrets, s.follow}, Author: author(), AutoRollback: o.rolls.auto})
	if err != nil {
		return s, errors.Join(err, s.listening.close())
	}
	if head := s.workspace.State().Head(); head != nil && head.Outcome.Result == engine.Accepted {
		s.held = head.Number
	}
	outcomes.to(s.workspace.Record)
	s.tasks.Go("the xDS server", func() error { return s.server.Serve(s.ctx, s.listening.listeners...) })
	s.tasks.Go("the files of secrets", func() error { return s.secrets.Run(s.ctx) })
	if err = s.startProxies(ctx, o.say); err != nil {
		return s, err
	}
	s.watch()
	return s, nil
}

// note keeps a sentence of what is amiss for whoever looks at the session. It may
// be called from any goroutine.
func (s *session) note(text string) { s.notice(tui.Notice{Bad: true, Text: text}) }

func (s *session) notice(n tui.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices = append(s.notices, n)
}

// noted lists what was noted.
func (s *session) noted() []tui.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notices)
}

// broke notes a panic of one stream; the others go on.
func (s *session) broke(err error) {
	slog.Error("a stream broke", "error", err)
	s.note(err.Error())
}

// draining is what a node's admin interface says of connections that still
// drain, for the server to keep what they use.
func (s *session) draining(node string) (int, time.Time, bool) {
	w := s.eyes.Load()
	if w == nil {
		return 0, time.Time{}, false
	}
	return w.Draining(node)
}

// warming is which clusters a node's admin interface says are warming, for the
// rollout to name what it waits for.
func (s *session) warming(node string) ([]string, time.Time, bool) {
	w := s.eyes.Load()
	if w == nil {
		return nil, time.Time{}, false
	}
	return w.Warming(node)
}

// startProxies starts the local proxies, after a look at the ports that they
// will be told to open. A workspace that another process holds gets none: they
// would take a share of the other's traffic.
func (s *session) startProxies(ctx context.Context, say func(string)) error {
	state := s.workspace.State()
	if s.plane.nodes > 0 && state.ReadOnly != "" {
		s.note("no local proxy was started, because the workspace is read-only: " + state.ReadOnly)
		return nil
	}
	if s.plane.nodes == 0 {
		return nil
	}
	for _, g := range state.Groups {
		for _, taken := range envoy.PortsTaken(g.Draft, s.plane.nodes) {
			say(taken.String())
			s.note(taken.String())
		}
	}
	dir, err := s.runDir()
	if err != nil {
		return err
	}
	// Until they are up the command's own end ends them; from then on stop does.
	starting, cancel := context.WithCancel(s.ctx)
	detach := context.AfterFunc(ctx, cancel)
	fleet, err := s.plane.start(starting, s.listening.local, dir)
	if err == nil {
		s.fleet = fleet
	}
	if !detach() && err == nil {
		return context.Cause(ctx)
	}
	if err != nil {
		cancel()
	}
	return err
}

// watch starts the watcher over every node that says where its admin
// interface is, and over the local proxies also while they are not connected.
func (s *session) watch() {
	o := envoy.WatcherOptions{
		Targets: s.targets,
		Served:  s.server.Served,
		Status:  csds.Look,
	}
	if s.fleet != nil {
		o.Events = s.fleet.Events()
	}
	s.watcher = envoy.NewWatcher(o)
	s.eyes.Store(s.watcher)
	s.tasks.Go("the watcher", func() error { return s.watcher.Run(s.ctx) })
	s.tasks.Go("the watcher's ear", s.pokeOnAnswers)
}

func (s *session) targets() []envoy.Target {
	var out []envoy.Target
	if s.fleet != nil {
		out = s.fleet.Targets()
	}
	for _, n := range s.server.State().Nodes {
		known := slices.ContainsFunc(out, func(t envoy.Target) bool { return t.Node == n.ID })
		// An address on loopback is of the node's own machine.
		if n.Connected && !known && n.Remote == "" {
			out = append(out, envoy.Target{Node: n.ID, Admin: n.Admin, CSDS: n.CSDS})
		}
	}
	return out
}

// pokeOnAnswers has a node looked at as soon as it answered, so that what is
// active is known before the next second is over.
func (s *session) pokeOnAnswers() error {
	changed, stop := s.server.Changed()
	defer stop()
	var seq uint64
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-changed:
		}
		msgs, _ := s.server.Wire().Since(seq, 1000)
		for _, m := range msgs {
			seq = m.Seq
			if m.Kind == xds.ACK || m.Kind == xds.NACK || m.Kind == xds.Response {
				s.watcher.Poke(m.Node)
			}
		}
	}
}

// stop drains and ends the local proxies, then ends the rest, in the order in
// which each needs the other.
func (s *session) stop() error {
	var errs []error
	if c := s.contest.Load(); c != nil { // its clients would hold the drain up
		errs = append(errs, c.Close())
	}
	if s.twin != nil {
		errs = append(errs, s.twin.Close())
	}
	if s.fleet != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopDeadline)
		defer cancel()
		errs = append(errs, s.fleet.Stop(ctx))
	}
	s.tasks.Stop()
	errs = append(errs, s.tasks.Wait())
	if s.workspace != nil {
		errs = append(errs, s.workspace.Close())
	}
	s.ports.release()
	return errors.Join(errs...)
}

// outcomeRelay hands outcomes to the workspace, which is made after the server
// that reports them.
type outcomeRelay struct {
	mu      sync.Mutex
	record  func(int, engine.Outcome)
	waiting []func()
}

func (r *outcomeRelay) told(revision int, o engine.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.record == nil {
		r.waiting = append(r.waiting, func() { r.record(revision, o) })
		return
	}
	r.record(revision, o)
}

func (r *outcomeRelay) to(record func(int, engine.Outcome)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record = record
	for _, f := range r.waiting {
		f()
	}
	r.waiting = nil
}

// author is who pushes: the operating system's user name, or "" when unknown.
func author() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
