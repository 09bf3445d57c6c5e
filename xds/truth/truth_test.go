package truth_test

import (
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// at is so many milliseconds after the start.
func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func fact(version string, ms int) xds.Fact {
	return xds.Fact{Version: version, Nonce: "n-" + version, At: at(ms)}
}

func resource(t *testing.T, m proto.Message) *mesh.Resource {
	t.Helper()
	r, err := mesh.NewResource(m, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}}
}

// scene is one resource on one node, all of which a case may change.
type scene struct {
	key     mesh.Key
	node    *xds.Node
	facts   *envoy.Facts
	offered *mesh.Mesh
	now     time.Time
}

func (s *scene) status(change func(*xds.ResourceStatus)) {
	st := s.node.Resources.Get(s.key)
	change(&st)
	s.node.Resources = s.node.Resources.With(s.key, st)
}

func (s *scene) active(state envoy.ActiveState, detail string) {
	s.facts.Active[s.key] = envoy.Active{State: state, Detail: detail, Since: at(12)}
}

func (s *scene) rejected(words string) {
	s.status(func(st *xds.ResourceStatus) {
		st.Acked = xds.Fact{}
		st.Rejected = &xds.Rejection{Fact: fact("v1", 20), Detail: words}
	})
}

// newScene is the cluster app: served after 10 ms, accepted after 20, looked at
// after 30, and now it is 40 ms past the start.
func newScene(t *testing.T) *scene {
	t.Helper()
	app := resource(t, cluster("app"))
	offered, err := mesh.New(app, resource(t, &endpointv3.ClusterLoadAssignment{ClusterName: "app"}))
	if err != nil {
		t.Fatal(err)
	}
	served := xds.ResourceStatus{Hash: app.Hash(), Revision: 3, Served: fact("v1", 10), Acked: fact("v1", 20)}
	s := &scene{
		key: app.Key, offered: offered, now: at(40),
		node: &xds.Node{
			ID: "envoy-1", Connected: true, Agent: "envoy 1.40.0", Variant: xds.SotWADS,
			Types:     map[mesh.Type]xds.TypeStatus{mesh.Cluster: {Wildcard: true, Sent: fact("v1", 10), Acked: fact("v1", 20)}},
			Resources: xds.Resources{}.With(app.Key, served),
		},
		facts: &envoy.Facts{
			Node: "envoy-1", At: at(30), Active: map[mesh.Key]envoy.Active{app.Key: {State: envoy.ActiveSame, Since: at(12)}},
			Traffic: map[mesh.Key]envoy.Traffic{}, Foreign: map[mesh.Key]envoy.Origin{}, Unready: map[string][]string{},
		},
	}
	return s
}

