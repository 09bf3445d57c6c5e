package xds_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// contender is a management server in a race. It is given one change after the
// other and tells when every client has acknowledged it.
type contender interface {
	address() string
	delta() bool          // what its clients speak
	publish(m *mesh.Mesh) // before there are clients
	race(m *mesh.Mesh)    // returns when the last ACK is in; everyone must have what was published before
	settled()             // returns when every client has what was published first
	names() (ours bool, mode string)
	stop()
}

// BenchmarkPublish is the time from publishing a change of one type to the last
// ACK, beside go-control-plane's own SnapshotCache in the same mode and the same
// run. The metric x/stock is their ratio: below 1 is faster than stock.
func BenchmarkPublish(b *testing.B) {
	for _, delta := range []bool{false, true} {
		for _, nodes := range []int{1, 20, 100} {
			b.Run(fmt.Sprintf("%s/nodes=%d", modeOf(delta), nodes), func(b *testing.B) {
				byTurns(b, field10(nodes, 10, 1), newOurs(b, nodes, delta), newSnapshots(b, nodes, delta))
			})
		}
	}
}

// BenchmarkOneEndpointOf10000 moves one endpoint of 10,000 before 100 nodes:
// against the SotW SnapshotCache (the budget is 8 times as fast) and against
// LinearCache in the same mode.
func BenchmarkOneEndpointOf10000(b *testing.B) {
	against(b, 100)
}

// BenchmarkOneEndpointOf10000To1000 is the same before 1,000 nodes.
func BenchmarkOneEndpointOf10000To1000(b *testing.B) {
	against(b, 1000)
}

func against(b *testing.B, nodes int) {
	for _, delta := range []bool{false, true} {
		b.Run(modeOf(delta)+"/SnapshotCache", func(b *testing.B) {
			byTurns(b, field10(nodes, 1000, 10), newOurs(b, nodes, delta), newSnapshots(b, nodes, false))
		})
		b.Run(modeOf(delta)+"/LinearCache", func(b *testing.B) {
			byTurns(b, field10(nodes, 1000, 10), newOurs(b, nodes, delta), newLinear(b, nodes, delta))
		})
	}
}

func modeOf(delta bool) string {
	if delta {
		return "delta"
	}
	return "sotw"
}

// field is where a race is run: how many clients ask for how many assignments,
// and the two meshes between which it goes back and forth, one endpoint apart.
type field struct {
	nodes  int
	names  []string
	meshes [2]*mesh.Mesh
}

// field10 has assignments of so many endpoints.
func field10(nodes, names, each int) func(b *testing.B) field {
	return func(b *testing.B) field {
		f := field{nodes: nodes}
		var all []proto.Message
		ports := make([]int, each)
		for i := range names {
			name := "cluster-" + strconv.Itoa(i)
			f.names = append(f.names, name)
			for j := range ports {
				ports[j] = 1000 + (i+j)%60000
			}
			all = append(all, endpoints(name, ports...))
		}
		f.meshes[0] = meshOf(b, all...)
		ports[0] = 7
		f.meshes[1] = with(b, f.meshes[0], endpoints("cluster-0", ports...))
		return f
	}
}

// byTurns publishes the same changes to the contenders by turns, so that what
// else the machine does meets them alike.
func byTurns(b *testing.B, of func(b *testing.B) field, first, second contender) {
	b.Helper()
	ratioOf(b, of, first, second, "x/stock")
}

func ratioOf(b *testing.B, of func(b *testing.B) field, first, second contender, ratio string) {
	b.Helper()
	f := of(b)
	both := []contender{first, second}
	for _, c := range both {
		c.publish(f.meshes[0])
		startSwarm(b, c, f)
		c.settled()
		c.race(f.meshes[1]) // warm up
	}
	var spent [2][]time.Duration
	b.ResetTimer()
	for i := range b.N {
		for j, c := range both {
			start := time.Now()
			c.race(f.meshes[i%2])
			spent[j] = append(spent[j], time.Since(start))
		}
	}
	b.StopTimer()
	ours, stock := median(spent[0]), median(spent[1])
	b.ReportMetric(float64(ours.Microseconds()), "ours-µs")
	b.ReportMetric(float64(stock.Microseconds()), "other-µs")
	b.ReportMetric(float64(ours)/float64(stock), ratio)
}

// median is the middle one; a machine that does something else now and then
// spoils a mean.
func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
