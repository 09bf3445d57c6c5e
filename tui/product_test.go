package tui

import (
	"strings"
	"testing"

	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
)

// builtin turns a scene's nodes into built-in proxies.
func builtin(s *tuitest.Scene) *tuitest.Scene {
	st := *s.Nodes.State()
	nodes := st.Nodes
	st.Nodes = nil
	for _, n := range nodes {
		c := *n
		c.Agent = builtinAgent + " 1.0.0"
		st.Nodes = append(st.Nodes, &c)
	}
	s.Nodes.Set(&st)
	return s
}

// What the built-in proxy did is never told of Envoy, on any screen.
func TestTheBuiltInProxyIsNeverCalledEnvoy(t *testing.T) {
	for _, keys := range [][]string{{"1"}, {"2"}, {"3", "g", "j"}, {"4", "j", "j", "j"}, {"4", "j", "j", "j", "enter"}, {"6"}, {"w"}, {"N"}, {"p"}, {"r"}, {"R"}, {"3", "x"}, {"ctrl+z"}} {
		for _, scene := range []func() *tuitest.Scene{tuitest.Calm, tuitest.Troubled} {
			s := builtin(scene())
			d := steady(s)
			d.Product = builtinName
			a := stage(t, d, 150, 40)
			press(a, keys...)
			for line := range strings.SplitSeq(a.View(), "\n") {
				if strings.Contains(line, "Envoy") && !strings.Contains(line, "nginx") {
					t.Errorf("after %v: %q", keys, line)
				}
			}
		}
	}
}

func TestTheProductIsNamed(t *testing.T) {
	s := builtin(tuitest.Calm())
	d := depsOf(s)
	d.Truth = nil // then the screen joins what it is told
	a := stage(t, d, 150, 40)
	press(a, "4", "j", "j", "j")
	shows(t, a, "1 built-in proxy in sync", "in the built-in proxy: active")

	two := builtin(tuitest.Troubled())
	a = stage(t, depsOf(two), 150, 40)
	shows(t, a, "2 built-in proxies")

	st := *two.Nodes.State()
	other := *st.Nodes[1]
	other.Agent = "envoy 1.40.0"
	st.Nodes = []*xds.Node{st.Nodes[0], &other}
	two.Nodes.Set(&st)
	d = depsOf(two)
	d.Truth = nil
	a = stage(t, d, 150, 40)
	shows(t, a, "2 proxies")
	press(a, "1", "g", "enter") // per node, each by its own name
	shows(t, a, "envoy-1: active", "in the built-in proxy: active", "in Envoy: active")

	empty := depsOf(tuitest.Empty())
	empty.Product = builtinName
	a = stage(t, empty, 150, 40)
	shows(t, a, "no built-in proxy connected")
	if got := a.emptyText(0); !strings.Contains(got, "the built-in proxy listens on nothing") {
		t.Error(got)
	}
}

func TestCountsOfProxies(t *testing.T) {
	for want, got := range map[string]string{"1 Envoy": count(1, "Envoy"), "2 Envoys": count(2, "Envoy"), "1 built-in proxy": count(1, "built-in proxy"),
		"0 built-in proxies": count(0, "built-in proxy")} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