func (s *scene) judged(t *testing.T) truth.Resource {
	t.Helper()
	n := truth.Of(s.node, s.facts, s.offered, s.now)
	for _, r := range n.Resources {
		if r.Key == s.key {
			return r
		}
	}
	t.Fatalf("%s is not in %+v", s.key, n.Resources)
	return truth.Resource{}
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*scene)
		want truth.Verdict
		says string // part of Says
	}{
		{"active", func(*scene) {}, truth.Active, "active"},
		{"carrying", func(s *scene) { s.facts.Traffic[s.key] = envoy.Traffic{Requests: 7, From: at(-970), To: at(30)} }, truth.Carrying, "7 requests in the last second"},
		{"idle", func(s *scene) { s.facts.Traffic[s.key] = envoy.Traffic{From: at(-970), To: at(30)} }, truth.Active, "no request in the last second"},
		{"in another version than its own", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = fact("v0", 20) })
		}, truth.Active, "active"},

		{"sent", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.active(envoy.ActiveOther, "differs in lb_policy")
		}, truth.Sent, "sent 30 ms ago, not answered"},
		{"answered after the last look", func(s *scene) {
			s.facts.At = at(15)
			s.active(envoy.ActiveOther, "differs in lb_policy")
		}, truth.Unobservable, "not been looked into since"},
		{"active with what it had before it was served", func(s *scene) { s.facts.At = at(5) }, truth.Unobservable, "not been looked into since"},
		{"connection ended", func(s *scene) {
			s.node.Connected = false
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.facts = nil
		}, truth.Sent, "connection ended"},

		{"withheld ACK, applied", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.facts.Warming = []string{"app-v2"}
		}, truth.Active, "the ACK is withheld until these are warm: app-v2"},
		{"withheld ACK, not seen", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.active(envoy.NotObservable, "")
			s.facts.Warming = []string{"app-v2"}
		}, truth.WaitingToWarm, "waiting for warm: app-v2"},
		{"warming", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.active(envoy.Warming, "")
		}, truth.WaitingToWarm, "warming for 28 ms: waits for endpoints app, not sent yet"},
		{"warming for the endpoints once more", func(s *scene) {
			s.node.Resources = s.node.Resources.With(mesh.Key{Type: mesh.Endpoints, Name: "app"}, xds.ResourceStatus{Served: fact("v0", 1)})
			s.active(envoy.Warming, "")
		}, truth.WaitingToWarm, "endpoints app, to be sent again"},
		{"stuck", func(s *scene) {
			s.active(envoy.Warming, "")
			s.now, s.facts.At = at(9012), at(9000)
			s.offered = s.offered.Without(mesh.Key{Type: mesh.Endpoints, Name: "app"})
		}, truth.Stuck, "warming for 9 s: waits for endpoints app, which is not in the revision"},
		{"withheld ACK, nobody looks", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.facts, s.node.Rollout.Warming = nil, []string{"app-v2"}
		}, truth.WaitingToWarm, "waiting for warm: app-v2"},
		{"stuck, as the stream alone tells", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Acked = xds.Fact{} })
			s.active(envoy.NotObservable, "")
			s.facts.Warming = []string{"app-v2"}
			s.now, s.facts.At = at(9010), at(9000)
		}, truth.Stuck, "waiting for warm: app-v2, for 9 s"},

		{"rejected", func(s *scene) {
			s.rejected("malformed IP address")
			s.active(envoy.ActiveOther, "differs in lb_policy")
		}, truth.Rejected, "rejected; the node runs the version before it"},
		{"rejected and never had", func(s *scene) {
			s.rejected("malformed IP address")
			s.active(envoy.Absent, "")
		}, truth.Rejected, "the node has none of it"},
		{"rejected, not looked at since", func(s *scene) {
			s.rejected("malformed IP address")
			s.facts.At = at(5)
		}, truth.Rejected, "rejected"},
		{"rejected in company, and taken", func(s *scene) { s.rejected("bad: malformed IP address") }, truth.Active, "taken, although"},
		{"rejected, and left in warming", func(s *scene) {
			s.rejected("Error adding/updating cluster(s) app: the table size must be a prime number")
			s.active(envoy.Warming, "")
			s.now, s.facts.At = at(9012), at(9000)
		}, truth.Rejected, "keeps it in warming, and it never gets warm"},
		{"rejected in words that name nothing, and left in warming", func(s *scene) {
			s.rejected("the table size must be a prime number")
			s.active(envoy.Warming, "")
		}, truth.Rejected, "keeps it in warming"},
		{"warming beside one that was rejected", func(s *scene) {
			s.rejected("Error adding/updating cluster(s) app-v2: the table size must be a prime number")
			s.status(func(st *xds.ResourceStatus) {
				st.Rejected.Resources = []mesh.Key{s.key, {Type: mesh.Cluster, Name: "app-v2"}}
			})
			s.active(envoy.Warming, "")
		}, truth.WaitingToWarm, "warming for 28 ms"},

		{"drifted", func(s *scene) { s.active(envoy.ActiveOther, "differs in lb_policy") }, truth.Drifted, "other content: differs in lb_policy"},
		{"overridden", func(s *scene) { s.active(envoy.Overridden, "its bootstrap has one") }, truth.Overridden, "its bootstrap has one"},
		{"missing", func(s *scene) { s.active(envoy.Absent, "") }, truth.Missing, "accepted, but not in the node"},
		{"no longer asked for", func(s *scene) {
			s.node.Types[mesh.Cluster] = xds.TypeStatus{Subscribed: []string{"other"}}
			s.active(envoy.Absent, "")
		}, truth.Unasked, "nothing in the node asks for it any more"},
		{"passed over", func(s *scene) { s.active(envoy.PassedOver, "an api_listener") }, truth.PassedOver, "an api_listener"},

		{"newer not sent", func(s *scene) {
			s.status(func(st *xds.ResourceStatus) { st.Hash = "older" })
		}, truth.Unsent, "newest version is not sent"},
		{"to go", func(s *scene) { s.offered = s.offered.Without(s.key) }, truth.Active, "no longer in the revision"},
		{"nothing offered is known", func(s *scene) { s.offered = nil }, truth.Active, "active"},

		{"nobody looks", func(s *scene) { s.facts = nil }, truth.Unobservable, "nobody looks into the node"},
		{"no admin", func(s *scene) { s.facts = &envoy.Facts{Err: "no admin interface"} }, truth.Unobservable, "no admin interface"},
		{"stale", func(s *scene) { s.now, s.facts.Err = at(12_030), "it does not answer" }, truth.Unobservable, "12 s ago: active; since then it does not answer"},
		{"not shown", func(s *scene) { s.active(envoy.NotObservable, "its keys are hidden") }, truth.Unobservable, "its keys are hidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			tt.make(s)
			if got := s.judged(t); got.Verdict != tt.want || !strings.Contains(got.Says, tt.says) {
				t.Errorf("%s: %q, want %s: %q", got.Verdict, got.Says, tt.want, tt.says)
			}
		})
	}
}

