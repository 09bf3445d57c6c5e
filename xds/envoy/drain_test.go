package envoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load sends requests over keep-alive connections until stop, and counts those
// that were begun and not answered well. A connection that is refused is none
// begun.
type load struct {
	sent, failed atomic.Int64
	refused      atomic.Bool
	firstFailure atomic.Pointer[string]
	stop         chan struct{}
	wg           sync.WaitGroup
}

func startLoad(t *testing.T, port uint32, workers int) *load {
	l := &load{stop: make(chan struct{})}
	for range workers {
		client := newClient(t)
		l.wg.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-l.stop:
					return
				case <-tick.C:
					l.once(client, port)
				}
			}
		})
	}
	return l
}

func (l *load) once(client *http.Client, port uint32) {
	res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if errors.Is(err, syscall.ECONNREFUSED) {
		l.refused.Store(true)
		return
	}
	l.sent.Add(1)
	what := ""
	if err != nil {
		what = err.Error()
	} else {
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			what = err.Error()
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			what = res.Status
		}
	}
	if what != "" {
		l.failed.Add(1)
		l.firstFailure.CompareAndSwap(nil, &what)
	}
}

// wait stops the load.
func (l *load) wait() {
	close(l.stop)
	l.wg.Wait()
}

// end stops the load and reports what failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", n, l.sent.Load(), *l.firstFailure.Load())
	}
}

func TestStopCutsNoRequest(t *testing.T) {
	cp := startControlPlane(t)
	back := newBackend(t)
	back.delay.Store(int64(30 * time.Millisecond))
	port := freePort(t)
	o := FleetOptions{Binary: realEnvoy(t), Nodes: 1, XDS: cp.address, Dir: t.TempDir()}
	cp.push(t, "envoy-1", o.Overlay("envoy-1"), plainCluster, appEndpoints(back.port()), webListener("web", port), mainRoute)
	f := startFleet(t, o)
	client := newClient(t)
	eventually(t, "traffic", func() bool { return answer(client, port) == 200 })
	before := back.hits.Load()
	l := startLoad(t, port, 4)
	eventually(t, "some requests", func() bool { return l.sent.Load() > 50 })
	pid := f.Processes()[0].PID
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	if !gone(pid) {
		t.Error("it still runs")
	}
	eventually(t, "the port to be closed", l.refused.Load)
	l.wait()
	// A connection that waits to be accepted while the port is closed is reset
	// by the system; no request of it was taken. Every one that was must have
	// been answered.
	if took, answered := back.hits.Load()-before, l.sent.Load()-l.failed.Load(); took != answered {
		t.Errorf("%d requests were taken, %d answered", took, answered)
	}
}

// A request that lasts for ever does not hold the end for ever.
func TestStopHasADeadline(t *testing.T) {
	cp := startControlPlane(t)
	back := newBackend(t)
	port := freePort(t)
	o := FleetOptions{Binary: realEnvoy(t), Nodes: 1, XDS: cp.address, Dir: t.TempDir()}
	cp.push(t, "envoy-1", o.Overlay("envoy-1"), plainCluster, appEndpoints(back.port()), webListener("web", port), mainRoute)
	f := startFleet(t, o)
	client := newClient(t)
	eventually(t, "traffic", func() bool { return answer(client, port) == 200 })
	back.hang.Store(true)
	client.Timeout = time.Minute
	cut := make(chan int, 1)
	go func() { cut <- answer(client, port) }()
	eventually(t, "the request to be under way", func() bool { return has(t, f, "/stats?filter=app.upstream_rq_active", "active: 1") })
	pid := f.Processes()[0].PID
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	if !gone(pid) {
		t.Error("it still runs")
	}
	if status := <-cut; status == 200 {
		t.Error("the request that never ends was answered")
	}
}

// A listener that takes over the port of one that leaves in the same response
// must lose no request although the overlay forbids sharing the port.
func TestListenerRenamedOnItsPort(t *testing.T) {
	cp := startControlPlane(t)
	back := newBackend(t)
	port := freePort(t)
	o := FleetOptions{Binary: realEnvoy(t), Nodes: 1, XDS: cp.address, Dir: t.TempDir()}
	push := func(name string) {
		cp.push(t, "envoy-1", o.Overlay("envoy-1"), plainCluster, appEndpoints(back.port()), webListener(name, port), mainRoute)
	}
	push("web")
	f := startFleet(t, o)
	client := newClient(t)
	eventually(t, "traffic", func() bool { return answer(client, port) == 200 })
	l := startLoad(t, port, 4)
	for i, name := range []string{"web-2", "web", "web-3"} {
		push(name)
		at := l.sent.Load()
		eventually(t, "traffic on "+name, func() bool { return l.sent.Load() > at+100 })
		eventually(t, "the listener "+name, func() bool { return has(t, f, "/listeners", name+"::") })
		if n := len(cp.refusals()); n > 0 {
			t.Fatalf("after %d renames: %s", i+1, cp.refusals())
		}
	}
	l.end(t)
	if l.refused.Load() {
		t.Error("a connection was refused meanwhile")
	}
}
