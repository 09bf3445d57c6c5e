package routes

import (
	"strings"
	"sync"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// TestIndexAgreesWithWalk holds the index against a plain walk through the
// routes, on random tables.
func TestIndexAgreesWithWalk(t *testing.T) {
	found, asked, told := 0, 0, 0
	for seed := range uint64(400) {
		d := roll(seed)
		rc := d.config(1+d.IntN(3), 1+d.IntN(60))
		if seed%3 == 0 {
			rc = d.conditions(1 + d.IntN(60))
		}
		table, _ := Compile(rc)
		for i := range table.hosts {
			// Small tables are walked through, and few routes of one path are; the index
			// is held to account there too.
			table.hosts[i].index = newIndex(table.hosts[i].routes, table.ignoreParameters, int(seed%4))
			told += toldApart(&table.hosts[i].index)
		}
		for range 200 {
			v := table.look(d.request())
			for i := range table.hosts {
				h := &table.hosts[i]
				got, want := h.first(&v), h.walk(&v, 0)
				if got != want {
					t.Fatalf("seed %d: the index finds route %d, the walk %d\nrequest %+v\nroutes %v", seed, got, want, *v.r, h.source)
				}
				if asked++; want >= 0 {
					found++
				}
			}
		}
	}
	if found < asked/10 || found > asked*95/100 {
		t.Errorf("%d of %d requests found a route: the tables say too little", found, asked)
	}
	if told < 200 {
		t.Errorf("only %d values of headers tell routes apart", told)
	}
}

// toldApart is how many values of headers an index goes by.
func toldApart(x *index) int {
	choices := []choice{x.open}
	for _, c := range x.exact {
		choices = append(choices, c)
	}
	for _, t := range []trie{x.heads, x.inner} {
		for i := range t.nodes {
			choices = append(choices, t.nodes[i].ids)
		}
	}
	n := 0
	for _, c := range choices {
		for _, by := range c.by {
			n += len(by.routes)
		}
	}
	return n
}

// TestNextWinsWithoutTheWinner takes the winner away, and the one that Explain
// called Next must win.
func TestNextWinsWithoutTheWinner(t *testing.T) {
	routesNext, hostsNext := 0, 0
	for seed := range uint64(400) {
		d := roll(seed)
		rc := d.config(1+d.IntN(6), 1+d.IntN(12))
		table, _ := Compile(rc)
		for range 10 {
			r := d.request()
			hit := table.Match(r)
			losers := table.Explain(r, hit)
			checkLosers(t, rc, hit, losers)
			if hit.Route != nil {
				routesNext += withoutRoute(t, rc, r, hit, losers)
			}
			if hit.VirtualHost != nil {
				hostsNext += withoutHost(t, rc, r, hit, losers)
			}
		}
	}
	if routesNext < 100 || hostsNext < 100 {
		t.Errorf("only %d routes and %d virtual hosts were next", routesNext, hostsNext)
	}
}

// checkLosers holds that every other virtual host and route is there once, in
// order, with a reason.
func checkLosers(t *testing.T, rc *routev3.RouteConfiguration, hit Hit, losers []Loser) {
	t.Helper()
	var want []Loser
	for i, vh := range rc.GetVirtualHosts() {
		if vh != hit.VirtualHost {
			want = append(want, Loser{HostIndex: i, RouteIndex: -1})
			continue
		}
		for j, r := range vh.GetRoutes() {
			if r != hit.Route {
				want = append(want, Loser{HostIndex: i, RouteIndex: j})
			}
		}
	}
	if len(want) != len(losers) {
		t.Fatalf("%d losers, want %d", len(losers), len(want))
	}
	for i, l := range losers {
		if l.HostIndex != want[i].HostIndex || l.RouteIndex != want[i].RouteIndex || l.Reason == "" {
			t.Fatalf("loser %d is %+v, want virtual host %d, route %d and a reason", i, l, want[i].HostIndex, want[i].RouteIndex)
		}
	}
}

func withoutRoute(t *testing.T, rc *routev3.RouteConfiguration, r *Request, hit Hit, losers []Loser) int {
	t.Helper()
	less := proto.Clone(rc).(*routev3.RouteConfiguration)
	vh := less.GetVirtualHosts()[hit.HostIndex]
	vh.Routes = append(vh.Routes[:hit.RouteIndex], vh.Routes[hit.RouteIndex+1:]...)
	table, _ := Compile(less)
	now := table.Match(r)
	for _, l := range losers {
		if l.RouteIndex >= 0 && l.Next {
			if now.Route == nil || now.RouteIndex+1 != l.RouteIndex {
				t.Fatalf("without route %d route %d should win, and it is %d\nrequest %+v\n%v", hit.RouteIndex, l.RouteIndex, now.RouteIndex+1, *r, rc)
			}
			return 1
		}
	}
	if now.Route != nil {
		t.Fatalf("without route %d route %d wins, and none was called next", hit.RouteIndex, now.RouteIndex+1)
	}
	return 0
}

func withoutHost(t *testing.T, rc *routev3.RouteConfiguration, r *Request, hit Hit, losers []Loser) int {
	t.Helper()
	less := proto.Clone(rc).(*routev3.RouteConfiguration)
	less.VirtualHosts = append(less.VirtualHosts[:hit.HostIndex], less.VirtualHosts[hit.HostIndex+1:]...)
	table, _ := Compile(less)
	now := table.Match(r)
	for _, l := range losers {
		if l.RouteIndex < 0 && l.Next {
			if now.VirtualHost.GetName() != rc.GetVirtualHosts()[l.HostIndex].GetName() {
				t.Fatalf("without virtual host %d it should be %d, and it is %q", hit.HostIndex, l.HostIndex, now.VirtualHost.GetName())
			}
			return 1
		}
	}
	if now.VirtualHost != nil {
		t.Fatalf("without virtual host %d %q takes it, and none was called next", hit.HostIndex, now.VirtualHost.GetName())
	}
	return 0
}

// TestNothingReachesAShadowedRoute sends random requests at tables, and none may
// reach a route that Shadowed names.
func TestNothingReachesAShadowedRoute(t *testing.T) {
	shadowed, reached := 0, 0
	for seed := range uint64(800) {
		d := roll(seed)
		rc := d.config(1, 25)
		rc.GetVirtualHosts()[0].Domains = []string{"*"}
		if seed%2 == 0 {
			rc = d.conditions(8)
		}
		table, _ := Compile(rc)
		by := map[int]Shadow{}
		for _, s := range table.Shadowed() {
			by[s.RouteIndex] = s
			shadowed++
			if s.By >= s.RouteIndex || s.Reason == "" {
				t.Errorf("a shadow that says nothing: %+v", s)
			}
		}
		for i := range table.hosts[0].routes {
			for range 40 {
				r := d.request()
				d.aim(r, &table.hosts[0].routes[i])
				hit := table.Match(r)
				if s, ok := by[hit.RouteIndex]; ok && hit.Route != nil {
					t.Fatalf("seed %d: %+v, and yet it takes %+v\n%v\nby %v", seed, s, *r, hit.Route.GetMatch(), rc.GetVirtualHosts()[0].GetRoutes()[s.By].GetMatch())
				}
				if hit.Route != nil {
					reached++
				}
			}
		}
	}
	if shadowed < 400 || reached < 1000 {
		t.Errorf("only %d routes are shadowed and %d requests reached one", shadowed, reached)
	}
}

// aim makes a request more likely to be one that the route takes.
func (d dice) aim(r *Request, rt *route) {
	switch rt.path.kind {
	case pathPrefix:
		r.Method, r.Path = "GET", rt.path.text+pick(d, "", "/a", "x", "?q=1")
	case pathExact:
		r.Method, r.Path = "GET", rt.path.text+pick(d, "", "?q=1")
	case pathSeparated:
		r.Method, r.Path = "GET", rt.path.text+pick(d, "", "/", "/b")
	case pathTemplate:
		if strings.ContainsAny(rt.path.text, "{*") {
			return
		}
		r.Method, r.Path = "GET", rt.path.text
	default:
		if d.one(4) {
			r.Method, r.Path = "OPTIONS", "*"
		}
		return
	}
	if r.Path == "" || r.Path[0] != '/' {
		r.Path = "/" + r.Path
	}
	for i := range rt.headers {
		if m := &rt.headers[i]; m.kind == valueText && m.text.kind == textExact && !m.invert && m.name[0] != ':' {
			r.Headers = append(r.Headers, Header{m.name, m.text.want})
		}
	}
}

// TestNoPathMatchesTheUnmatchable tries random paths on expressions that
// Unmatchable names, and it must know those that plainly never match.
func TestNoPathMatchesTheUnmatchable(t *testing.T) {
	named := 0
	for seed := range uint64(3000) {
		d := roll(seed)
		source := pick(d, "", "^", "/", "a", "(?i)", "/?", "[a-z]*", "/a", ".*", "(/|b)") +
			pick(d, "", "b", "$", "^", "/b", "\\?", ".*", "(^/|$)", "\\b", "[^/]") + pick(d, "", "/x", "#", "+", "*", ".*", "$")
		rc := &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: source}}},
		}}}}}
		table, problems := Compile(rc)
		if len(problems) > 0 {
			continue // no expression at all
		}
		unmatchable := len(table.Unmatchable()) > 0
		if unmatchable {
			named++
		}
		for range 60 {
			r := &Request{Method: "GET", Scheme: "http", Authority: "a", Path: pick(d, d.requestPath(), "/", "/b", "/b/x", "/ab", "/aa/b", "/x", "/B")}
			if table.Match(r).Route != nil && unmatchable {
				t.Fatalf("%q is called unmatchable, and %q matches it", source, r.Path)
			}
		}
	}
	if named < 100 || named > 2500 {
		t.Errorf("%d of 3000 expressions are called unmatchable", named)
	}
}

// TestTableIsSharedByGoroutines asks one fresh table, whose expressions are
// compiled when they are first asked, from many goroutines at once.
func TestTableIsSharedByGoroutines(t *testing.T) {
	d := roll(1)
	rc := d.config(3, 60)
	table, _ := Compile(rc)
	alone, _ := Compile(rc)
	requests := make([]*Request, 200)
	want := make([]Hit, len(requests))
	for i := range requests {
		requests[i] = d.request()
		want[i] = alone.Match(requests[i])
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i, r := range requests {
				hit := table.Match(r)
				if hit.Route != want[i].Route || hit.VirtualHost != want[i].VirtualHost {
					t.Errorf("request %d finds %v, alone %v", i, hit, want[i])
				}
				table.Explain(r, hit)
				table.Act(hit, r)
			}
		})
	}
	group.Wait()
}
