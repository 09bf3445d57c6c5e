package main

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/probe"
)

func TestAnswered(t *testing.T) {
	took := []routes.Header{{Name: "X-Envoy-Upstream-Service-Time", Value: "3"}}
	one := []probe.Moved{{Cluster: "app", Endpoint: "127.0.0.1:9001", Requests: 1}}
	backend := func(header func(string) string) (string, string) {
		if header("X-Backend") == "app-v1-a" {
			return "app-v1-a", "127.0.0.1:9001"
		}
		return "", ""
	}
	own := match.Way{Action: match.NotFound, Status: 404}
	for _, tt := range []struct {
		name  string
		agent string
		o     probe.Observed
		way   match.Way
		want  string
	}{
		{"a backend says who it is", "envoy 1.40.0", probe.Observed{Answer: &probe.Answer{Status: 200,
			Headers: append(took, routes.Header{Name: "x-backend", Value: "app-v1-a"})}}, match.Way{}, "127.0.0.1:9001 (app-v1-a)"},
		{"the one endpoint that was asked", "envoy 1.40.0", probe.Observed{Counted: true, Moved: one, Answer: &probe.Answer{Status: 200, Headers: took}}, match.Way{}, "127.0.0.1:9001"},
		{"nobody was asked", "envoy 1.40.0", probe.Observed{Counted: true, Answer: &probe.Answer{Status: 404}}, match.Way{}, "Envoy"},
		{"nobody could be reached, though one was counted", "envoy 1.40.0", probe.Observed{Counted: true, Moved: one, Answer: &probe.Answer{Status: 503, Body: "upstream connect error or disconnect/reset before headers"}}, match.Way{}, "Envoy"},
		{"a failure that nobody owns to", "envoy 1.40.0", probe.Observed{Counted: true, Moved: one, Answer: &probe.Answer{Status: 503, Body: "busy"}}, match.Way{}, ""},
		{"the built-in proxy has its own name", "meshtui-builtin 0.1", probe.Observed{Counted: true, Answer: &probe.Answer{Status: 404}}, match.Way{}, "built-in proxy"},
		{"several were asked", "envoy 1.40.0", probe.Observed{Counted: true, Moved: append(one, one...), Answer: &probe.Answer{Status: 200, Headers: took}}, match.Way{}, ""},
		{"no counters", "envoy 1.40.0", probe.Observed{Answer: &probe.Answer{Status: 200, Headers: took}}, match.Way{}, ""},
		{"no answer", "envoy 1.40.0", probe.Observed{Counted: true}, match.Way{}, ""},
		{"the load's counter moved, but the way ends in the proxy", "envoy 1.40.0", probe.Observed{Counted: true, Moved: one, Answer: &probe.Answer{Status: 404}}, own, "Envoy"},
		{"the load's counter moved, and nobody says who it was", "envoy 1.40.0", probe.Observed{Counted: true, Moved: one, Answer: &probe.Answer{Status: 400}}, own, ""},
	} {
		if got := (tester{backend: backend}).answered(&tt.o, tt.way, tt.agent); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Where no backend would say its name, the one endpoint that was asked answered.
func TestAnsweredWithoutADemo(t *testing.T) {
	o := probe.Observed{Counted: true, Moved: []probe.Moved{{Cluster: "app", Endpoint: "127.0.0.1:9001", Requests: 1}}, Answer: &probe.Answer{Status: 503, Body: "busy"}}
	if got := (tester{}).answered(&o, match.Way{Action: match.Forward}, ""); got != "127.0.0.1:9001" {
		t.Errorf("%q", got)
	}
}

func TestDialable(t *testing.T) {
	at := func(address string) *listenerv3.Listener {
		a, ok := mesh.ParseAddress(address)
		if !ok {
			t.Fatalf("no address: %s", address)
		}
		return &listenerv3.Listener{Name: "web", Address: a}
	}
	for address, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "/run/web.sock": "/run/web.sock",
		"10.0.0.1:80": "", "example.com:80": "",
	} {
		got, err := dialable(at(address), -1)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	unbound := at("0.0.0.0:80")
	unbound.BindToPort = wrapperspb.Bool(false)
	if _, err := dialable(unbound, -1); err == nil {
		t.Error("a listener that binds no port is called")
	}
	if _, err := dialable(&listenerv3.Listener{}, -1); err == nil {
		t.Error("a listener without an address is called")
	}
}

// A request is sent to the very address of a listener that it is predicted for.
func TestDialableAmongSeveral(t *testing.T) {
	a := func(text string) *corev3.Address {
		out, ok := mesh.ParseAddress(text)
		if !ok {
			t.Fatal(text)
		}
		return out
	}
	l := &listenerv3.Listener{Name: "web", Address: a("10.0.0.1:80"), AdditionalAddresses: []*listenerv3.AdditionalAddress{
		{Address: a("127.0.0.1:81")}, {Address: a("127.0.0.1:82")},
	}}
	for port, want := range map[uint32]string{0: "127.0.0.1:81", 81: "127.0.0.1:81", 82: "127.0.0.1:82", 80: ""} {
		got, err := dialable(l, bindingFor(l, port))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("port %d: %q, %v", port, got, err)
		}
	}
}
