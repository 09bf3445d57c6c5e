package match_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// randomTable is a small route configuration full of overlaps.
func randomTable(random *rand.Rand) *routev3.RouteConfiguration {
	rc := &routev3.RouteConfiguration{Name: "many"}
	for i, domains := range [][]string{{"a.example"}, {"*.example"}, {"*"}}[:1+random.IntN(3)] {
		vh := &routev3.VirtualHost{Name: fmt.Sprint("v", i), Domains: domains}
		for j := range 1 + random.IntN(6) {
			m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/" + strings.Repeat("a", random.IntN(4))}}
			if random.IntN(3) == 0 {
				m.PathSpecifier = &routev3.RouteMatch_Path{Path: "/" + strings.Repeat("a", random.IntN(4))}
			}
			if random.IntN(3) == 0 {
				m.Headers = []*routev3.HeaderMatcher{{Name: "x-a"}}
			}
			vh.Routes = append(vh.Routes, &routev3.Route{
				Name: fmt.Sprintf("v%dr%d", i, j), Match: m,
				Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: uint32(200 + j)}},
			})
		}
		rc.VirtualHosts = append(rc.VirtualHosts, vh)
	}
	return rc
}

func withTable(t testing.TB, rc *routev3.RouteConfiguration) *mesh.Mesh {
	t.Helper()
	r, err := mesh.NewResource(rc, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(resource(t, mesh.Listener, webListener), r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomRequest(random *rand.Rand) *match.Request {
	r := &match.Request{Host: []string{"a.example", "b.example", "c"}[random.IntN(3)], Path: "/" + strings.Repeat("a", random.IntN(5))}
	if random.IntN(2) == 0 {
		r.Headers = h("X-A", "1")
	}
	return r
}

// Without the route that won, the one that was named as next wins; without a
// next one, nothing does.
func TestNextWinsWithoutTheWinner(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	named := 0
	for range 400 {
		rc := randomTable(random)
		r := randomRequest(random)
		e := match.New(withTable(t, rc)).Explain(r)
		if !e.Matched {
			continue
		}
		next := ""
		for _, l := range e.Losers {
			if l.Next && l.HasRoute {
				next = l.Route.Name
				named++
			}
		}
		less := proto.Clone(rc).(*routev3.RouteConfiguration)
		for _, vh := range less.GetVirtualHosts() {
			if vh.GetName() == e.VirtualHost {
				vh.Routes = append(vh.Routes[:e.Route.Index], vh.Routes[e.Route.Index+1:]...)
			}
		}
		if got := match.New(withTable(t, less)).Match(r).Route.Name; got != next {
			t.Fatalf("%+v: next is %q, but without %s it is %q\n%v", r, next, e.Route.Name, got, rc)
		}
	}
	if named == 0 {
		t.Error("no explanation ever named a next route")
	}
}

// A renewed matcher answers as a new one does, whatever it took over, and the
// old one goes on answering for its own mesh, from any number of goroutines.
func TestRenewIsNew(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	m := withTable(t, randomTable(random))
	matcher := match.New(m)
	for range 30 {
		edited, err := mesh.NewResource(randomTable(random), mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		next := m.With(edited)
		renewed, fresh := matcher.Renew(next), match.New(next)
		var group sync.WaitGroup
		for range 4 {
			r := randomRequest(random)
			group.Go(func() {
				if diff := cmp.Diff(fresh.Explain(r), renewed.Explain(r), protocmp.Transform()); diff != "" {
					t.Errorf("-new +renewed\n%s", diff)
				}
				matcher.Match(r)
				if len(renewed.Listeners()) != 1 {
					t.Error("no listener")
				}
			})
		}
		group.Wait()
		m, matcher = next, renewed
	}
}
