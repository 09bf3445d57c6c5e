package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"example.com/meshtui/xds/envoy"
)

// Two demos that start at once find the same ports free: the second takes others
// all the same.
func TestTwoDemosTakePortsOfTheirOwn(t *testing.T) {
	privateXDG(t)
	wished := freeBase(t, 2)
	first := claimPorts(wished, 2)
	defer first.release()
	if first.port != wished || first.moved(wished) != "" {
		t.Fatalf("the first has %d: %s", first.port, first.moved(wished))
	}
	second := claimPorts(wished, 1)
	if second.port == wished || second.port > wished+envoy.PortStep {
		t.Errorf("the second has %d, too", second.port)
	}
	if says := second.moved(wished); !strings.Contains(says, fmt.Sprintf("port %d is taken by another demo", wished)) {
		t.Errorf("it says %q", says)
	}
	second.release()
	if of := claimPorts(wished+envoy.PortStep, 1); of.port == wished+envoy.PortStep {
		t.Error("the port of the first one's second node is given away")
	}
	first.release()
	again := claimPorts(wished, 1)
	defer again.release()
	if again.port != wished {
		t.Errorf("what was given back is not to be had: %d", again.port)
	}
}

// A port that another program holds is said to be its.
func TestAPortThatAnotherProgramHas(t *testing.T) {
	privateXDG(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	c := claimPorts(port, 1)
	defer c.release()
	if c.port == port {
		t.Fatal("it was claimed")
	}
	if who := envoy.Holder(uint32(port)); who == "" || !strings.Contains(c.moved(port), "taken by "+who) {
		t.Errorf("%q has it; it says %q", who, c.moved(port))
	}
}
