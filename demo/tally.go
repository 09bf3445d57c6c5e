package demo

import (
	"maps"
	"slices"
	"sort"
	"sync"
	"time"
)

// window is how many whole seconds rates and shares are taken over.
const window = 5

// remembered is how many answers, and how many failures, are remembered one by one.
const remembered = 50

// Answer is what one request of the load came back with.
type Answer struct {
	At      time.Time
	Took    time.Duration
	Path    string
	Port    int    // of the Envoy that it was sent to
	Code    int    // 0 when there was no answer
	Backend string // who answered; "" for Envoy itself
	Body    string // without surrounding blanks, at most 4 KiB
	Err     string // why there was no whole answer; "" when there was
	Flags   string // Envoy's response flag where status and body tell it: NR, NC, UH, UF, UT
}

// Failed reports whether the client would call it a failure: no whole answer,
// or 5xx.
func (a Answer) Failed() bool { return a.Err != "" || a.Code >= 500 }

// Snapshot is how the load goes at one moment. It is the caller's own.
type Snapshot struct {
	Target   string  // the listener of the first Envoy
	Waiting  bool    // no listener has answered yet
	RPS      float64 // requests a second, over the last whole seconds
	Errors   float64 // share of them that failed, 0 to 1
	P50, P99 time.Duration
	Codes    map[int]uint64 // since the start; 0 is no answer
	Total    uint64         // requests since the start
	Failed   uint64         // of them
	Backends []Share
	Last     []Answer // newest last
	Failures []Answer // newest last
}

// Share is one backend and what part of the load it answers.
type Share struct {
	Backend
	RPS   float64
	Share float64 // of all that backends answered, 0 to 1
	Total uint64  // answers since the start
}

// second is what was counted in one second.
type second struct {
	at        int64
	requests  int
	failed    int
	byBackend map[string]int
	took      []time.Duration
}

// tally counts answers. The zero tally with now set is ready.
type tally struct {
	now func() time.Time

	mu       sync.Mutex
	begun    map[int]bool // ports of listeners that have answered
	seconds  [window + 1]second
	codes    map[int]uint64
	backends map[string]uint64
	total    uint64
	failed   uint64
	last     []Answer
	failures []Answer
}

// count notes an answer. A refused connection before a port's first answer only
// says that no listener is there yet.
func (t *tally) count(a Answer, refused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if refused && !t.begun[a.Port] {
		return
	}
	if t.begun == nil {
		t.begun, t.codes, t.backends = map[int]bool{}, map[int]uint64{}, map[string]uint64{}
	}
	t.begun[a.Port] = true
	s := t.second(t.now().Unix())
	s.requests++
	s.took = append(s.took, a.Took)
	t.total++
	t.codes[a.Code]++
	if a.Failed() {
		s.failed++
		t.failed++
		t.failures = remember(t.failures, a)
	}
	if a.Backend != "" {
		s.byBackend[a.Backend]++
		t.backends[a.Backend]++
	}
	t.last = remember(t.last, a)
}

func remember(list []Answer, a Answer) []Answer {
	if len(list) >= remembered {
		list = append(list[:0], list[1:]...)
	}
	return append(list, a)
}

// second is the bucket of that second, emptied if it held an older one.
func (t *tally) second(at int64) *second {
	s := &t.seconds[at%int64(len(t.seconds))]
	if s.at != at {
		*s = second{at: at, byBackend: map[string]int{}}
	}
	return s
}

func (t *tally) snapshot(backends []Backend) Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := Snapshot{Waiting: len(t.begun) == 0, Codes: maps.Clone(t.codes), Total: t.total, Failed: t.failed,
		Last: slices.Clone(t.last), Failures: slices.Clone(t.failures)}
	now := t.now().Unix()
	var requests, failed, answered int
	var took []time.Duration
	by := map[string]int{}
	for _, s := range t.seconds {
		if s.at >= now || s.at < now-window { // the present second is not over
			continue
		}
		requests += s.requests
		failed += s.failed
		took = append(took, s.took...)
		for name, n := range s.byBackend {
			by[name] += n
			answered += n
		}
	}
	out.RPS = float64(requests) / window
	out.Errors = ratio(failed, requests)
	out.P50, out.P99 = quantile(took, 0.5), quantile(took, 0.99)
	for _, b := range backends {
		out.Backends = append(out.Backends, Share{Backend: b, RPS: float64(by[b.Name]) / window,
			Share: ratio(by[b.Name], answered), Total: t.backends[b.Name]})
	}
	return out
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// quantile sorts its argument; it is 0 for no values.
func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	return took[min(int(q*float64(len(took))), len(took)-1)]
}
