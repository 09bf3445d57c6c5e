package twin

import (
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/mesh"
)

// A port that another program took while nginx did not run is not waited for.
func TestATakenPortIsGivenUp(t *testing.T) {
	p := newPlaces("/run")
	p.free = func(here string) bool { return here != "127.0.0.1:80" }
	if got := p.of("0.0.0.0:30"); got == "127.0.0.1:80" {
		t.Errorf("a taken port was chosen: %s", got)
	}
	first := p.of("127.0.0.2:1000")
	p.free = func(here string) bool { return here != first }
	p.forget(map[string]string{"127.0.0.2:1000": first})
	if got := p.of("127.0.0.2:1000"); got != first {
		t.Errorf("%s is held by nginx itself, and %s was chosen", first, got)
	}
	p.forget(nil)
	if got := p.of("127.0.0.2:1000"); got == first {
		t.Errorf("%s is taken and was chosen again", got)
	}
}

func TestPlaces(t *testing.T) {
	p := newPlaces("/run/twin")
	p.free = func(here string) bool { return here != "127.0.0.1:8130" }
	for address, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:130", "127.0.0.2:80": "127.0.0.2:130", "[::1]:80": "[::1]:130",
		"0.0.0.0:8080": "127.0.0.1:8180", "192.0.2.1:9090": "127.0.0.1:9140", "/tmp/some:80": "/run/twin/",
	} {
		if got := p.of(address); !strings.HasPrefix(got, want) || got != p.of(address) {
			t.Errorf("%s: %s, then %s, want %s", address, got, p.of(address), want)
		}
	}
	if a, b := p.of("0.0.0.0:443"), p.of("192.0.2.1:443"); a == b {
		t.Errorf("two addresses got the same place %s", a)
	}
	if high := p.of("127.0.0.1:65530"); high == "127.0.0.1:65530" || !strings.HasPrefix(high, "127.0.0.1:") {
		t.Errorf("beyond the last port: %s", high)
	}
	m := answering(10000, "x")
	moved, err := p.move(m)
	if err != nil {
		t.Fatal(err)
	}
	l := moved.List(mesh.Listener)[0].Message.(*listenerv3.Listener)
	if got, was := bound(l.GetAddress()), bound(m.List(mesh.Listener)[0].Message.(*listenerv3.Listener).GetAddress()); got != "127.0.0.1:10050" || was != "0.0.0.0:10000" {
		t.Errorf("moved from %s to %s", was, got)
	}
}
