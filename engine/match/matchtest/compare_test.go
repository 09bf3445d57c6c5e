package matchtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// Each point in which prediction and observation can part is told.
func TestDifferences(t *testing.T) {
	to := match.Way{Action: match.Forward, VirtualHost: "v", Route: match.RouteID{Name: "r"}, Cluster: "c0", Host: "h", Path: "/p", FilterChain: "0"}
	got := Observed{Status: 200, Reached: true, VirtualHost: "v", Route: "r", Cluster: "c0", Host: "h", Path: "/p", Method: "GET"}
	redirect := match.Way{Action: match.Redirect, Status: 301, Location: "http://h/x", Detail: "direct_response"}
	answered := Observed{Status: 301, Location: "http://h/x", Details: "direct_response"}
	with := func(change func(*Observed)) Observed { o := got; change(&o); return o }
	and := func(change func(*Observed)) Observed { o := answered; change(&o); return o }
	for _, c := range []struct {
		name string
		way  match.Way
		o    Observed
		want []string
	}{
		{"as predicted", to, got, nil},
		{"another route", to, with(func(o *Observed) { o.Route = "q" }), []string{"route"}},
		{"another virtual host", to, with(func(o *Observed) { o.VirtualHost = "w" }), []string{"virtual host"}},
		{"another cluster", to, with(func(o *Observed) { o.Cluster = "c1" }), []string{"cluster"}},
		{"another path and host", to, with(func(o *Observed) { o.Path, o.Host = "/q", "i" }), []string{"host", "path"}},
		{"another filter chain", to, with(func(o *Observed) { o.FilterChain = "1" }), []string{"filter chain"}},
		{"not reached", to, answered, []string{"fate"}},
		{"no answer", to, Observed{Err: "EOF"}, []string{"fate"}},
		{"redirected as predicted", redirect, answered, nil},
		{"redirected elsewhere", redirect, and(func(o *Observed) { o.Location = "http://h/y" }), []string{"location"}},
		{"another status and reason", redirect, and(func(o *Observed) { o.Status, o.Details = 302, "x" }), []string{"status", "details"}},
		{"redirect, but reached", redirect, got, []string{"fate"}},
		{"redirect, but no answer", redirect, Observed{Err: "EOF"}, []string{"fate"}},
		{"gRPC says the status its own way", match.Way{Action: match.NotFound, Status: 404}, Observed{Status: 200, GRPCStatus: "12"}, nil},
		{"gRPC says another status", match.Way{Action: match.NotFound, Status: 404}, Observed{Status: 200, GRPCStatus: "14"}, []string{"status"}},
		{"another body", match.Way{Action: match.DirectResponse, Status: 200, Body: "a"}, Observed{Status: 200, Body: "b"}, []string{"body"}},
		{"closed as predicted", match.Way{Action: match.NoFilterChain}, Observed{Err: "EOF"}, nil},
		{"not closed", match.Way{Action: match.NoFilterChain}, Observed{Status: 200}, []string{"fate"}},
		{"refused without an answer", match.Way{Action: match.Refused}, Observed{Err: "EOF"}, nil},
		{"refused, but answered", match.Way{Action: match.Refused}, Observed{Status: 200}, []string{"status"}},
		{"undecided is no answer", match.Way{Action: match.Undecided}, got, []string{"fate"}},
	} {
		var kinds []string
		for _, d := range Differences(c.way, Request{Ask: match.Request{Method: "GET"}}, c.o) {
			kinds = append(kinds, d.Kind)
		}
		if d := cmp.Diff(c.want, kinds); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// weighing answers with the cluster that the random value decides.
type weighing struct{}

func (weighing) Match(r *match.Request) match.Way {
	way := match.Way{Action: match.Forward, Path: "/", Host: "h", Weighted: []routes.Weighted{{Name: "c0", Weight: 1}, {Name: "c1", Weight: 2}, {Name: "c2"}}}
	if r.Random != nil {
		way.Cluster = [...]string{"c0", "c1", "c1"}[*r.Random]
	}
	return way
}

// Of weighted clusters any with a weight is right, and no other.
func TestCompareWeights(t *testing.T) {
	for cluster, right := range map[string]bool{"c0": true, "c1": true, "c2": false, "c3": false} {
		found := Compare(weighing{}, Request{}, Observed{Status: 200, Reached: true, Cluster: cluster, Path: "/", Host: "h"})
		if (len(found) == 0) != right {
			t.Errorf("%s: %v", cluster, found)
		}
	}
}
