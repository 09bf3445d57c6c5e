package proxy_test

import (
	"context"
	"fmt"

	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/xdstest"
)

// clients is how many connections ask at once.
const clients = 8

// BenchmarkProxyThroughput sends the same requests to the same backend directly,
// through the built-in proxy and, where there is one, through a real Envoy with
// one worker, in turn, so that the machine's mood falls on all alike. It tells
// requests a second and the ratio to Envoy's.
func BenchmarkProxyThroughput(b *testing.B) {
	back := backend(b, "a body of some bytes")
	front, other := freePort(b), freePort(b)
	l := startLab(b, labOptions{first: meshOf(b,
		listener(b, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", back))})
	answers(b, urlOf(front), "a body of some bytes")
	ways := []*contender{{name: "direct", url: urlOf(back)}, {name: "builtin", url: urlOf(front)}}
	if path, err := xdstest.FindEnvoy(); err == nil {
		l.beside(path, other)
		answers(b, urlOf(other), "a body of some bytes")
		ways = append(ways, &contender{name: "envoy", url: urlOf(other)})
	} else {
		b.Log("no Envoy to compare with")
	}
	const round = 2000
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		for _, w := range ways {
			w.ask(b, min(left, round))
		}
	}
	b.StopTimer()
	rate := map[string]float64{}
	for _, w := range ways {
		rate[w.name] = float64(w.sent) / w.took.Seconds()
		b.ReportMetric(rate[w.name], w.name+"_rq/s")
	}
	if rate["envoy"] > 0 {
		b.ReportMetric(rate["builtin"]/rate["envoy"], "x_envoy")
	}
}

// contender is one way to the backend.
type contender struct {
	name, url string
	sent      int
	took      time.Duration
	clients   []*http.Client
}

// ask sends n requests over as many connections as there are clients.
func (c *contender) ask(b *testing.B, n int) {
	b.Helper()
	for len(c.clients) < clients {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: patience}
		b.Cleanup(client.CloseIdleConnections)
		c.clients = append(c.clients, client)
	}
	g, ctx := task.New(context.Background())
	var turn atomic.Int64
	began := time.Now()
	for _, client := range c.clients {
		g.Go("client", func() error {
			for turn.Add(1) <= int64(n) {
				if _, err := kinds[0].ask(ctx, client, c.url); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	c.took += time.Since(began)
	c.sent += n
}

// beside starts a real Envoy that is served the same mesh, with its listener on
// another port.
func (l *lab) beside(path string, port int) {
	l.t.Helper()
	l.overlay.Store(func(node string, m proto.Message) proto.Message {
		if node != "envoy-1" {
			return m
		}
		clone := proto.Clone(m)
		if at, ok := clone.(interface{ GetAddress() *address }); ok && mesh.NameOf(clone) == "web" {
			at.GetAddress().Address = socket("127.0.0.1", port).Address
		}
		return clone
	})
	f, err := envoy.StartFleet(context.Background(), envoy.FleetOptions{
		Binary: envoy.Binary{Path: path}, Nodes: 1, XDS: l.address, Dir: l.t.TempDir(),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if err := f.Stop(gone); err != nil {
			l.t.Error(err)
		}
	})
}
