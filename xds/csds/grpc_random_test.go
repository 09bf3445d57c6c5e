package csds_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/xdstest"
)

// world is the mesh of one push, put together at random; a resource that a gRPC
// client takes for bad stands beside good ones.
type world struct {
	rng   *rand.Rand
	texts map[string]string // by "type name"
}

// step changes a few resources.
func (w *world) step() {
	for range 1 + w.rng.IntN(3) {
		app := []string{"app", "app-v2"}[w.rng.IntN(2)]
		bad := w.rng.IntN(3) == 0
		switch w.rng.IntN(5) {
		case 0:
			w.texts["listener shop"] = w.listener(bad)
		case 1:
			w.texts["route main"] = w.route(bad)
		case 2:
			w.texts["cluster "+app] = w.cluster(app, bad)
		case 3:
			w.texts["endpoints "+app] = w.endpoints(app, bad)
		case 4: // a cluster goes; it comes back by another step
			delete(w.texts, "cluster app-v2")
		}
	}
}

func (w *world) all() []string {
	return slices.Collect(maps.Values(w.texts))
}

func (w *world) listener(bad bool) string {
	text := strings.Replace(listener, "rds:", fmt.Sprintf("stat_prefix: n%d\n    rds:", w.rng.IntN(1000)), 1)
	if bad { // no filter that routes
		text, _, _ = strings.Cut(text, "    http_filters:")
	}
	return text
}

func (w *world) route(bad bool) string {
	match := "{prefix: ''}"
	if bad {
		match = "{safe_regex: {regex: '['}}"
	}
	to := [][2]string{{"app", "app"}, {"app-v2", "app-v2"}, {"app", "app-v2"}}[w.rng.IntN(3)]
	return fmt.Sprintf("route\nname: main\nvirtual_hosts: [{name: all, domains: ['*'], routes: [{match: %s, route: {weighted_clusters: {clusters: [{name: %s, weight: %d}, {name: %s, weight: 1}]}}}]}]\n",
		match, to[0], 1+w.rng.IntN(100), to[1])
}

func (w *world) cluster(name string, bad bool) string {
	text := strings.Replace(appCluster, "name: app", "name: "+name, 1) + fmt.Sprintf("connect_timeout: %ds\n", 1+w.rng.IntN(100))
	if bad {
		text += "lb_policy: MAGLEV\n"
	}
	return text
}

func (w *world) endpoints(name string, bad bool) string {
	priority := 0
	if bad { // there is no priority 0
		priority = 1
	}
	return fmt.Sprintf("endpoints\ncluster_name: %s\nendpoints: [{priority: %d, locality: {region: here}, load_balancing_weight: 1, lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]\n",
		name, priority, 1+w.rng.IntN(1000))
}

// What the server believes of a gRPC client is what the client says of itself,
// after each of many random pushes: each resource is accepted or rejected, and
// has the content that was served, in both alike.
func TestGRPCClientAgrees(t *testing.T) {
	t.Parallel()
	const pushes = 60
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			w := &world{rng: rand.New(rand.NewPCG(seed, 27)), texts: map[string]string{}}
			w.texts["listener shop"], w.texts["route main"] = w.listener(false), w.route(false)
			for _, app := range []string{"app", "app-v2"} {
				w.texts["cluster "+app], w.texts["endpoints "+app] = w.cluster(app, false), w.endpoints(app, false)
			}
			c := startClient(t, l, csds.Bootstrap{NodeID: "grpc-1", XDS: l.address})
			seen := map[string]int{}
			for range pushes {
				l.push(w.all()...)
				l.agree(c, seen)
				w.step()
			}
			if seen["ACKED"] == 0 || seen["NACKED"] == 0 || seen["DOES_NOT_EXIST"]+seen["REQUESTED"] == 0 {
				t.Errorf("the pushes led to %v only", seen)
			}
			t.Logf("compared: %v", seen)
		})
	}
}

// agree waits until the rollout has ended and both tell the same.
func (l *lab) agree(c *client, seen map[string]int) {
	l.t.Helper()
	began, differ := time.Now(), ""
	for time.Since(began) < xdstest.Patience {
		n := l.State().Node("grpc-1")
		if n != nil && n.Rollout.Revision == l.revision && !n.Rollout.Ended.IsZero() {
			states := map[string]int{}
			if differ = l.differ(n, c.dump(), states); differ == "" {
				for s, count := range states {
					seen[s] += count
				}
				return
			}
		}
		<-time.After(2 * time.Millisecond) // the client tells its status only when it is asked
	}
	l.t.Fatalf("after revision %d: %s", l.revision, differ)
}

// differ says in what the server's belief and the client's word differ.
func (l *lab) differ(n *xds.Node, dump map[string]*statusv3.ClientConfig_GenericXdsConfig, states map[string]int) string {
	served := l.Served(n.ID)
	for _, t := range mesh.Types() {
		url := t.URL()
		for _, name := range n.Types[t].Subscribed {
			k := mesh.Key{Type: t, Name: name}
			g, told := dump[url[strings.LastIndex(url, ".")+1:]+" "+name]
			if !told {
				return k.String() + " is subscribed, and not in the client's status"
			}
			state := g.GetClientStatus().String()
			states[state]++
			if words := disagreement(n.Resources.Get(k), g, served[k]); words != "" {
				return fmt.Sprintf("%s: the client says %s (version %s, %s), the server %s: %+v", k, state, g.GetVersionInfo(), g.GetErrorState().GetDetails(), words, n.Resources.Get(k))
			}
		}
	}
	return ""
}

func disagreement(st xds.ResourceStatus, g *statusv3.ClientConfig_GenericXdsConfig, served proto.Message) string {
	same := false
	if has, err := g.GetXdsConfig().UnmarshalNew(); err == nil && served != nil {
		same = proto.Equal(has, served)
	}
	switch g.GetClientStatus().String() {
	case "ACKED":
		switch {
		case st.Served.At.IsZero():
			return "knows nothing of it"
		case same && st.Acked.At.IsZero() && st.Rejected == nil:
			return "knows of no answer"
		case !same && st.Rejected == nil:
			return "takes it for accepted, and other content was served"
		}
	case "NACKED": // also of what went before it was ever accepted: the client does not notice that
		gone := served == nil && st.Served.At.IsZero() && g.GetXdsConfig() == nil
		if !gone && (st.Rejected == nil || same) {
			return "does not take it for rejected"
		}
	case "DOES_NOT_EXIST":
		if !st.Served.At.IsZero() && st.Rejected == nil {
			return "has served it"
		}
	case "REQUESTED": // for 15 s, of what there is not or what is held back
		if !st.Served.At.IsZero() && st.Rejected == nil {
			return "has served it"
		}
	default:
		return "has another state"
	}
	return ""
}
