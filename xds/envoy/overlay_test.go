package envoy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"example.com/meshtui/engine/mesh"
)

func TestOverlay(t *testing.T) {
	o := FleetOptions{Nodes: 3}
	const sink = `
  event_logger:
  - name: envoy.health_check.event_sink.file
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink
      event_log_path: /dev/fd/3
  always_log_health_check_failures: true`
	for _, c := range []struct{ name, node, in, want string }{
		{"first node: the port stays, and is the listener's own", "envoy-1",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nenable_reuse_port: false"},
		{"third node: every port moves", "envoy-3",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nadditional_addresses:\n- address: {socket_address: {address: '::1', port_value: 10001}}",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10200}}\nadditional_addresses:\n- address: {socket_address: {address: '::1', port_value: 10201}}\nenable_reuse_port: false"},
		{"what the operator set stays", "envoy-1",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nenable_reuse_port: true", ""},
		{"what the operator set stays, but the port moves", "envoy-2",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nenable_reuse_port: true",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10100}}\nenable_reuse_port: true"},
		{"a port that the system chooses", "envoy-2",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 0}}",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 0}}\nenable_reuse_port: false"},
		{"UDP shares its port by need", "envoy-1",
			"listener\nname: l\naddress: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 10000}}", ""},
		{"a pipe", "envoy-1", "listener\nname: l\naddress: {pipe: {path: /tmp/l.sock}}", ""},
		{"no address", "envoy-1", "listener\nname: l", ""},
		{"no health check", "envoy-2", "cluster\nname: c\ntype: STATIC", ""},
		{"health checks tell", "envoy-2",
			"cluster\nname: c\nhealth_checks:\n- timeout: 1s\n  tcp_health_check: {}",
			"cluster\nname: c\nhealth_checks:\n- timeout: 1s\n  tcp_health_check: {}" + sink},
		{"routes", "envoy-2", "route\nname: r", ""},
		{"another fleet's node", "other-1",
			"listener\nname: l\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}", ""},
		{"beyond the fleet", "envoy-4", "cluster\nname: c\nhealth_checks:\n- tcp_health_check: {}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := parse(t, c.in)
			before := proto.CloneOf(in)
			kind, _ := mesh.TypeOf(in)
			got := o.Overlay(c.node)(kind, in)
			if diff := cmp.Diff(before, in, protocmp.Transform()); diff != "" {
				t.Errorf("the input was changed:\n%s", diff)
			}
			if c.want == "" {
				if got != in {
					t.Errorf("there is nothing to add, but another message came back: %v", got)
				}
				return
			}
			if diff := cmp.Diff(parse(t, c.want), got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNodeID(t *testing.T) {
	if got := (FleetOptions{}).NodeID(0); got != "envoy-1" {
		t.Errorf("the first is %s", got)
	}
	if got := (FleetOptions{Prefix: "edge"}).NodeID(2); got != "edge-3" {
		t.Errorf("the third is %s", got)
	}
}
