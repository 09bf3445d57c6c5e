package files

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkOpenFolder10000Endpoints(b *testing.B) {
	var eds strings.Builder
	eds.WriteString("resources:\n- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n  cluster_name: app\n  endpoints:\n  - lb_endpoints:\n")
	for i := range 10_000 {
		fmt.Fprintf(&eds, "    - endpoint: {address: {socket_address: {address: 10.%d.%d.%d, port_value: 80}}}\n", i>>16, i>>8&255, i&255)
	}
	dir := write(b, b.TempDir(), map[string]string{"eds.yaml": eds.String()})
	for b.Loop() {
		if o := open(b, dir); len(o.Problems) > 0 {
			b.Fatal(o.Problems)
		}
	}
}
