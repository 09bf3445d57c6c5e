package text

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
)

func manyEndpoints(n int) string {
	var b strings.Builder
	b.WriteString("cluster_name: app\nendpoints:\n- lb_endpoints:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - endpoint: {address: {socket_address: {address: 10.%d.%d.%d, port_value: 80}}}\n", i>>16, i>>8&255, i&255)
	}
	return b.String()
}

func BenchmarkDecode10000Endpoints(b *testing.B) {
	src := mesh.Source{Text: manyEndpoints(10_000)}
	b.SetBytes(int64(len(src.Text)))
	for b.Loop() {
		if r, fs := Decode(mesh.Endpoints, src); r == nil {
			b.Fatal(fs)
		}
	}
}

func BenchmarkSetAmong10000Endpoints(b *testing.B) {
	for name, text := range map[string]string{"YAML": manyEndpoints(10_000), "JSON": jsonEndpoints(b, 10_000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Set(text, "endpoints[0].lb_endpoints[5000].health_status", "DRAINING"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
