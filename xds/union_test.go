package xds_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// late is a node that answers late. What it has of each type is one of several:
// what it had at its last answer, and that with each response that came since.
type late struct {
	t    *testing.T
	st   *xdstest.Stream
	may  map[mesh.Type][]map[string]*mesh.Resource // oldest first, never empty
	open map[mesh.Type][]xdstest.Response
	told []string
}

func newLate(t *testing.T, st *xdstest.Stream) *late {
	l := &late{t: t, st: st, may: map[mesh.Type][]map[string]*mesh.Resource{}, open: map[mesh.Type][]xdstest.Response{}}
	for _, typ := range mesh.Types() {
		l.may[typ] = []map[string]*mesh.Resource{{}}
	}
	return l
}

// apply notes what a response makes of what the node had.
func (l *late) apply(r xdstest.Response, delta bool) {
	l.t.Helper()
	l.told = append(l.told, r.String())
	states := l.may[r.Type]
	before := states[len(states)-1]
	now := map[string]*mesh.Resource{}
	if delta || r.Type == mesh.Route || r.Type == mesh.Endpoints {
		for name, res := range before {
			now[name] = res
		}
	}
	for name, a := range r.Resources {
		msg, err := a.UnmarshalNew()
		if err != nil {
			l.t.Fatal(err)
		}
		res, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			l.t.Fatal(err)
		}
		now[name] = res
	}
	for _, name := range r.Removed {
		delete(now, name)
	}
	l.may[r.Type] = append(states, now)
	l.open[r.Type] = append(l.open[r.Type], r)
}

// answer accepts the oldest response of a type, if one is open.
func (l *late) answer(typ mesh.Type) bool {
	if len(l.open[typ]) == 0 {
		return false
	}
	r := l.open[typ][0]
	l.open[typ], l.may[typ] = l.open[typ][1:], l.may[typ][1:]
	l.told = append(l.told, "ACK of "+r.String())
	l.st.Ack(r)
	return true
}

// check is what must always hold: each listener's address has one listener, and
// what traffic may be led by leads to clusters that are there, with endpoints.
func (l *late) check() {
	l.t.Helper()
	used := map[string]bool{}
	for _, state := range l.may[mesh.Listener] {
		if len(state) != 1 {
			l.fail("%d listeners, want always the one: %v", len(state), state)
		}
		for _, res := range state {
			for _, ref := range mesh.References(res) {
				if ref.To.Type == mesh.Route {
					used[ref.To.Name] = true
				}
			}
		}
	}
	for _, state := range l.may[mesh.Route] {
		for name, res := range state {
			if !used[name] {
				delete(state, name) // as Envoy does when no listener names it
				continue
			}
			for _, ref := range mesh.References(res) {
				if ref.To.Type == mesh.Cluster {
					l.mustHave(ref)
				}
			}
		}
	}
}

func (l *late) mustHave(ref mesh.Reference) {
	l.t.Helper()
	for _, typ := range []mesh.Type{mesh.Cluster, mesh.Endpoints} {
		for i, state := range l.may[typ] {
			if state[ref.To.Name] == nil {
				l.fail("%s may lead to %s, which the node may not have (%s, %d of %d)", ref.From, ref.To, typ.Service(), i+1, len(l.may[typ]))
			}
		}
	}
}

func (l *late) fail(format string, args ...any) {
	l.t.Helper()
	for _, line := range l.told[max(0, len(l.told)-25):] {
		l.t.Log(line)
	}
	l.t.Fatalf(format, args...)
}

// seeds is how many random courses a test takes: MESHTUI_SEEDS, or few.
func seeds(t *testing.T, few uint64) uint64 {
	t.Helper()
	text := os.Getenv("MESHTUI_SEEDS")
	if text == "" {
		return few
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("MESHTUI_SEEDS: %v", err)
	}
	return n
}

// Revisions come faster than a node answers. Whatever of that it has taken, its
// port has a listener, and traffic is led only to what it has.
func TestUnansweredRevisions(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		for seed := range seeds(t, 6) {
			t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { unanswered(t, rand.New(rand.NewPCG(seed, 2)), delta) })
		}
	})
}

func unanswered(t *testing.T, rnd *rand.Rand, delta bool) {
	var clock atomic.Int64
	clock.Store(1_800_000_000_000)
	s := serve(t, xds.Options{Now: func() time.Time { return time.UnixMilli(clock.Load()) }, StepDeadline: time.Hour})
	m := namedMesh(t, rnd)
	s.Publish(revision(1, m))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
	l := newLate(t, st)
	begin := func() { // what is sent to a node that starts is checked elsewhere
		for _, r := range st.Barrier() {
			l.apply(r, delta)
			l.answer(r.Type)
		}
	}
	hear := func() {
		for _, r := range st.Barrier() {
			l.apply(r, delta)
			l.check()
		}
	}
	st.Subscribe(mesh.Cluster)
	st.Subscribe(mesh.Endpoints, "a", "b", "c", "d")
	begin()
	st.Subscribe(mesh.Listener)
	st.Subscribe(mesh.Route, "r1", "r2")
	begin()
	l.check()
	const revisions = 60
	types := []mesh.Type{mesh.Cluster, mesh.Endpoints, mesh.Listener, mesh.Route}
	for number := 2; number <= revisions; {
		switch rnd.IntN(5) {
		case 0, 1:
			if rnd.IntN(3) == 0 {
				m = tidied(m)
			} else {
				m = namedMesh(t, rnd)
			}
			s.underWay(number, m)
			l.told = append(l.told, fmt.Sprint("revision ", number))
			number++
		case 2: // patience runs out, and what was held back is sent
			clock.Add(300)
		default:
			l.answer(types[rnd.IntN(len(types))])
		}
		hear()
	}
	for s.State().Node("envoy-1").Rollout.Result != engine.Accepted {
		clock.Add(300)
		for _, typ := range types {
			for l.answer(typ) {
			}
		}
		hear()
	}
}

// namedMesh serves on one port with a listener of either name, its routes in
// either configuration, to one or two of four clusters.
func namedMesh(t *testing.T, rnd *rand.Rand) *mesh.Mesh {
	t.Helper()
	var all []proto.Message
	names := []string{"a", "b", "c", "d"}
	rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+rnd.IntN(3)]
	for _, name := range names {
		all = append(all, cluster(name, time.Duration(1+rnd.IntN(3))*time.Second), endpoints(name, 9000+rnd.IntN(2)))
	}
	rc := "r1"
	if rnd.IntN(4) == 0 {
		rc = "r2"
	}
	name := "web"
	if rnd.IntN(3) == 0 {
		name = "door"
	}
	to := names[:1+rnd.IntN(min(2, len(names)))]
	return meshOf(t, append(all, listener(t, name, 10000, rc), route(rc, to...))...)
}

// tidied is a mesh without the clusters to which no route leads.
func tidied(m *mesh.Mesh) *mesh.Mesh {
	for _, c := range m.List(mesh.Cluster) {
		if len(m.UsedBy(c.Key)) == 0 {
			m = m.Without(c.Key).Without(endpointKey(c.Key.Name))
		}
	}
	return m
}
