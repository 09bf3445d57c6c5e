package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// A saved change goes to the chosen node first, and to the other when that has
// accepted it. One that is rejected goes no further, is told in plain words at
// its line, and is taken back by itself.
func TestServeSendsAChangeToSomeFirst(t *testing.T) {
	envoyPath := needEnvoy(t)
	env := home(t)
	port := freeBase(t, 300)
	dir := folder(t, port, named(t, "one"))
	p := serve(t, env, "--watch", "--envoy", envoyPath, "--nodes", "2", "--first", "envoy-1", "--auto-rollback", dir)
	for asked := map[string]bool{}; len(asked) < 2; {
		asked[p.until("acked", "route", nil).Node] = true
	}

	rewrite(t, filepath.Join(dir, "rds.yaml"), func(s string) string { return strings.Replace(s, "name: all", "name: every", 1) })
	p.until("pushed", "", func(e event) bool {
		return e.Revision == 2 && strings.HasPrefix(e.Detail, "to envoy-1 first")
	})
	if e := p.until("acked", "route", nil); e.Node != "envoy-1" {
		t.Errorf("%s had the change first", e.Node)
	}
	p.until("widened", "", func(e event) bool { return e.Revision == 2 })
	p.until("acked", "route", func(e event) bool { return e.Node == "envoy-2" && e.Revision == 2 })

	// A second listener on a port that somebody holds.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	rewrite(t, filepath.Join(dir, "lds.yaml"), func(s string) string {
		second := strings.SplitN(s, "resources:\n", 2)[1]
		second = strings.NewReplacer("name: front\n", "name: second\n", fmt.Sprint(port), fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)).Replace(second)
		return s + second
	})
	p.until("rejected", "listener", func(e event) bool { return e.Node == "envoy-1" && e.Revision == 3 })
	told := p.until("finding", "listener", func(e event) bool { return e.Rule == "rejected" })
	if !strings.HasSuffix(told.File, "lds.yaml") || told.Line == 0 || told.Node != "envoy-1" {
		t.Errorf("the rejection is not found in the text: %+v", told)
	}
	p.until("pushed", "", func(e event) bool { return e.Revision == 4 && strings.Contains(e.Detail, "automatic rollback") })
	p.until("outcome", "", func(e event) bool { return e.Revision == 4 && strings.HasPrefix(e.Detail, "accepted by") })
	for _, e := range p.seen {
		if e.Node == "envoy-2" && e.Revision == 3 {
			t.Errorf("the rejected revision reached the other node: %s", e.line())
		}
	}

	// A port that only the other node cannot have: all go back to what they had.
	busy := busyForTheSecond(t)
	rewrite(t, filepath.Join(dir, "lds.yaml"), func(s string) string {
		one, _, _ := strings.Cut(s, "- \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n  name: second")
		return strings.Replace(one, fmt.Sprint(port), fmt.Sprint(busy), 1)
	})
	p.until("widened", "", func(e event) bool { return e.Revision == 5 })
	p.until("rejected", "listener", func(e event) bool { return e.Node == "envoy-2" && e.Revision == 5 })
	p.until("outcome", "", func(e event) bool { return e.Revision == 5 && strings.HasPrefix(e.Detail, "rejected") })
	p.until("pushed", "", func(e event) bool {
		return e.Revision == 6 && strings.HasPrefix(e.Detail, "automatic rollback to 4: envoy-2 rejected 5")
	})
	p.until("acked", "listener", func(e event) bool { return e.Node == "envoy-1" && e.Revision == 6 })
	p.until("outcome", "", func(e event) bool { return e.Revision == 6 && strings.HasPrefix(e.Detail, "accepted by 2 nodes") })
	for _, p := range []int{port, port + 100} {
		if got := body(t, fmt.Sprintf("http://127.0.0.1:%d/", p)); got != "one" {
			t.Errorf("port %d is answered by %q", p, got)
		}
	}

	// Another program asks over CSDS how the nodes stand.
	out, errOut, status := meshtui(t, env, "nodes")
	if status != 0 || strings.Count(out, "ACKED") != 8 || !strings.Contains(out, "envoy-2  RDS") {
		t.Errorf("nodes: status %d, %s\n%s", status, errOut, out)
	}
}

// busyForTheSecond is a port that is free, while somebody holds the one that the
// second local Envoy takes in its place.
func busyForTheSecond(t *testing.T) int {
	t.Helper()
	port := freeBase(t, 200)
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+100))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	return port
}
