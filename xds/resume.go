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

// meet decides what a node that has opened a stream is to be taken for; only
// says that it has no other stream.
func (n *node) meet(st *stream, has holds, only bool, now time.Time) {
	switch {
	case has == holdsNothing && (only || st.ads()):
		// A process that holds nothing is offered everything at once: it asks
		// for one type after the other by itself. Another stream of the same
		// name is that of a process that is gone or going.
		n.reset()
		n.born = now
	case has == holdsOther && only && (!n.ready() || !st.delta()):
		n.reset()
		n.resumes = true
	}
	if only {
		n.run.step, n.run.progress = now, now
	}
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
