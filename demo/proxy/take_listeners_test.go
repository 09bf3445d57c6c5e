package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// Listeners wait for the first clusters, then for their routes; of two on one
// address the first wins; a failure is shown until it is mended.
func TestListeners(t *testing.T) {
	n := startTold(t)
	first := n.world(mesh.Cluster, cluster("a", time.Second))
	port, second := freePort(t), freePort(t)
	inline := manager(t, "inline", "")
	inline.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: route("inline", "a")}
	mustSay(t, n.world(mesh.Listener, serving(t, "web", port, inline)), "")
	n.listeners("web warming")
	if n.State().Ready {
		t.Error("it is ready before its clusters are")
	}
	n.world(mesh.Endpoints, endpoints("a", 1))
	if held(first) {
		t.Error("the cluster still warms")
	}
	n.listeners("web")
	if !n.State().Ready {
		t.Error("it is not ready")
	}

	a := n.world(mesh.Listener, serving(t, "web", port, inline), listener(t, "same", port, "r"), listener(t, "other", second, "r"))
	mustSay(t, a, fmt.Sprintf(`^Error adding/updating listener\(s\) same: error adding listener: 'same' has duplicate address '127.0.0.1:%d' as existing listener`, port), "web", "other")
	n.listeners("other warming", "same absent failed", "web")
	mustSay(t, n.change(mesh.Listener, []string{"same"}), "")
	n.listeners("other warming", "web")
	mustSay(t, n.change(mesh.Listener, nil, listener(t, "other", port, "r")), "duplicate address")
	n.listeners("other warming failed", "web")
	mustSay(t, n.change(mesh.Listener, []string{"web"}, listener(t, "other", port, "r")), "")
	n.listeners("other warming", "web draining") // web serves until other is there
	if status, _, err := ask(t, urlOf(port)); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("%d %v", status, err)
	}
	mustSay(t, n.world(mesh.Listener), "")
	closes(t, port)
}

// A version of a listener that is still warming is replaced without a trace, and
// given up when the one in use comes again.
func TestWarmingListenerIsReplaced(t *testing.T) {
	n := startTold(t)
	n.world(mesh.Cluster)
	port, moved := freePort(t), freePort(t)
	n.world(mesh.Listener, listener(t, "web", port, "r"))
	n.world(mesh.Route, route("r", "none"))
	n.listeners("web")
	n.world(mesh.Listener, listener(t, "web", moved, "s"))
	n.listeners("web", "web warming")
	n.world(mesh.Listener, listener(t, "web", port, "t"))
	n.listeners("web", "web warming")
	closes(t, moved)
	n.world(mesh.Listener, listener(t, "web", port, "r"))
	n.listeners("web")
	if status, _, err := ask(t, urlOf(port)); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("%d %v", status, err)
	}
}

// Routes within a listener may name only clusters that are there, routes by RDS
// any, unless they say otherwise.
func TestUnknownCluster(t *testing.T) {
	n := startTold(t)
	n.world(mesh.Cluster)
	inline := func(validate *wrapperspb.BoolValue) proto.Message {
		rc := route("inline", "nowhere")
		rc.ValidateClusters = validate
		m := manager(t, "inline", "")
		m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: rc}
		return serving(t, "web", freePort(t), m)
	}
	mustSay(t, n.world(mesh.Listener, inline(nil)), "web: route: unknown cluster 'nowhere'$")
	mustSay(t, n.world(mesh.Listener, inline(wrapperspb.Bool(false))), "")
	n.listeners("web")
	mustSay(t, n.world(mesh.Listener, listener(t, "web", freePort(t), "r")), "")
	strict := route("r", "nowhere")
	strict.ValidateClusters = wrapperspb.Bool(true)
	mustSay(t, n.world(mesh.Route, strict), "r: route: unknown cluster 'nowhere'$")
	mustSay(t, n.world(mesh.Route, route("r", "nowhere")), "")
}

// Where the proxy listens: loopback, all addresses, and nowhere else.
func TestAddresses(t *testing.T) {
	taken := freePort(t)
	for name, tc := range map[string]struct {
		address *corev3.Address
		want    string // "" is accepted
	}{
		"loopback":          {socket("127.0.0.1", freePort(t)), ""},
		"another loopback":  {socket("127.0.0.2", freePort(t)), ""},
		"all":               {socket("0.0.0.0", freePort(t)), ""},
		"a port by itself":  {socket("127.0.0.1", 0), ""},
		"somewhere else":    {socket("203.0.113.9", taken), "on loopback .* or on all addresses"},
		"a name":            {socket("localhost", taken), "malformed IP address: localhost"},
		"none":              {nil, "address is necessary|Address"},
		"a pipe":            {&corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/nowhere"}}}, "TCP|pipe"},
		"beyond the number": {socket("127.0.0.1", 70000), "less than or equal to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			n := startTold(t)
			n.world(mesh.Cluster)
			l := listener(t, "web", 0, "r")
			l.Address = tc.address
			a := n.world(mesh.Listener, l)
			mustSay(t, a, tc.want)
			if tc.want != "" && a.Err != nil && !strings.Contains(a.Err.Error(), "web") {
				t.Errorf("the words do not name the listener: %v", a.Err)
			}
		})
	}
}

// A listener may have several addresses; all are taken over, and all given back.
func TestAdditionalAddresses(t *testing.T) {
	n := startTold(t)
	n.world(mesh.Cluster)
	a, b, c := freePort(t), freePort(t), freePort(t)
	with := func(name string, first int, more ...int) *listenerv3.Listener {
		l := listener(t, name, first, "r")
		for _, port := range more {
			l.AdditionalAddresses = append(l.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: socket("127.0.0.1", port)})
		}
		return l
	}
	mustSay(t, n.world(mesh.Listener, with("web", a, b)), "")
	mustSay(t, n.world(mesh.Route, route("r", "none")), "")
	serves := func(port int) {
		t.Helper()
		if status, _, err := ask(t, urlOf(port)); err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("port %d: %d %v", port, status, err)
		}
	}
	serves(a)
	serves(b)
	mustSay(t, n.world(mesh.Listener, with("web", b, c)), "")
	closes(t, a)
	serves(b)
	serves(c)
	mustSay(t, n.world(mesh.Listener, with("web", b, b)), "duplicate address '127.0.0.1:[0-9]+'")
	serves(c)
}
