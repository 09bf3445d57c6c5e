package envoy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// watch runs a watcher until the end of the test.
func watch(t *testing.T, o WatcherOptions) *Watcher {
	t.Helper()
	if o.Served == nil {
		o.Served = func(string) map[mesh.Key]proto.Message { return nil }
	}
	w := NewWatcher(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// facts waits until the facts about a node are as wanted, and returns them.
func facts(t *testing.T, w *Watcher, node, what string, ok func(*Facts) bool) *Facts {
	t.Helper()
	changed, cancel := w.Changed()
	defer cancel()
	deadline := time.After(30 * time.Second)
	for {
		f := w.Facts(node)
		if f != nil && ok(f) {
			return f
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-deadline:
			t.Fatalf("waited 30 s in vain for: %s; last %+v", what, f)
		}
	}
}

// fakeAdmin answers as an Envoy of that node, and notes what it was asked.
type fakeAdmin struct {
	*httptest.Server
	node     string
	clusters func() []byte

	mu     sync.Mutex
	asked  []string
	chains atomic.Int64 // filter chains that drain; one listener drains beside them
}

func newFakeAdmin(t *testing.T, node string, clusters func() []byte) *fakeAdmin {
	t.Helper()
	a := &fakeAdmin{node: node, clusters: clusters}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP is the admin interface.
func (a *fakeAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.URL.String())
	a.mu.Unlock()
	switch r.URL.Path {
	case "/ready":
		fmt.Fprintln(w, "LIVE")
	case "/server_info":
		fmt.Fprintf(w, `{"version":"%s/1.40.0/Clean/RELEASE/BoringSSL","node":{"id":%q}}`, hash, a.node)
	case "/clusters":
		_, _ = w.Write(a.clusters())
	case "/config_dump":
		fmt.Fprint(w, "{}")
	case "/stats":
		if n := a.chains.Load(); n > 0 && strings.Contains(r.URL.RawQuery, "draining") {
			fmt.Fprintf(w, "listener_manager.total_filter_chains_draining: %d\nlistener_manager.total_listeners_draining: 1\n", n)
		}
	}
}

func (a *fakeAdmin) count(part string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, q := range a.asked {
		if strings.Contains(q, part) {
			n++
		}
	}
	return n
}

func (a *fakeAdmin) address() string { return a.Listener.Addr().String() }

func noClusters() []byte { return []byte("{}") }

func targets(t ...Target) func() []Target { return func() []Target { return t } }

// An admin interface that takes connections and never answers holds no other
// poll, and is not asked again before it gave up.
func TestWatcherOneHangs(t *testing.T) {
	var open, most atomic.Int64
	hung, release := context.WithCancel(context.Background())
	bad := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		select {
		case <-r.Context().Done():
		case <-hung.Done():
		}
	}))
	t.Cleanup(bad.Close)
	t.Cleanup(release)
	good := newFakeAdmin(t, "good", noClusters)
	w := watch(t, WatcherOptions{
		Targets:  targets(Target{Node: "bad", Admin: bad.Listener.Addr().String()}, Target{Node: "good", Admin: good.address()}),
		Interval: 20 * time.Millisecond, Timeout: 50 * time.Millisecond,
	})
	f := facts(t, w, "bad", "the hung one is given up", func(f *Facts) bool { return f.Err != "" })
	if !strings.Contains(f.Err, "does not answer") || !f.Stale(time.Now()) || !f.At.IsZero() {
		t.Errorf("of the hung one: %+v", f)
	}
	first := facts(t, w, "good", "the other is watched", func(f *Facts) bool { return f.Ready == "LIVE" })
	facts(t, w, "good", "the other is watched on", func(f *Facts) bool { return f.At.After(first.At) })
	if most.Load() != 1 {
		t.Errorf("up to %d questions were open at once", most.Load())
	}
}

