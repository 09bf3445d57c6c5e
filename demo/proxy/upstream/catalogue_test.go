package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
)

// TestFailureCatalogue makes every failure happen in a real Envoy and here, and
// compares status, body, flags, details, attempts and counters.
func TestFailureCatalogue(t *testing.T) {
	all, worlds, ours := scenarios(), map[string]world{}, map[string]world{}
	for _, s := range all {
		for _, b := range s.hosts {
			worlds[s.name] = append(worlds[s.name], s.listen(t, b))
			ours[s.name] = append(ours[s.name], s.listen(t, b))
		}
	}
	r := startEnvoy(t, all, worlds)
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			want := s.play(func(id string) seen { return r.ask(t, s, worlds[s.name], id) })
			c, err := New(clusterOf(t, s.clusterYAML(ours[s.name])), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			<-c.Warm()
			got := s.play(func(string) seen { return s.ask(t, c, ours[s.name]) })
			if s.loose {
				for i := range want {
					want[i].Attempts, got[i].Attempts = "", ""
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Envoy (-) and we (+) differ:\n%s", d)
			}
			if s.loose {
				return
			}
			s.compareStats(t, func() map[string]uint64 { return r.stats(t, s.name) }, c)
		})
	}
}

// play sends the scenario's requests and returns what came, in the order of the
// requests or, when they are sent at the same time, sorted.
func (s scenario) play(ask func(id string) seen) []seen {
	var out []seen
	if s.at < 2 {
		for i := range max(1, s.times) {
			out = append(out, ask(fmt.Sprintf("%s-%d", s.name, i)))
		}
		return s.sorted(out)
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range s.at {
		wait.Go(func() {
			got := ask(fmt.Sprintf("%s-%d", s.name, i))
			mu.Lock()
			defer mu.Unlock()
			out = append(out, got)
		})
		// One after the other, as far as the circuit breakers are concerned.
		<-time.After(50 * time.Millisecond)
	}
	wait.Wait()
	return s.sorted(out)
}

// sorted puts in order what does not come in one: answers at the same time, and
// those of several endpoints, of which any may be the first.
func (s scenario) sorted(all []seen) []seen {
	if s.at > 1 || len(s.hosts) > 1 {
		slices.SortFunc(all, func(a, b seen) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return all
}

// ask sends one request through our cluster.
func (s scenario) ask(t *testing.T, c *Cluster, w world) seen {
	t.Helper()
	action := &routev3.RouteAction{}
	if s.route != "" {
		decode(t, action, s.route)
	}
	call := Call{
		Timeout: durationOr(action.GetTimeout(), 15*time.Second), Idle: action.GetIdleTimeout().AsDuration(),
		Retry: action.GetRetryPolicy(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.leaves > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.leaves)
		defer cancel()
	}
	r := s.request(ctx, "http://a.test/")
	if r.Body != nil {
		defer r.Body.Close()
	}
	a := c.Do(r, call)
	out := seen{Attempts: fmt.Sprint(a.Attempts), Upstream: w.number(a.Endpoint)}
	if f := a.Failure; f != nil {
		out.Status, out.Body, out.Flags = f.Status, f.Body, f.Flags
		out.Details = f.Details
		if f.Overloaded {
			out.Overload = "true"
		}
		return out
	}
	defer a.Response.Body.Close()
	b, err := io.ReadAll(a.Response.Body)
	out.Status, out.Body, out.Flags, out.Details = a.Response.StatusCode, string(b), a.Flags, a.Details
	var cut *CutError
	if errors.As(err, &cut) {
		out.Cut, out.Flags, out.Details = true, cut.Flags, cut.Details
	}
	return out
}

// compareStats holds our counters against Envoy's, all those that we have.
func (s scenario) compareStats(t *testing.T, theirs func() map[string]uint64, c *Cluster) {
	t.Helper()
	var d string
	deadline := time.After(5 * time.Second)
	for {
		want, got := theirs(), c.Snapshot().Stats
		for name := range want {
			if _, have := got[name]; !have || slices.Contains(s.without, name) || slices.Contains(whenClosed, name) {
				delete(want, name)
			}
		}
		for name := range got {
			if _, have := want[name]; !have {
				delete(got, name)
			}
		}
		if d = cmp.Diff(want, got); d == "" {
			return
		}
		select {
		case <-deadline:
			t.Errorf("the counters of Envoy (-) and ours (+) differ:\n%s", d)
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
