package matchtest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// Every request of random meshes goes where the matcher says, with a real Envoy
// for a judge. MESHTUI_FUZZ_ENVOY is how many requests to send, MESHTUI_SEED
// where to begin, MESHTUI_WITHOUT a comma list of what to leave out (see
// Options.Without), to look for what else there is.
func TestAgainstEnvoy(t *testing.T) {
	l := newLab(t)
	n, seed := number(t, "MESHTUI_FUZZ_ENVOY", 8000), uint64(number(t, "MESHTUI_SEED", 1))
	without := strings.Split(os.Getenv("MESHTUI_WITHOUT"), ",")
	run := l.run(seed, n, 100, func(m *mesh.Mesh) Asker { return match.New(m) }, func(seed uint64, o Options) Case {
		o.Without, o.HTTP2 = without, true
		return New(seed, o)
	})
	t.Logf("%s\n%d cases that Envoy refuses", &run.tally, len(run.refused))
	for _, why := range run.refused {
		t.Errorf("the generator made what Envoy refuses: %s", why)
	}
	if os.Getenv("MESHTUI_WITHOUT") == "" {
		for _, thin := range run.tally.Thin(4000) {
			t.Errorf("too rare to be tested: %s", thin)
		}
	}
	l.reportEach(run)
}

// What Envoy takes, the checks take: of a generated mesh they refuse nothing
// but the cluster that is not there.
func TestChecksTakeWhatEnvoyTakes(t *testing.T) {
	for seed := range uint64(200) {
		for _, f := range check.Mesh(New(seed, plain).Mesh) {
			if f.Severity >= mesh.Error && f.Rule != "dangling-reference" {
				t.Errorf("seed %d: %s: %s", seed, f.Rule, f.Message)
			}
		}
	}
}

// reportEach fails for one failure of each sort, shrunk, and counts the others.
func (l *lab) reportEach(r run) {
	const most = 5
	counts, order := map[string]int{}, []failure(nil)
	for _, f := range r.failures {
		if counts[f.sort()]++; counts[f.sort()] == 1 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(x, y failure) int { return counts[y.sort()] - counts[x.sort()] })
	for i, f := range order {
		if i < most {
			l.t.Errorf("%d × %s, %q\n%s", counts[f.sort()], f.sort(), f.c.Requests[0].Raw, l.report(f))
		} else {
			l.t.Errorf("%d × %s, seed %d, %q", counts[f.sort()], f.sort(), f.c.Seed, f.c.Requests[0].Raw)
		}
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number above 0", name, s)
	}
	return n
}

// failure is a request that went elsewhere than predicted.
type failure struct {
	c     Case // with that request alone
	way   match.Way
	found []Difference
	seen  Observed
	asker func(*mesh.Mesh) Asker
}

// sort is what failures that may have one cause have in common.
func (f failure) sort() string {
	return fmt.Sprintf("%s, predicted %s %d %s, observed %d %s", f.found[0].Kind, f.way.Action, f.way.Status, f.way.Detail, f.seen.Status, f.seen.Details)
}

// shape is what a failure keeps while it is shrunk.
func (f failure) shape() string {
	return fmt.Sprint(f.found[0].Kind, f.way.Action, f.seen.Reached, f.seen.Status == 0, f.c.Requests[0].Ask.HTTP2)
}

type run struct {
	tally    Tally
	failures []failure
	refused  []string
}

// run sends n requests in batches, each to an Envoy of its own.
func (l *lab) run(seed uint64, n, perCase int, asker func(*mesh.Mesh) Asker, make func(uint64, Options) Case) run {
	const perBatch = 40
	var out run
	for sent := 0; sent < n; {
		var cases []Case
		for len(cases) < perBatch && sent < n {
			size := min(perCase, n-sent)
			cases = append(cases, make(seed, Options{Address: loopback(len(cases)), Port: l.port, Backends: l.backends, Requests: size, LocalReplies: true}))
			seed++
			sent += size
		}
		seen, refused, err := l.observe(cases)
		if err != nil {
			l.t.Fatal(err)
		}
		for i, c := range cases {
			if why := refused[i]; why != "" {
				out.refused = append(out.refused, fmt.Sprintf("seed %d: %s", c.Seed, why[max(0, len(why)-400):]))
				continue
			}
			out.compare(c, seen[i], asker)
		}
	}
	return out
}

func (r *run) compare(c Case, seen []Observed, asker func(*mesh.Mesh) Asker) {
	a := asker(c.Mesh)
	for i, q := range c.Requests {
		way := a.Match(&q.Ask)
		r.tally.Add(way, q)
		if found := Compare(a, q, seen[i]); len(found) > 0 {
			r.failures = append(r.failures, failure{c: Case{Seed: c.Seed, Options: c.Options, Mesh: c.Mesh, Requests: []Request{q}}, found: found, seen: seen[i], way: way, asker: asker})
		}
	}
}

// shrink makes a failure small, as long as it fails in the same point.
func (l *lab) shrink(f failure) failure {
	shape := f.shape()
	judge := func(cases []Case) ([]failure, []bool) {
		out, fails := make([]failure, len(cases)), make([]bool, len(cases))
		var valid []Case
		var at []int
		for i, c := range cases {
			if validates(c) {
				valid, at = append(valid, c), append(at, i)
			}
		}
		if len(valid) == 0 {
			return out, fails
		}
		seen, refused, err := l.observe(valid)
		if err != nil {
			return out, fails // nothing of the batch is taken
		}
		for i, c := range valid {
			if refused[i] != "" || len(seen[i]) == 0 {
				continue
			}
			found := Compare(f.asker(c.Mesh), c.Requests[0], seen[i][0])
			now := failure{c: c, way: f.asker(c.Mesh).Match(&c.Requests[0].Ask), found: found, seen: seen[i][0], asker: f.asker}
			out[at[i]], fails[at[i]] = now, len(found) > 0 && now.shape() == shape
		}
		return out, fails
	}
	small := Shrink(f.c, func(cases []Case) []bool {
		_, fails := judge(cases)
		return fails
	})
	if last, fails := judge([]Case{small}); fails[0] {
		return last[0]
	}
	return f
}

// validates reports whether a case keeps to what the protos say of their
// fields: Envoy refuses a whole response for one that does not.
func validates(c Case) bool {
	for _, r := range c.Mesh.All() {
		if v, ok := r.Message.(interface{ ValidateAll() error }); ok && v.ValidateAll() != nil {
			return false
		}
	}
	return true
}

// report shrinks a failure and writes it down.
func (l *lab) report(f failure) string {
	f = l.shrink(f)
	return Report(f.c, f.asker(f.c.Mesh), f.seen, f.found)
}

// inlineTable is the routes that stand in a case's listener.
func inlineTable(c Case) *routev3.RouteConfiguration {
	hcm := &hcmv3.HttpConnectionManager{}
	chains := inlined(c, 0).GetFilterChains()
	if len(chains) == 0 || len(chains[0].Filters) == 0 || chains[0].Filters[0].GetTypedConfig().UnmarshalTo(hcm) != nil {
		return nil
	}
	return hcm.GetRouteConfig()
}
