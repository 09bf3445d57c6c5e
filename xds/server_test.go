package xds_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

func TestMain(m *testing.M) {
	if os.Getenv(swarmEnv) != "" {
		beSwarm()
		return
	}
	goleak.VerifyTestMain(m)
}

// served is a running server of one test.
type served struct {
	*xds.Server
	t    testing.TB
	addr string
	wrap func(net.Listener) net.Listener // what is served in place of its listener; nil: itself
	stop func()

	mu       sync.Mutex
	outcomes []told
	panics   []error
	heard    chan struct{} // a wake-up lies on it when either has grown
}

type told struct {
	Revision int
	Outcome  engine.Outcome
}

// serve starts a server on a socket of its own; it stops with the test.
func serve(t testing.TB, o xds.Options) *served {
	t.Helper()
	return serveAt(t, "unix:"+filepath.Join(shortDir(t), "xds.sock"), o)
}

func serveAt(t testing.TB, addr string, o xds.Options) *served {
	t.Helper()
	s := prepare(t, addr, o)
	s.start()
	return s
}

// prepare is a server that is not started yet.
func prepare(t testing.TB, addr string, o xds.Options) *served {
	t.Helper()
	s := &served{t: t, addr: addr, heard: make(chan struct{}, 1)}
	if o.DrainWait == 0 {
		o.DrainWait = -1 // scripts drain nothing
	}
	o.OnOutcome = func(revision int, out engine.Outcome) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outcomes = append(s.outcomes, told{revision, out})
		s.wake()
	}
	o.OnError = func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.panics = append(s.panics, err)
		s.wake()
	}
	s.Server = xds.New(o)
	return s
}

// start serves, again after a stop.
func (s *served) start() {
	s.t.Helper()
	l, err := xds.Listen(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.wrap != nil {
		l = s.wrap(l)
	}
	g, ctx := task.New(context.Background())
	g.Go("server", func() error { return s.Serve(ctx, l) })
	s.stop = sync.OnceFunc(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
	s.t.Cleanup(s.stop)
}

// until waits for a condition on the server's state.
func (s *served) until(what string, cond func(*xds.State) bool) *xds.State {
	s.t.Helper()
	changed, done := s.Changed()
	defer done()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	for {
		st := s.State()
		if cond(st) {
			return st
		}
		select {
		case <-changed:
		case <-deadline.C:
			for _, n := range st.Nodes {
				s.t.Logf("%s: connected %v, rollout %+v", n.ID, n.Connected, n.Rollout)
				if n.Rollout.Result != engine.Accepted {
					s.logWire(n.ID)
				}
			}
			s.t.Fatalf("it never came to be: %s", what)
		}
	}
}

// logWire logs the end of the conversation with a node.
func (s *served) logWire(node string) {
	s.t.Helper()
	const last = 60
	msgs, _ := s.Wire().Since(0, 1<<20)
	msgs = slices.DeleteFunc(msgs, func(m xds.Message) bool { return m.Node != node })
	for _, m := range msgs[max(0, len(msgs)-last):] {
		s.t.Logf("%s stream %d %s %s version %s nonce %s %v removed %v revision %d %s", m.At.Format("05.000"), m.Stream, m.Type.Service(), m.Kind, m.Version, m.Nonce, m.Names, m.Removed, m.Revision, m.Detail)
	}
}

// through waits until a revision's rollout to a node has come to its end.
func (s *served) through(node string, revision int, want engine.Result) *xds.Node {
	s.t.Helper()
	st := s.until(want.String(), func(st *xds.State) bool {
		n := st.Node(node)
		return n != nil && n.Rollout.Revision == revision && n.Rollout.Result == want && !n.Rollout.Ended.IsZero()
	})
	return st.Node(node)
}

func (s *served) wake() {
	select {
	case s.heard <- struct{}{}:
	default:
	}
}

// awaits waits for something that the server's callbacks tell.
func (s *served) awaits(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		ok := cond()
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-s.heard:
		case <-deadline.C:
			s.t.Fatalf("it was never told: %s; told were %+v", what, s.outcomes)
		}
	}
}

// said waits until OnOutcome was told this of a revision.
func (s *served) said(revision int, want engine.Result) engine.Outcome {
	s.t.Helper()
	var found engine.Outcome
	s.awaits(want.String(), func() bool {
		for _, o := range s.outcomes {
			if o.Revision == revision && o.Outcome.Result == want {
				found = o.Outcome
				return true
			}
		}
		return false
	})
	return found
}

func variants(t *testing.T, run func(t *testing.T, delta bool)) {
	t.Helper()
	t.Run("SotW", func(t *testing.T) { run(t, false) })
	t.Run("delta", func(t *testing.T) { run(t, true) })
}

// shortDir is a folder whose path is short enough for a socket in it.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xds")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}
