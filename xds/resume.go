package xds

import (
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// holds is what a node's first request on a stream says that it has already.
type holds uint8

const (
	holdsNothing holds = iota // it has just started
	holdsOurs                 // what this server gave it
	holdsOther                // what a server gave it that is gone, most likely this one's forerunner
)

// claim is what a first request says of what the node has already.
type claim struct {
	typ       mesh.Type
	version   string // SotW: the version accepted last; "" for none
	resources bool   // delta: it names resources; their versions do not tell whose they are
}

// believe is what the node has, going by its claim.
func (n *node) believe(c claim) holds {
	switch {
	case c.resources:
		return holdsOther
	case c.version == "":
		return holdsNothing
	case n.gave(c.typ, c.version):
		return holdsOurs
	}
	return holdsOther
}

// guess is what a node was taken for by an empty claim, which says little where
// a node may well hold nothing of that type: an Envoy asks for its runtime
// layers first, and most have none.
type guess uint8

const (
	certain guess = iota
	asNew         // nothing is known of it, and it claimed nothing
	asAlive       // it is known, but not to hold anything of the type that it asked for
)

// meet decides what a node that has opened a stream is to be taken for; only
// says that it has no other stream.
func (n *node) meet(st *stream, c claim, only bool, now time.Time) {
	has := n.believe(c)
	switch {
	case has == holdsNothing && !only && !st.ads() && !n.succeeds(st):
	case has == holdsNothing && n.ready() && !n.took(c.typ):
		n.guess = asAlive
	case has == holdsNothing:
		n.guess = certain
		if !n.ready() {
			n.guess = asNew
		}
		n.bear(now)
	case has == holdsOther && only && (!n.ready() || !st.delta()):
		n.reset()
		n.guess, n.resumes = certain, true
	default:
		n.guess = certain
	}
	if only {
		n.run.step, n.run.progress = now, now
	}
}

// bear makes a node a process that holds nothing. It is offered everything at
// once: it asks for one type after the other by itself. Another stream of the
// same name is that of a process that is gone or going.
func (n *node) bear(now time.Time) {
	n.reset()
	n.born = now
}

// claims takes what the first request of a further type says of what the node
// has, where it was guessed before.
func (n *node) claims(st *stream, c claim) {
	if n.guess == certain || !n.counts(st) {
		return
	}
	now, has := n.srv.o.Now(), n.believe(c)
	switch {
	case n.guess == asNew && has == holdsOther:
		n.reset()
		n.resumes = true
	case n.guess == asAlive && has == holdsNothing && n.took(c.typ):
		n.bear(now)
	case has == holdsNothing:
		return
	}
	n.guess = certain
	st.again()
	if !n.ready() && n.target != nil {
		n.startRun(now)
	}
}

// again has everything looked at again that was given on the stream already, going
// by another guess: what is no longer offered is taken back.
func (st *stream) again() {
	for _, s := range st.subs {
		s.whole = s.whole || len(s.held) > 0
	}
}

// took reports whether the node is known to have accepted something of a type.
func (n *node) took(t mesh.Type) bool {
	for k, st := range n.status {
		if k.Type == t && st.Acked != (Fact{}) {
			return true
		}
	}
	return false
}

// forerunners is what a node holds that was served before this server started;
// nil when that is not known.
func (n *node) forerunners() *mesh.Mesh {
	base := heldBefore(n.srv.first.Load(), n.id)
	if base == nil {
		return nil
	}
	_, m := base.MeshFor(n.id, n.cluster)
	return m
}

// firstSteps is the way of a node of which nothing was ever answered. One that
// just started gets everything at once. One that runs, with what it was served
// before, is led from there: what it needs until then comes along in the first
// step, and it takes what it has already as nothing new.
func (n *node) firstSteps(to *mesh.Mesh) []plan.Step {
	var before *mesh.Mesh
	if n.resumes {
		before = n.forerunners()
	}
	n.resumes = false
	if before == nil || n.srv.o.Unsequenced {
		return n.srv.plans.Between(nil, to, true)
	}
	for _, r := range before.All() {
		n.good[r.Key] = r
	}
	steps := n.srv.plans.Between(before, to, false)
	if len(steps) == 0 {
		return n.srv.plans.Between(nil, to, true)
	}
	first := plan.NewStep(mesh.Diff(nil, steps[0].Mesh), steps[0].Mesh, to)
	first.Drains = steps[0].Drains
	return append([]plan.Step{first}, steps[1:]...)
}