func TestWatcherSaysWhyItCannotObserve(t *testing.T) {
	other := newFakeAdmin(t, "somebody", noClusters)
	key := mesh.Key{Type: mesh.Cluster, Name: "c"}
	served := map[mesh.Key]proto.Message{key: parse(t, "cluster\nname: c")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for _, c := range []struct{ name, admin, want string }{
		{"far", "192.0.2.1:9901", "only on loopback or a unix socket"},
		{"silent", "", "does not say where its admin interface is"},
		{"broken", "9901", "neither unix:PATH nor HOST:PORT"},
		{"closed", closed, "connection refused"},
		{"no socket", "unix:" + filepath.Join(t.TempDir(), "none"), "no such file"},
		{"mistaken", other.address(), `is that of node "somebody"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t, WatcherOptions{
				Targets: targets(Target{Node: "n", Admin: c.admin}), Interval: 10 * time.Millisecond,
				Served: func(string) map[mesh.Key]proto.Message { return served },
			})
			f := facts(t, w, "n", "an error", func(f *Facts) bool { return f.Err != "" })
			if !strings.Contains(f.Err, c.want) {
				t.Errorf("got %q, want %q", f.Err, c.want)
			}
			if a, ok := f.Active[key]; !ok || a.State != NotObservable {
				t.Errorf("the served cluster is %s", a.State)
			}
			if !f.Stale(time.Now()) {
				t.Error("facts without a poll are not stale")
			}
		})
	}
}

func TestWatcherOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(&fakeAdmin{node: "n", clusters: noClusters})
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	w := watch(t, WatcherOptions{Targets: targets(Target{Node: "n", Admin: "unix:" + path})})
	f := facts(t, w, "n", "an answer", func(f *Facts) bool { return f.Ready == "LIVE" })
	if f.Version != "1.40.0" || f.Err != "" {
		t.Errorf("got %+v", f)
	}
}

func TestWatcherKeepsWhatItKnewAndForgetsWhoLeft(t *testing.T) {
	a := newFakeAdmin(t, "n", func() []byte { return []byte(sampleClusters) })
	var there atomic.Bool
	there.Store(true)
	w := watch(t, WatcherOptions{Interval: 10 * time.Millisecond, Targets: func() []Target {
		if !there.Load() {
			return nil
		}
		return []Target{{Node: "n", Admin: a.address()}}
	}})
	facts(t, w, "n", "endpoints", func(f *Facts) bool { return len(f.Endpoints) == 2 })
	a.CloseClientConnections()
	a.Listener.Close()
	f := facts(t, w, "n", "the error", func(f *Facts) bool { return f.Err != "" })
	if len(f.Endpoints) != 2 || f.At.IsZero() {
		t.Errorf("what was known is lost: %+v", f)
	}
	if f.Stale(f.At.Add(3*time.Second)) || !f.Stale(f.At.Add(3001*time.Millisecond)) {
		t.Error("facts are stale at the wrong time")
	}
	there.Store(false)
	eventually(t, "the node to be forgotten", func() bool { return w.Facts("n") == nil })
}

// Ten thousand endpoints are not read whole each second; those that are ill are
// still looked at.
func TestWatcherSparesALargeEnvoy(t *testing.T) {
	large := manyClusters(1000)
	ill := strings.Replace(string(large), `{"eds_health_status":"HEALTHY"}`, `{"failed_outlier_check":true,"eds_health_status":"HEALTHY"}`, 1)
	a := newFakeAdmin(t, "n", func() []byte { return []byte(ill) })
	clock := atomic.Int64{}
	events := make(chan Event, 1)
	w := watch(t, WatcherOptions{
		Events:  events,
		Targets: targets(Target{Node: "n", Admin: a.address()}), Interval: 10 * time.Millisecond, Timeout: 10 * time.Second,
		Now: func() time.Time { return time.Unix(clock.Load(), 0) },
	})
	f := facts(t, w, "n", "all endpoints", func(f *Facts) bool { return len(f.Endpoints) == 10000 })
	eventually(t, "narrow questions", func() bool { return a.count("filter=%5E%28c0%29%24") > 2 })
	if n := a.count("/clusters?format=json"); n-a.count("filter=%5E") != 1 {
		t.Errorf("all clusters were read %d times", n-a.count("filter=%5E"))
	}
	if f.Endpoints[0].Health != Ejected {
		t.Errorf("the ill one is %s", f.Endpoints[0].Health)
	}
	events <- Event{Node: "n", Kind: CheckUnhealthy, Cluster: "c77", Address: "10.0.77.1:80", Time: time.Unix(0, 0), Why: "HTTP 503"}
	eventually(t, "a look at the cluster of which an event told", func() bool { return a.count("c77") > 0 })
	clock.Store(60)
	eventually(t, "the next full look", func() bool { return a.count("/clusters?format=json")-a.count("/clusters?format=json&filter") > 1 })
}

func TestWatcherPoke(t *testing.T) {
	a := newFakeAdmin(t, "n", noClusters)
	w := watch(t, WatcherOptions{Targets: targets(Target{Node: "n", Admin: a.address()}), Interval: time.Hour})
	facts(t, w, "n", "the first poll", func(f *Facts) bool { return f.Ready != "" })
	before := a.count("/ready")
	w.Poke("n")
	w.Poke("nobody")
	eventually(t, "a poll", func() bool { return a.count("/ready") > before })
}

// Who waits for connections to drain is told soon, however long the interval is.
func TestWatcherDraining(t *testing.T) {
	a := newFakeAdmin(t, "n", noClusters)
	a.chains.Store(2)
	w := watch(t, WatcherOptions{Targets: targets(Target{Node: "n", Admin: a.address()}), Interval: time.Hour})
	if _, _, ok := w.Draining("nobody"); ok {
		t.Error("it knows of a node that is not watched")
	}
	var first time.Time
	eventually(t, "what drains", func() bool {
		draining, at, ok := w.Draining("n")
		first = at
		return ok && draining == 3
	})
	a.chains.Store(0)
	eventually(t, "that nothing drains any more", func() bool {
		draining, at, ok := w.Draining("n")
		return ok && draining == 0 && at.After(first)
	})
	a.CloseClientConnections()
	a.Listener.Close()
	eventually(t, "that it is not known any more", func() bool {
		_, _, ok := w.Draining("n")
		return !ok
	})
}
