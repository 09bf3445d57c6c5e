package xds_test

import (
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/xdstest"
)

// hanging is a listener whose connections can be made to hang: they stay open,
// and nothing is read from them or written to them, as with a process that is
// stopped by a signal.
type hanging struct {
	net.Listener

	mu       sync.Mutex
	thawed   chan struct{} // closed while nothing hangs
	accepted int
	frozenAt int // how many connections there were by then
}

func hangable(l net.Listener) *hanging {
	h := &hanging{Listener: l, thawed: make(chan struct{})}
	close(h.thawed)
	return h
}

func (h *hanging) freeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.thawed, h.frozenAt = make(chan struct{}), h.accepted
}

func (h *hanging) thaw() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.thawed)
}

// tried reports whether a connection came while it hangs.
func (h *hanging) tried() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepted > h.frozenAt
}

func (h *hanging) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted++
	return &hangingConn{Conn: c, of: h, closed: make(chan struct{})}, nil
}

type hangingConn struct {
	net.Conn
	of     *hanging
	once   sync.Once
	closed chan struct{}
}

// wait returns when nothing hangs, or the connection is closed.
func (c *hangingConn) wait() {
	c.of.mu.Lock()
	thawed := c.of.thawed
	c.of.mu.Unlock()
	select {
	case <-thawed:
	case <-c.closed:
	}
}

func (c *hangingConn) Read(b []byte) (int, error) {
	c.wait()
	n, err := c.Conn.Read(b)
	c.wait() // what came in the meantime is kept
	return n, err
}

func (c *hangingConn) Write(b []byte) (int, error) {
	c.wait()
	return c.Conn.Write(b)
}

func (c *hangingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// startHangable is a journey whose server can hang, with an Envoy that is
// started as meshtui starts one: it notices.
func startHangable(t *testing.T, delta bool) (*journey, *hanging) {
	t.Helper()
	xdstest.NeedEnvoy(t)
	var h *hanging
	s := prepare(t, "unix:"+filepath.Join(shortDir(t), "xds.sock"), xds.Options{DrainWait: drainWait})
	s.wrap = func(l net.Listener) net.Listener { h = hangable(l); return h }
	s.start()
	j := &journey{served: s, t: t, id: "envoy-1", front: freePort(t), v1: backend(t, "v1"), v2: backend(t, "v2")}
	j.push(j.mesh("blue", cluster("blue", time.Second)))
	startLocal(t, s.addr, j.id, delta)
	j.through(j.id, 1, engine.Accepted)
	answers(t, urlOf(j.front), "v1")
	return j, h
}

// startLocal runs an Envoy with the bootstrap that meshtui gives it.
func startLocal(t testing.TB, addr, id string, delta bool) {
	t.Helper()
	config, err := envoy.Bootstrap{NodeID: id, XDS: addr, Admin: addr + "." + id, Delta: delta}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	xdstest.RunEnvoy(t, config, envoy.Flags()...)
}

// The server hangs under load, with a revision published meanwhile: nothing is
// lost, the revision does not come through, and it does once the server goes on,
// though Envoy has given its stream up by then and opened others.
func TestEnvoySurvivesHungServer(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j, h := startHangable(t, delta)
		l := startLoad(t, urlOf(j.front))
		l.flow(t, 50)
		h.freeze()
		j.push(j.mesh("green", cluster("green", time.Second)))
		eventually(t, "Envoy tries anew", h.tried)
		l.flow(t, 50)
		if r := j.State().Node(j.id).Rollout; r.Revision == j.revision && r.Result == engine.Accepted {
			t.Error("a server that hangs brought a revision through")
		}
		h.thaw()
		j.through(j.id, j.revision, engine.Accepted)
		l.flow(t, 50)
		j.accepted(meshOf(t, listener(t, "web", j.front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", j.v2)))
		answers(t, urlOf(j.front), "v2")
		l.lostNone(t, "after the hang")
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// A server that hangs is killed, and another one takes its place with other
// content: it knows what was before, and nothing is lost. Without that some is.
func TestEnvoyIsLedOnAfterHang(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		for _, known := range []bool{true, false} {
			lost, sent := replaced(t, delta, known)
			if known && lost > 0 {
				t.Errorf("%d of %d requests failed", lost, sent)
			}
			if !known && lost == 0 {
				t.Errorf("the control run lost none of %d requests", sent)
			}
		}
	})
}

// replaced puts servers in the place of servers that hang, until requests are
// lost or it was done so often.
func replaced(t *testing.T, delta, known bool) (lost, sent int64) {
	t.Helper()
	j, h := startHangable(t, delta)
	l := startLoad(t, urlOf(j.front))
	now, was, is := j.served, "blue", "green"
	most := 3
	if !known {
		most = 40
	}
	for range most {
		l.flow(t, 50)
		h.freeze()
		now.push(j, is, was, now.State().Revision+1, true) // nobody hears of it
		l.flow(t, 50)
		now.stop()
		next := prepare(t, now.addr, xds.Options{DrainWait: drainWait})
		next.wrap = func(l net.Listener) net.Listener { h = hangable(l); return h }
		next.start()
		next.push(j, is, was, 2, known)
		next.through(j.id, 2, engine.Accepted)
		l.flow(t, 50)
		now, was, is = next, is, was
		if lost = l.bad.Load(); lost > 0 {
			break
		}
	}
	return lost, l.sent.Load()
}

// push publishes a rename; known says that the server is told what was before.
func (s *served) push(j *journey, is, was string, number int, known bool) {
	r := after(j.named(was), number, j.named(is))
	if !known {
		r.Base = nil
	}
	s.Publish(r)
}

// named is the mesh of a journey with its cluster under a name.
func (j *journey) named(name string) *mesh.Mesh { return j.mesh(name, cluster(name, time.Second)) }
