package xds_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// rules are routes by prefix, in their order, and who is to answer each.
var rules = map[string]string{"/a/b": "v1", "/a": "v2", "/c": "v1", "/": "v2"}

// orders are those in which the first match is the right one.
var orders = [][]string{
	{"/a/b", "/a", "/c", "/"},
	{"/c", "/a/b", "/a", "/"},
	{"/a/b", "/c", "/a", "/"},
}

// wrong has a general rule before a special one.
var wrong = []string{"/a", "/a/b", "/c", "/"}

// ordered is the mesh with the rules in an order. Each has a cluster of its own,
// named after its place, as controllers do it, and after the push.
func (j *journey) ordered(order []string, push int) *mesh.Mesh {
	j.t.Helper()
	rc := route("local", "x")
	rc.VirtualHosts[0].Routes = nil
	all := []proto.Message{listener(j.t, "web", j.front, "local"), rc}
	for i, prefix := range order {
		name := fmt.Sprintf("rule-%d-of-%d", i, push)
		rc.VirtualHosts[0].Routes = append(rc.VirtualHosts[0].Routes, &routev3.Route{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name},
			}},
		})
		port := j.v1
		if rules[prefix] == "v2" {
			port = j.v2
		}
		all = append(all, cluster(name, time.Second), endpoints(name, port))
	}
	return meshOf(j.t, all...)
}

// everyRule is load on all rules.
func (j *journey) everyRule() *load {
	j.t.Helper()
	var targets []target
	for prefix, who := range rules {
		targets = append(targets, target{urlOf(j.front) + strings.TrimPrefix(prefix, "/") + "/x", who})
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.url, b.url) })
	return startLoads(j.t, targets...)
}

// Routes change their order, and all their clusters their names: every request
// is answered, and by the right one.
func TestEnvoyReordersRoutes(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		j.accepted(j.ordered(orders[0], 0))
		l := j.everyRule()
		for push := range 12 {
			l.flow(t, 40)
			j.accepted(j.ordered(orders[push%len(orders)], push+1))
			l.flow(t, 40)
			l.lostNone(t, fmt.Sprintf("push %d", push+1))
		}
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// The control runs: sent at once, requests are lost; in a wrong order, they are
// answered by the wrong one.
func TestEnvoyLosesRequestsReordered(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{Unsequenced: true})
		j.accepted(j.ordered(orders[0], 0))
		l := j.everyRule()
		push := 1
		for ; push < 200 && l.bad.Load() == 0; push++ {
			j.accepted(j.ordered(orders[push%len(orders)], push))
			l.flow(t, 20)
		}
		if l.bad.Load() == 0 {
			t.Errorf("%d reorders lost none of %d requests", push, l.sent.Load())
		}
	})
	t.Run("wrong order", func(t *testing.T) {
		j := startJourney(t, false, xds.Options{})
		j.accepted(j.ordered(orders[0], 0))
		l := j.everyRule()
		j.accepted(j.ordered(wrong, 1))
		l.flow(t, 100)
		if l.bad.Load() == 0 {
			t.Errorf("all of %d requests found the right one in the wrong order", l.sent.Load())
		}
	})
}
