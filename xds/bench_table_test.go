package xds_test

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// tableEnv chooses the cells of BenchmarkTable: "full" for all of them (a
// quarter of an hour, 8 GiB), else as many as a coffee takes.
const tableEnv = "MESHTUI_BENCH_TABLE"

// BenchmarkTable moves one endpoint of M, ten to an assignment, before N clients,
// for every mode of go-control-plane and for ours, one after the other:
//
//	ms            publish → last ACK, the median of the rounds
//	x/stock       that of the fastest stock mode that speaks the same (SotW or delta)
//	cpu-ms        processor time of the server process for it
//	allocs/client, B/client   what it allocated
//	wire-B/client bytes of responses
//	idle-B/client heap that each connected client takes after it has everything
//
// Every cell has the same number of clients in a process of their own. A run
// says how its modes compare; its milliseconds are those of that machine, then.
func BenchmarkTable(b *testing.B) {
	nodes, endpoints := []int{1, 100}, []int{10, 1000, 10000}
	if os.Getenv(tableEnv) == "full" {
		nodes, endpoints = []int{1, 100, 1000}, []int{10, 100, 1000, 10000}
	}
	for _, n := range nodes {
		for _, m := range endpoints {
			tableRow(b, n, m)
		}
	}
}

// tableRow is one N and one M in all modes. The parts that benchmarks have in
// Go are here only to print: each is measured once.
func tableRow(b *testing.B, nodes, endpoints int) {
	make := []func(*testing.B) contender{
		func(b *testing.B) contender { return newSnapshots(b, nodes, false) },
		func(b *testing.B) contender { return newSnapshots(b, nodes, true) },
		func(b *testing.B) contender { return newLinear(b, nodes, false) },
		func(b *testing.B) contender { return newLinear(b, nodes, true) },
		func(b *testing.B) contender { return newOurs(b, nodes, false) },
		func(b *testing.B) contender { return newOurs(b, nodes, true) },
	}
	f := field10(nodes, endpoints/10, 10)(b)
	fastest := map[bool]time.Duration{}
	for _, c := range make {
		got := measure(b, c, f)
		if was := fastest[got.delta]; !got.ours && (was == 0 || got.took < was) {
			fastest[got.delta] = got.took
		}
		b.Run(fmt.Sprintf("N=%d/M=%d/%s", nodes, endpoints, got.mode), func(b *testing.B) {
			got.report(b, fastest[got.delta])
		})
	}
}

// cell is one measured cell of the table.
type cell struct {
	mode          string
	ours, delta   bool
	took, cpu     time.Duration
	allocs, bytes float64 // a client
	wire, idle    float64 // bytes a client
}

func (c cell) report(b *testing.B, fastest time.Duration) {
	b.ReportMetric(0, "ns/op") // not shown
	b.ReportMetric(float64(c.took.Microseconds())/1000, "ms")
	b.ReportMetric(float64(c.took)/float64(fastest), "x/stock")
	b.ReportMetric(float64(c.cpu.Microseconds())/1000, "cpu-ms")
	b.ReportMetric(c.allocs, "allocs/client")
	b.ReportMetric(c.bytes, "B/client")
	b.ReportMetric(c.wire, "wire-B/client")
	b.ReportMetric(c.idle, "idle-B/client")
}

func measure(b *testing.B, start func(*testing.B) contender, f field) cell {
	const rounds = 7
	c := start(b)
	defer c.stop()
	c.publish(f.meshes[0])
	before := heap()
	swarm := startSwarm(b, c, f)
	defer swarm.stop()
	c.settled()
	out := cell{delta: c.delta(), idle: float64(heap()-before) / float64(f.nodes)}
	out.ours, out.mode = c.names()
	if out.ours {
		out.mode = "ours-" + out.mode
	} else {
		out.mode = "stock-" + out.mode
	}
	c.race(f.meshes[1]) // warm up
	c.race(f.meshes[0])
	var took []time.Duration
	wire, cpu := swarm.received(b), processorTime()
	var memory, after runtime.MemStats
	runtime.ReadMemStats(&memory)
	for i := range rounds {
		start := time.Now()
		c.race(f.meshes[(i+1)%2])
		took = append(took, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	each := float64(rounds * f.nodes)
	out.took, out.cpu = median(took), (processorTime()-cpu)/rounds
	out.allocs, out.bytes = float64(after.Mallocs-memory.Mallocs)/each, float64(after.TotalAlloc-memory.TotalAlloc)/each
	out.wire = float64(swarm.received(b)-wire) / each
	return out
}

// heap is what lives, in bytes.
func heap() int64 {
	var m runtime.MemStats
	for range 3 { // what finalizers and pools hold goes with the second and third
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
