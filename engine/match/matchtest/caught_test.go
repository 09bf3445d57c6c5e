package matchtest

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// longest is a matcher that is wrong in one point: like nginx it takes the
// longest prefix, where Envoy takes the first route that matches.
type longest struct{ Asker }

func (l longest) Match(r *match.Request) match.Way {
	way := l.Asker.Match(r)
	if way.Action != match.Forward || way.Entry.GetMatch().GetPrefix() == "" || len(way.Entry.Match.Headers) > 0 {
		return way
	}
	for i, other := range way.VHost.GetRoutes()[way.Route.Index+1:] {
		m := other.GetMatch()
		if len(m.GetPrefix()) > len(way.Entry.Match.GetPrefix()) && strings.HasPrefix(way.Seen.Path, m.GetPrefix()) && plainCluster(other) {
			way.Route = match.RouteID{Index: way.Route.Index + 1 + i, Name: other.GetName()}
			way.Cluster = other.GetRoute().GetCluster()
			return way
		}
	}
	return way
}

func plainCluster(r *routev3.Route) bool {
	return r.GetRoute().GetCluster() != "" && len(r.GetMatch().GetHeaders()) == 0
}

// A matcher that is wrong in one point is caught, and what shows it is small:
// one virtual host with two routes, and a bare request.
func TestWrongMatcherIsCaught(t *testing.T) {
	l := newLab(t)
	wrong := func(m *mesh.Mesh) Asker { return longest{match.New(m)} }
	right := func(m *mesh.Mesh) Asker { return match.New(m) }
	const kind = "route"
	for seed := uint64(1); seed < 2000; seed += 40 {
		run := l.run(seed, 4000, 100, wrong, New)
		slices.SortStableFunc(run.failures, func(x, y failure) int { return x.c.size() - y.c.size() })
		for _, f := range run.failures {
			if f.found[0].Kind != kind || len(Compare(right(f.c.Mesh), f.c.Requests[0], f.seen)) > 0 {
				continue // not what is wrong here
			}
			isTiny(t, l.shrink(f))
			return
		}
	}
	t.Error("the wrong matcher was never caught")
}

func isTiny(t *testing.T, f failure) {
	t.Helper()
	table := tableOf(f.c)
	if hosts := table.GetVirtualHosts(); len(hosts) != 1 || len(hosts[0].GetRoutes()) != 2 {
		t.Errorf("not the smallest mesh")
	}
	if q := f.c.Requests[0].Ask; len(q.Headers) > 0 || q.Method != "GET" || len(q.Path) > 12 {
		t.Errorf("not the smallest request")
	}
	s := Report(f.c, f.asker(f.c.Mesh), f.seen, f.found)
	if n := strings.Count(s, "\n"); n > 60 {
		t.Errorf("the report has %d lines", n)
	}
	for _, part := range []string{"request:", "predicted:", "observed:", "the route is predicted as"} {
		if !strings.Contains(s, part) {
			t.Errorf("the report has no %q", part)
		}
	}
	t.Logf("the smallest case:\n%s", s)
}
