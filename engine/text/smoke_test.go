package text

import (
	"fmt"
	"testing"

	"example.com/meshtui/engine/mesh"
)

func TestSmoke(t *testing.T) {
	r, fs := Decode(mesh.Cluster, mesh.Source{Text: `"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: app
lb_policy: round_robin
connect_timeout: 0.25s
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}
load_assignment:
  cluster_name: app
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 80}}}
filters:
- name: x
  typed_config: {"@type": type.googleapis.com/envoy.foo.v3.Bar, a: 1, b: [x, {y: true}]}
`})
	fmt.Println(fs)
	if r != nil {
		fmt.Println(Encode(r.Message))
	}
	_, fs = Decode(mesh.Cluster, mesh.Source{File: "a.yaml", Line: 10, Text: "name: 5\nlb_polcy: x\nlb_policy: RANDM\nhosts: []\nload_assignment: {endpoints: {foo: 1}}\nconnect_timeout: 5\nname: x\n"})
	for _, f := range fs {
		fmt.Println(f)
	}
	_, fs = Decode(mesh.Cluster, mesh.Source{File: "a.yaml", Line: 10, Text: "name: 5\nlb_policy: x\n  a: b\n"})
	fmt.Println(fs)
	_, fs = Decode(mesh.Cluster, mesh.Source{Text: "name: 5\nlb_policy: [x\na: b\n"})
	fmt.Println(fs)
	_, fs = Decode(mesh.Cluster, mesh.Source{Text: "a: &a [*a]\nname: *b"})
	fmt.Println(fs)
}
