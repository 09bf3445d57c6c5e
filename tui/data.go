package tui

import (
	"slices"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// wireKept is how many messages of the wire the screen holds. The ring behind
// it holds at least as many, so that bodies can be opened.
const wireKept = 2000

// data is everything that one picture shows, made outside the event loop. It
// is immutable.
type data struct {
	seq      uint64 // grows with each picture, so that a late one is known
	group    string
	node     string // "" is all nodes of the group
	ws       *engine.State
	gs       *engine.GroupState // of group
	head     *engine.Revision
	live     *mesh.Mesh
	xs       *xds.State
	members  []*xds.Node // of the group
	nodes    []*xds.Node // those of them that are shown: all, or one
	facts    map[string]*envoy.Facts
	truths   map[string]*nodeTruth // by node; one that nobody joins is not in it
	refusals []*refusal            // what the group's nodes reject now
	health   map[hostKey]mark.Endpoint
	outline  *outline.Outline
	nginx    *nginxView
	findings map[mesh.Key][]mesh.Finding
	besides  []mesh.Finding // those of findings that are not of the draft
	// unchecked are the clusters that look after no endpoint's health, so that
	// Envoy calls every one healthy.
	unchecked map[string]bool
	wire      []xds.Message
	dropped   uint64
	plane     string
	own       map[string]bool // the nodes that meshtui started itself
	notices   []Notice
	traffic   TrafficSnapshot
	contest   ContestState
	server    NginxState         // the nginx beside the Envoys
	backends  map[string]Backend // by address

	draftWays, liveWays *routing // one and the same when the draft is what is live
	kept                []kept.Request
	keptDraft, keptLive []kept.Result // of kept, in its order
}

// hostKey names an endpoint across nodes.
type hostKey struct{ cluster, address string }

// factsOf is what is known of a node, or nil.
func (d *data) factsOf(node string) *envoy.Facts { return d.facts[node] }

// hash is that of the live resource, "" when nothing live has the key.
func (d *data) hash(k mesh.Key) string {
	if r := d.live.Get(k); r != nil {
		return r.Hash()
	}
	return ""
}

// resource is the draft's resource, else the live one that the draft removed.
func (d *data) resource(k mesh.Key) *mesh.Resource {
	if r := d.gs.Draft.Get(k); r != nil {
		return r
	}
	return d.live.Get(k)
}

// connected counts the group's nodes that are here.
func (d *data) connected() int {
	n := 0
	for _, node := range d.members {
		if node.Connected {
			n++
		}
	}
	return n
}

// parent is the field path without its last step.
func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// maker makes pictures and keeps what two in a row have in common.
type maker struct {
	deps Deps
	now  func() time.Time

	mu       sync.Mutex
	last     *data
	matchers matchers
	builder  outline.Builder
	wire     []xds.Message
	dropped  uint64
	wireNext uint64
}

// newMaker makes pictures of what there is in d, with its own ways of looking at
// nginx where d names none.
func newMaker(d Deps, now func() time.Time) *maker {
	if d.Project == nil {
		d.Project = nginx.Project
	}
	if d.Foretell == nil {
		d.Foretell = func(c *conf.Config) Foreteller { return predict.New(c) }
	}
	if d.Friends == nil {
		d.Friends = friends.Of
	}
	m := &maker{deps: d, now: now}
	m.matchers.project, m.matchers.foretell = d.Project, d.Foretell
	return m
}

// first is the group that the screen begins with: the default one, unless it
// is empty and another is not; then rather one that a connected node is in.
func (m *maker) first() string {
	ws, xs := m.deps.Workspace.State(), m.deps.Nodes.State()
	best, rank := mesh.DefaultGroup, 0
	for i := range ws.Groups {
		g := &ws.Groups[i]
		if g.Draft.Len()+g.Live.Len() == 0 {
			continue
		}
		n := 1
		switch {
		case g.Name == mesh.DefaultGroup:
			n = 3
		case xs != nil && slices.ContainsFunc(xs.Nodes, func(n *xds.Node) bool { return n.Connected && n.Group == g.Name }):
			n = 2
		}
		if n > rank {
			best, rank = g.Name, n
		}
	}
	return best
}

// make builds the picture of a group and a node as things stand now. A group
// that is gone gives way to the default one, a node that is gone to all.
func (m *maker) make(group, node string) *data {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &data{group: group, node: node, ws: m.deps.Workspace.State(), xs: m.deps.Nodes.State(), seq: 1}
	if m.last != nil {
		d.seq = m.last.seq + 1
	}
	m.workspace(d)
	m.findBesides(d)
	m.routings(d)
	m.askKept(d)
	m.people(d)
	m.joinTruths(d)
	m.diagnose(d)
	m.surroundings(d)
	m.readWire(d)
	m.last = d
	return d
}

func (m *maker) workspace(d *data) {
	if d.gs = d.ws.Group(d.group); d.gs == nil {
		d.group = mesh.DefaultGroup
		if d.gs = d.ws.Group(d.group); d.gs == nil {
			d.gs = &engine.GroupState{Name: d.group}
		}
	}
	d.head = d.ws.Head()
	d.live = d.gs.Live
	if l := m.last; l != nil && l.ws == d.ws && l.group == d.group {
		d.outline, d.nginx, d.findings, d.unchecked = l.outline, l.nginx, l.findings, l.unchecked
		return
	}
	d.outline = m.builder.Build(d.gs.Draft, d.gs.Changes)
	d.unchecked = uncheckedIn(d.gs.Draft, d.live)
	d.findings = byKey(d.gs.Findings)
	if l := m.last; l != nil && l.gs.Draft == d.gs.Draft {
		d.nginx = l.nginx
		return
	}
	config := m.deps.Project(d.gs.Draft)
	d.nginx = newNginxView(config, m.deps.Friends(d.gs.Draft, config))
}

func byKey(findings []mesh.Finding) map[mesh.Key][]mesh.Finding {
	out := make(map[mesh.Key][]mesh.Finding)
	for _, f := range findings {
		out[f.Key] = append(out[f.Key], f)
	}
	return out
}

// findBesides adds what is amiss with the files that resources name.
func (m *maker) findBesides(d *data) {
	if m.deps.Findings != nil {
		d.besides = m.deps.Findings()
	}
	if len(d.besides) > 0 || m.last != nil && len(m.last.besides) > 0 {
		d.findings = byKey(slices.Concat(d.gs.Findings, d.besides))
	}
}

// uncheckedIn finds the clusters without health checks and without outlier
// detection. Of one that is in several meshes the last one counts.
func uncheckedIn(meshes ...*mesh.Mesh) map[string]bool {
	out := make(map[string]bool)
	for _, m := range meshes {
		for _, r := range m.List(mesh.Cluster) {
			if c, ok := r.Message.(*clusterv3.Cluster); ok {
				out[r.Key.Name] = len(c.GetHealthChecks()) == 0 && c.GetOutlierDetection() == nil
			}
		}
	}
	return out
}

// people joins the nodes with what their admin interfaces tell.
func (m *maker) people(d *data) {
	d.facts = make(map[string]*envoy.Facts)
	if d.xs == nil {
		d.xs = &xds.State{}
	}
	found := false
	for _, n := range d.xs.Nodes {
		if n.Group != d.group && d.ws.Group(n.Group) != nil {
			continue
		}
		d.members = append(d.members, n)
		found = found || n.ID == d.node
		if m.deps.Evidence != nil {
			if f := m.deps.Evidence.Facts(n.ID); f != nil {
				d.facts[n.ID] = f
			}
		}
	}
	if !found {
		d.node = ""
	}
	nobody := d.connected() == 0 // then those that have left are shown as such
	for _, n := range d.members {
		if d.node == "" && (n.Connected || nobody) || n.ID == d.node {
			d.nodes = append(d.nodes, n)
		}
	}
	if d.sameFacts(m.last) {
		d.health = m.last.health
		return
	}
	d.health = make(map[hostKey]mark.Endpoint)
	now := m.now()
	for _, n := range d.nodes {
		f := d.facts[n.ID]
		if f == nil {
			continue
		}
		stale := f.Stale(now)
		for i := range f.Endpoints {
			k := hostKey{f.Endpoints[i].Cluster, f.Endpoints[i].Address}
			e := d.health[k]
			e.Add(&f.Endpoints[i], stale)
			d.health[k] = e
		}
	}
}

// sameFacts reports whether the nodes shown told nothing new since last.
func (d *data) sameFacts(last *data) bool {
	if last == nil || last.node != d.node || len(last.nodes) != len(d.nodes) {
		return false
	}
	for i, n := range d.nodes {
		if last.nodes[i].ID != n.ID || last.facts[n.ID] != d.facts[n.ID] {
			return false
		}
	}
	return true
}

func (m *maker) surroundings(d *data) {
	if p := m.deps.DataPlane; p != nil {
		d.plane, d.notices = p.Describe(), p.Notices()
		d.own = make(map[string]bool)
		for _, id := range p.Nodes() {
			d.own[id] = true
		}
	}
	d.backends = make(map[string]Backend)
	if t := m.deps.Traffic; t != nil {
		d.traffic = t.Snapshot()
		for _, b := range d.traffic.Backends {
			d.backends[b.Address] = b
		}
	}
	if m.deps.Contest != nil {
		d.contest = m.deps.Contest.State()
	}
	if m.deps.Nginx != nil {
		d.server = m.deps.Nginx.State()
	}
	if m.deps.Lab != nil {
		for _, b := range m.deps.Lab.Backends() {
			if _, known := d.backends[b.Address]; !known {
				d.backends[b.Address] = b
			}
		}
	}
}

// readWire takes what is new on the wire, a bounded piece at a time.
func (m *maker) readWire(d *data) {
	if w := m.deps.Nodes.Wire(); w != nil {
		msgs, dropped := w.Since(m.wireNext, wireKept)
		m.dropped += dropped
		if len(msgs) > 0 {
			m.wireNext = msgs[len(msgs)-1].Seq
			// A new array each time: pictures that were handed out keep theirs.
			old := m.wire[max(0, len(m.wire)+len(msgs)-wireKept):]
			if len(msgs) >= wireKept {
				old = nil
			}
			m.wire = append(append(make([]xds.Message, 0, len(old)+len(msgs)), old...), msgs...)
		}
	}
	d.wire, d.dropped = m.wire, m.dropped
}
