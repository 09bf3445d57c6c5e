package routes

import (
	"fmt"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// mixes are kinds of tables as people have them. In the first three each route
// has its own path; in the others all have the same, and a header tells them
// apart, as where each tenant has a route of its own.
var mixes = []struct {
	name  string
	route func(i int, r *Request) *routev3.RouteMatch // and what a request has that takes it
}{
	{"prefix", func(i int, r *Request) *routev3.RouteMatch {
		p := fmt.Sprintf("/team-%d/service-%d/", i%40, i)
		r.Path = p + "v1/orders?q=1"
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: p}}
	}},
	{"path", func(i int, r *Request) *routev3.RouteMatch {
		r.Path = fmt.Sprintf("/team-%d/service-%d/health", i%40, i)
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: r.Path}}
	}},
	{"regex", func(i int, r *Request) *routev3.RouteMatch {
		r.Path = fmt.Sprintf("/api/v2/service-%d/orders/7", i)
		m := &matcherv3.RegexMatcher{Regex: fmt.Sprintf("/api/v[0-9]+/service-%d(/.*)?", i)}
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: m}}
	}},
	{"header", func(i int, r *Request) *routev3.RouteMatch {
		tenant := fmt.Sprintf("tenant-%d", i)
		r.Path, r.Headers = "/orders/7", append(r.Headers, Header{"x-tenant", tenant})
		return underSlash(exactly("x-tenant", tenant), exactly(":method", "GET"))
	}},
	{"authority", func(i int, r *Request) *routev3.RouteMatch {
		r.Path, r.Authority = "/orders/7", fmt.Sprintf("tenant-%d.test", i)
		return underSlash(exactly(":authority", r.Authority))
	}},
	{"header prefix", func(i int, r *Request) *routev3.RouteMatch {
		tenant := fmt.Sprintf("tenant-%d-", i)
		r.Path, r.Headers = "/orders/7", append(r.Headers, Header{"x-user", tenant + "me"})
		h := exactly("x-user", "")
		h.GetStringMatch().MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: tenant}
		return underSlash(h)
	}},
}

// kinds are the names of the mixes that the index tells apart, and all of them
// in one table; "header prefix" is the truth about what it does not.
var kinds = []string{"prefix", "path", "regex", "header", "authority", "mixed", "header prefix"}

func underSlash(headers ...*routev3.HeaderMatcher) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: headers}
}

func exactly(header, value string) *routev3.HeaderMatcher {
	m := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}}
	return &routev3.HeaderMatcher{Name: header, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

// mixed is a table of n routes of one kind, or of all that the index tells
// apart, and a request for each of ten routes spread over it.
func mixed(kind string, n int) (*routev3.RouteConfiguration, []*Request) {
	vh := &routev3.VirtualHost{Name: "v", Domains: []string{"*"}}
	var asked []*Request
	for i := range n {
		mix := mixes[i%(len(mixes)-1)]
		for _, m := range mixes {
			if m.name == kind {
				mix = m
			}
		}
		r := &Request{Method: "GET", Scheme: "http", Authority: "a.test",
			Headers: []Header{{"user-agent", "curl"}, {"accept", "*/*"}, {"x-request-id", "1"}}}
		vh.Routes = append(vh.Routes, &routev3.Route{Match: mix.route(i, r)})
		if i%(n/10) == 0 {
			asked = append(asked, r)
		}
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{vh}}, asked
}

// BenchmarkMatch finds a route among 10 and 10,000, and says how many times
// longer a plain walk through the same table takes in the same run.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("%d/%s", n, kind), func(b *testing.B) {
				rc, asked := mixed(kind, n)
				table, _ := Compile(rc)
				for _, r := range asked {
					if table.Match(r).Route == nil {
						b.Fatalf("%s finds no route", r.Path)
					}
				}
				walks := 0
				start := time.Now()
				for walks < 200 {
					for _, r := range asked {
						v := table.look(r)
						table.hosts[0].walk(&v, 0)
						walks++
					}
				}
				walk := float64(time.Since(start)) / float64(walks)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					table.Match(asked[i%len(asked)])
				}
				b.ReportMetric(walk/(float64(b.Elapsed())/float64(b.N)), "x-walk")
			})
		}
	}
}

// BenchmarkCompile compiles tables, as every edit does.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		for _, kind := range []string{"mixed", "regex", "header"} {
			b.Run(fmt.Sprintf("%d/%s", n, kind), func(b *testing.B) {
				rc, _ := mixed(kind, n)
				b.ReportAllocs()
				for b.Loop() {
					Compile(rc)
				}
			})
		}
	}
}

// BenchmarkExplain gives a reason for each of 10,000 routes.
func BenchmarkExplain(b *testing.B) {
	rc, asked := mixed("mixed", 10_000)
	table, _ := Compile(rc)
	hit := table.Match(asked[5])
	for b.Loop() {
		table.Explain(asked[5], hit)
	}
}

// BenchmarkShadowed looks for shadowed routes among 10,000: of all kinds, and of
// the worst, where half of them say the same and cover none of the others.
func BenchmarkShadowed(b *testing.B) {
	rc, _ := mixed("mixed", 10_000)
	for name, rc := range map[string]*routev3.RouteConfiguration{"mixed": rc, "alike": alike(5_000)} {
		b.Run(name, func(b *testing.B) {
			table, _ := Compile(rc)
			for b.Loop() {
				table.Shadowed()
			}
		})
	}
}

// alike is n times path "/" and then n times prefix "/", each with a header of its
// own.
func alike(n int) *routev3.RouteConfiguration {
	vh := &routev3.VirtualHost{Name: "v", Domains: []string{"*"}}
	for range n {
		vh.Routes = append(vh.Routes, &routev3.Route{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/"}}})
	}
	for i := range n {
		vh.Routes = append(vh.Routes, &routev3.Route{Match: underSlash(exactly("x-tenant", fmt.Sprint(i)))})
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{vh}}
}
