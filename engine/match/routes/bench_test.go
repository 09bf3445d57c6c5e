package routes

import (
	"fmt"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// mixes are kinds of tables as people have them; each route has its own path.
var mixes = []struct {
	name string
	path func(i int) (m *routev3.RouteMatch, request string)
}{
	{"prefix", func(i int) (*routev3.RouteMatch, string) {
		p := fmt.Sprintf("/team-%d/service-%d/", i%40, i)
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: p}}, p + "v1/orders?q=1"
	}},
	{"path", func(i int) (*routev3.RouteMatch, string) {
		p := fmt.Sprintf("/team-%d/service-%d/health", i%40, i)
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: p}}, p
	}},
	{"regex", func(i int) (*routev3.RouteMatch, string) {
		m := &matcherv3.RegexMatcher{Regex: fmt.Sprintf("/api/v[0-9]+/service-%d(/.*)?", i)}
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: m}}, fmt.Sprintf("/api/v2/service-%d/orders/7", i)
	}},
}

// mixed is a table of n routes of one kind, or of all, that all end in a
// catch-all, and a request for each of ten routes spread over it.
func mixed(kind string, n int) (*routev3.RouteConfiguration, []*Request) {
	vh := &routev3.VirtualHost{Name: "v", Domains: []string{"*"}}
	var asked []*Request
	for i := range n {
		mix := mixes[i%len(mixes)]
		for _, m := range mixes {
			if m.name == kind {
				mix = m
			}
		}
		match, path := mix.path(i)
		vh.Routes = append(vh.Routes, &routev3.Route{Match: match})
		if i%(n/10) == 0 {
			asked = append(asked, &Request{Method: "GET", Scheme: "http", Authority: "a.test", Path: path,
				Headers: []Header{{"user-agent", "curl"}, {"accept", "*/*"}, {"x-request-id", "1"}}})
		}
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{vh}}, asked
}

// BenchmarkMatch finds a route among 10 and 10,000, and says how many times
// longer a plain walk through the same table takes in the same run.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		for _, kind := range []string{"prefix", "path", "regex", "mixed"} {
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
		for _, kind := range []string{"mixed", "regex"} {
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

// BenchmarkShadowed looks for shadowed routes among 10,000.
func BenchmarkShadowed(b *testing.B) {
	rc, _ := mixed("mixed", 10_000)
	table, _ := Compile(rc)
	for b.Loop() {
		table.Shadowed()
	}
}