func TestUnserved(t *testing.T) {
	route := mesh.Key{Type: mesh.Route, Name: "local"}
	for _, tt := range []struct {
		name string
		make func(*scene)
		want truth.Verdict
		says string
	}{
		{"subscribed", func(s *scene) { s.node.Types[mesh.Route] = xds.TypeStatus{Subscribed: []string{"local"}} }, truth.Unsent, "not sent yet"},
		{"asks for others", func(s *scene) { s.node.Types[mesh.Route] = xds.TypeStatus{Subscribed: []string{"other"}} }, truth.Unasked, "nothing in the node asks for it"},
		{"never asked", func(*scene) {}, truth.Unasked, "nothing in the node asks for it"},
		{"not connected", func(s *scene) { s.node.Connected = false }, truth.Unsent, "not connected"},
		{"listener not asked for yet", func(s *scene) { s.key = mesh.Key{Type: mesh.Listener, Name: "web"} }, truth.Unsent, "has not asked for listeners yet"},
		{"from a file", func(s *scene) { s.facts.Foreign[route] = envoy.FromElsewhere }, truth.Overridden, "a route of this name from another source"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			s.key = route
			s.offered = s.offered.With(resource(t, &routev3.RouteConfiguration{Name: "local"})).With(resource(t, &listenerv3.Listener{Name: "web"}))
			tt.make(s)
			if got := s.judged(t); got.Verdict != tt.want || !strings.Contains(got.Says, tt.says) {
				t.Errorf("%s: %q, want %s: %q", got.Verdict, got.Says, tt.want, tt.says)
			}
		})
	}
}

// The marks say what each source told, and when.
func TestMarks(t *testing.T) {
	s := newScene(t)
	s.rejected("bad: malformed")
	s.facts.Traffic[s.key] = envoy.Traffic{Requests: 1, From: at(-970), To: at(30)}
	got := s.judged(t)
	want := truth.Resource{
		Key: s.key, Revision: 3, Served: truth.Mark{At: at(10), Source: truth.Stream}, Rejected: truth.Mark{At: at(20), Source: truth.Stream},
		Active: truth.Mark{At: at(12), Source: truth.Admin}, Carrying: truth.Mark{At: at(30), Source: truth.Admin},
		Verdict: truth.Carrying, Says: "active; taken, although the response that it came in was rejected; 1 request in the last second",
		Words: "bad: malformed", Partly: true, Requests: 1, Counted: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A node is as bad as its worst resource, a type too, and what it refused of
// others' is counted.
func TestSums(t *testing.T) {
	s := newScene(t)
	eds := mesh.Key{Type: mesh.Endpoints, Name: "app"}
	s.node.Resources = s.node.Resources.With(eds, xds.ResourceStatus{Hash: s.offered.Get(eds).Hash(), Served: fact("v1", 11), Acked: fact("v1", 19)})
	s.node.Types[mesh.Endpoints] = xds.TypeStatus{Subscribed: []string{"app"}, Sent: fact("v1", 11), Acked: fact("v1", 19)}
	s.facts.Active[eds] = envoy.Active{State: envoy.ActiveOther, Detail: "127.0.0.1:1 is not there", Instead: &endpointv3.ClusterLoadAssignment{}}
	s.facts.Rejected = map[mesh.Type]uint64{mesh.Cluster: 2}
	s.facts.Foreign[mesh.Key{Type: mesh.Listener, Name: "theirs"}] = envoy.FromBootstrap
	n := truth.Of(s.node, s.facts, s.offered, s.now)
	if n.Worst != truth.Drifted || len(n.Types) != 2 || len(n.Foreign) != 1 {
		t.Fatalf("%+v", n)
	}
	want := []truth.Type{
		{Type: mesh.Cluster, Subscribed: -1, Version: "v1", Nonce: "n-v1", Sent: truth.Mark{At: at(10), Source: truth.Stream}, Acked: truth.Mark{At: at(20), Source: truth.Stream}, Resources: 1, Worst: truth.Active, Refusals: 2},
		{Type: mesh.Endpoints, Subscribed: 1, Version: "v1", Nonce: "n-v1", Sent: truth.Mark{At: at(11), Source: truth.Stream}, Acked: truth.Mark{At: at(19), Source: truth.Stream}, Resources: 1, Worst: truth.Drifted},
	}
	if diff := cmp.Diff(want, n.Types); diff != "" {
		t.Error(diff)
	}
	if n.Resources[1].Instead == nil {
		t.Error("what it runs instead is not shown")
	}
}
