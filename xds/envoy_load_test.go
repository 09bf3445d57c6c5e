package xds_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/xdstest"
)

// backend answers with its name.
func backend(t testing.TB, name string) int {
	t.Helper()
	port, _ := mortal(t, name)
	return port
}

// mortal is a backend that may end before the test does.
func mortal(t testing.TB, name string) (port int, end func()) {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, name) // a client that has gone misses nothing
	}))
	t.Cleanup(b.Close)
	_, digits, _ := strings.Cut(strings.TrimPrefix(b.URL, "http://"), ":")
	port, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return port, b.Close
}

// load is a steady stream of requests over kept connections, each of which is to
// be answered with 200, and where that is said by the right backend. It is
// bounded: at most so many requests, whatever happens.
type load struct {
	group *task.Group
	sent  atomic.Int64
	bad   atomic.Int64

	mu       sync.Mutex
	failures map[string]int
}

const (
	workers     = 8
	maxRequests = 200_000
)

// target is where a worker sends its requests, and who is to answer; "" is anyone.
type target struct{ url, want string }

// startLoad sends everything to one URL.
func startLoad(t testing.TB, url string) *load {
	t.Helper()
	return startLoads(t, target{url: url})
}

// startLoads has each worker send to each of the targets in turn.
func startLoads(t testing.TB, targets ...target) *load {
	t.Helper()
	g, ctx := task.New(context.Background())
	l := &load{group: g, failures: map[string]int{}}
	for range workers {
		g.Go("load", func() error {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil && l.sent.Add(1) <= maxRequests; i++ {
				if err := targets[i%len(targets)].ask(ctx, client); err != nil && ctx.Err() == nil {
					l.fail(err)
				}
			}
			return nil
		})
	}
	t.Cleanup(l.stop)
	return l
}

// ask sends one request.
func (g target) ask(ctx context.Context, c *http.Client) error {
	got, err := get(ctx, c, g.url)
	if err == nil && g.want != "" && got != g.want {
		return fmt.Errorf("%s is answered by %s, not by %s", g.url, got, g.want)
	}
	return err
}

func (l *load) fail(err error) {
	l.bad.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[err.Error()]++
}

func (l *load) stop() {
	l.group.Stop()
	_ = l.group.Wait() // the workers return nil
}

// lostNone fails the test when a request was lost.
func (l *load) lostNone(t testing.TB, when string) {
	t.Helper()
	if bad := l.bad.Load(); bad > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("%s: %d of %d requests failed: %v", when, bad, l.sent.Load(), l.failures)
	}
}

// flow waits until so many more requests were answered.
func (l *load) flow(t testing.TB, n int64) {
	t.Helper()
	from := l.sent.Load()
	eventually(t, "requests flow", func() bool { return l.sent.Load() >= from+n })
}

func get(ctx context.Context, c *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return string(body), nil
}

// eventually polls what no channel tells.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it never came to be: %s", what)
		}
	}
}
