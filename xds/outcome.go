package xds

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/meshtui/engine"
)

// outcomes sums up over the nodes how the newest revision stands, and tells
// Options.OnOutcome when that changes, from a goroutine of its own. Only the
// nodes count that the revision goes to, and that were here before it was through:
// one that joins or returns later says something about itself alone.
type outcomes struct {
	srv  *Server
	wake chan struct{}
	ends atomic.Int64 // how often a run on a node has ended

	// The goroutine's own.
	enough int64           // of ends, before the newest revision can be through
	cohort map[string]bool // the nodes that its outcome is about, once it is through; nil before

	mu        sync.Mutex
	published []publication // not yet seen by the goroutine
}

type publication struct {
	revision *engine.Revision
	at       time.Time
}

func newOutcomes(s *Server) *outcomes {
	return &outcomes{srv: s, wake: make(chan struct{}, 1)}
}

// outcomeEvery is how often it is told what a revision under way waits for.
const outcomeEvery = 50 * time.Millisecond

// ended notes that the run of a node has ended, and asks for the outcome to be
// summed up anew. It never blocks, nor does look.
func (o *outcomes) ended() {
	o.ends.Add(1)
	o.look()
}

// look asks for the outcome to be summed up anew.
func (o *outcomes) look() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outcomes) publish(r *engine.Revision, at time.Time) {
	o.mu.Lock()
	o.published = append(o.published, publication{r, at})
	o.mu.Unlock()
	o.look()
}

func (o *outcomes) take() []publication {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.published
	o.published = nil
	return out
}

// run reports until the context ends.
func (o *outcomes) run(ctx context.Context) error {
	tell := o.srv.o.OnOutcome
	if tell == nil {
		return nil
	}
	var newest publication
	var last engine.Outcome
	for o.due(ctx) {
		for _, p := range o.take() {
			if last.Result == engine.Pending && p.revision.Number != newest.revision.Number {
				last.Result, last.Detail = engine.Superseded, ""
				tell(newest.revision.Number, last)
			}
			newest, last, o.cohort = p, engine.Outcome{Result: engine.Pending, Nodes: o.srv.reach(p.revision)}, nil
			if last.Nodes == 0 {
				last.Result = engine.NoNodes
			}
			tell(p.revision.Number, last)
		}
		if now := o.sum(newest, last); now != last {
			last = now
			tell(newest.revision.Number, now)
		}
	}
	return nil
}

// due waits until there may be something to tell; it is false once the context
// has ended. To sum up is to ask every node, and every answer of a node would be
// a reason to; but a revision is through no sooner than as many runs have ended
// as there were pending.
func (o *outcomes) due(ctx context.Context) bool {
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return false
		case <-soon:
			return true
		case <-o.wake:
		}
		if o.ends.Load() >= o.enough || o.unseen() {
			return true
		}
		if soon == nil {
			timer := time.NewTimer(outcomeEvery)
			defer timer.Stop()
			soon = timer.C
		}
	}
}

func (o *outcomes) unseen() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.published) > 0
}

// reach counts the connected nodes that a revision goes to.
func (s *Server) reach(r *engine.Revision) int {
	count := 0
	for _, n := range s.allNodes() {
		if r.For(n.id) != r {
			continue
		}
		n.mu.Lock()
		if n.shares() {
			count++
		}
		n.mu.Unlock()
	}
	return count
}

// sum adds up the connected nodes. What was accepted or rejected stays; one that
// timed out waits for the nodes it was about.
func (o *outcomes) sum(p publication, last engine.Outcome) engine.Outcome {
	if p.revision == nil || last.Result == engine.Accepted || last.Result == engine.Rejected {
		return last
	}
	out := engine.Outcome{Result: engine.NoNodes}
	pending, open := "", 0
	ended, ends := p.at, o.ends.Load()
	heard := map[string]bool{}
	for _, n := range o.srv.allNodes() {
		if p.revision.For(n.id) != p.revision || o.cohort != nil && !o.cohort[n.id] {
			continue
		}
		v := n.outcome(p.revision.Number)
		if !v.connected {
			continue
		}
		if v.result == engine.Pending {
			pending = n.id + ": " + v.detail
			open++
			continue
		}
		heard[n.id] = true
		out.Nodes++
		if worse(v.result, out.Result) {
			out.Result = v.result
			out.Detail = v.detail
			if v.detail != "" {
				out.Detail = n.id + ": " + v.detail
			}
		}
		if v.ended.After(ended) {
			ended = v.ended
		}
	}
	o.enough = ends + int64(open)
	switch through := o.cohort != nil; {
	case through && len(heard) < len(o.cohort):
		return last // who left, or answers anew, may come back
	case pending != "" && !through:
		return engine.Outcome{Result: engine.Pending, Nodes: out.Nodes + open, Detail: pending}
	case out.Nodes > 0:
		out.Took = ended.Sub(p.at)
		o.cohort = heard
	}
	return out
}

func worse(a, b engine.Result) bool {
	return rank(a) > rank(b)
}

func rank(r engine.Result) int {
	return slices.Index([]engine.Result{engine.NoNodes, engine.Accepted, engine.TimedOut, engine.Rejected}, r)
}

// verdict is how a revision stands on one node.
type verdict struct {
	connected bool
	result    engine.Result
	detail    string
	ended     time.Time
}

func (n *node) outcome(revision int) verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := verdict{connected: n.shares(), result: n.run.result, detail: n.run.detail, ended: n.run.ended}
	if n.run.revision != revision || v.result == 0 {
		v.result = engine.Pending
	}
	if v.result == engine.Pending {
		v.detail = n.run.waiting
	}
	return v
}
