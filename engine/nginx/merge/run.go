package merge

import (
	"fmt"
	"slices"
	"strings"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// merger is one run of Merge.
type merger struct {
	mesh   *mesh.Mesh
	shown  *nginx.Config
	before *side
	after  *side
	trees  *trees
	ops    *ops

	mirrorsOf     map[spot][]*conf.Directive // directives of the shown text by the fields that they mirror
	changed       []concern
	concerned     map[bool]map[nginx.Origin][]*concern         // false: places of the import before, true: after
	concerns      []*concern                                   // of the entity that is being merged
	hosts         map[*conf.Directive][]spot                   // virtual hosts by the server of the edited text that they are of
	localities    map[locality]*endpointv3.LocalityLbEndpoints // priorities that are new
	localityOrder []locality
	made          map[mesh.Key]*endpointv3.ClusterLoadAssignment // endpoints that are new
	assignments   []mesh.Key

	outer    map[nginx.Origin][]string // fields of the edited import's routes that come from further out
	steady   map[nginx.Origin][]string // those that come from lines which are as they were
	still    []string                  // of the entity that is being merged
	placed   map[nginx.Origin]string   // routes that are new: their place in the edited import, and their YAML
	siteList []*site
	forced   bool // a field may change though other lines mirror it
	sparing  bool // only what a changed directive itself leads to may change

	remade  map[*conf.Directive]bool // blocks of the edited text that became something new
	handled map[*conf.Directive]bool // directives of the edited text whose entities were merged
	renamed map[string]string        // clusters whose upstream is called otherwise now
	lone    map[string]mesh.Key      // clusters without an upstream block, by the name in the imports

	takes    []taken
	reported []importer.Entry
	summary  []string
}

// Merge finds what an edit of the projection of base changes in base. shown is
// nginx.Project(base), edited the text that came back. An edit of blanks, comments
// or the order of what has none is no change. It fails with a *SyntaxError on a
// text that nginx would not read or not start with.
func Merge(base *mesh.Mesh, shown *nginx.Config, edited string) (*Change, error) {
	text := shown.String()
	was, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("the projection itself cannot be read: %w", err)
	}
	now, err := read(edited)
	if err != nil {
		return nil, err
	}
	if wrong := unfit(was, now); len(wrong) > 0 {
		return nil, &SyntaxError{wrong}
	}
	aligned := align(was, now)
	if wrong := aligned.overtaken(now); len(wrong) > 0 {
		return nil, &SyntaxError{wrong}
	}
	m := &merger{mesh: base, shown: shown, ops: newOps(), trees: aligned, mirrorsOf: map[spot][]*conf.Directive{},
		concerned: map[bool]map[nginx.Origin][]*concern{false: {}, true: {}}, hosts: map[*conf.Directive][]spot{},
		steady: map[nginx.Origin][]string{}, remade: map[*conf.Directive]bool{}, handled: map[*conf.Directive]bool{}, renamed: map[string]string{}, lone: map[string]mesh.Key{}, placed: map[nginx.Origin]string{}, localities: map[locality]*endpointv3.LocalityLbEndpoints{}, made: map[mesh.Key]*endpointv3.ClusterLoadAssignment{}}
	if !sameTree(was.Main, now.Main) {
		m.before, m.after = newSide(was), newSide(now)
		m.run()
	} else {
		m.before, m.after = &side{conf: was}, &side{conf: now}
	}
	m.comments(edited)
	c, err := m.change(base)
	if err != nil {
		return nil, err
	}
	c.was, c.now, c.theirs = &parsed{text, was}, &parsed{edited, now}, m.after.result
	return c, nil
}

// sameTree reports whether two texts say the same, in the same order.
func sameTree(a, b []*conf.Directive) bool {
	return slices.EqualFunc(a, b, func(x, y *conf.Directive) bool { return written(x) == written(y) })
}

func (m *merger) run() {
	m.gatherMirrors()
	m.gatherConcerns()
	m.gatherSteady()
	m.clusterNames()
	m.upstreams()
	m.closeLocalities()
	m.sites()
	m.servers()
	m.moved()
	m.locations()
	m.follow()
	m.renameAll()
	m.leftovers()
	m.account()
	m.sum()
}

// message is a resource of the mesh.
func (m *merger) message(k mesh.Key) proto.Message {
	if r := m.mesh.Get(k); r != nil {
		return r.Message
	}
	return nil
}

// pairs are the directives of the shown text for which take holds and which are
// still there, with what they are now.
func (m *merger) pairs(take func(*conf.Directive) bool) (out [][2]*conf.Directive) {
	for d := range m.before.conf.All() {
		if now := m.trees.now[d]; now != nil && take(d) {
			out = append(out, [2]*conf.Directive{d, now})
		}
	}
	return out
}

// gone are those that are no longer there, though the block that they stood in is.
func (m *merger) gone(take func(*conf.Directive) bool) (out []*conf.Directive) {
	for d := range m.before.conf.All() {
		if m.trees.now[d] == nil && (d.Parent == nil || m.trees.now[d.Parent] != nil) && take(d) {
			out = append(out, d)
		}
	}
	return out
}

// fresh are those that the operator added, the outermost of each.
func (m *merger) fresh(take func(*conf.Directive) bool) (out []*conf.Directive) {
	for d := range m.after.conf.All() {
		if m.trees.was[d] == nil && (d.Parent == nil || m.trees.was[d.Parent] != nil) && take(d) {
			out = append(out, d)
		}
	}
	return out
}

// ours is the place of a form among those that a directive of the shown text
// mirrors.
func (m *merger) ours(d *conf.Directive, t mesh.Type, form interface{ FindString(string) string }) (nginx.Origin, bool) {
	for _, o := range m.origins(d) {
		if path := form.FindString(o.Path); path != "" && (t == 0 || o.Key.Type == t) {
			return nginx.Origin{Key: o.Key, Path: path}, true
		}
	}
	return nginx.Origin{}, false
}

// say adds a line of the summary.
func (m *merger) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !slices.Contains(m.summary, line) {
		m.summary = append(m.summary, line)
	}
}

func (m *merger) setCell(s spot, c cell) {
	value, err := c.yaml()
	if err != nil || !m.free(s) {
		return
	}
	m.setRaw(s, value)
}

// setRaw gives a field a value, unless it has it.
func (m *merger) setRaw(s spot, value string) {
	if was, ok := lookup(m.message(s.key), s.path); ok {
		if y, err := was.yaml(); err == nil && y == value {
			return
		}
	}
	m.ops.set[s] = value
}

func (m *merger) unset(s spot) {
	if _, ok := lookup(m.message(s.key), s.path); !ok || !m.free(s) {
		return
	}
	if list, i := lastIndex(s.path); strings.HasSuffix(s.path, "]") && i >= 0 {
		if c, ok := lookup(m.message(s.key), list); ok && c.list && c.fd.IsList() {
			m.removeItem(spot{s.key, list}, c.value.List().Len(), i)
			return
		}
	}
	if m.inheritsRetries(s) {
		m.ops.set[s] = "{}"
		return
	}
	m.ops.gone[s] = true
}

// inheritsRetries reports whether a route without this field of its own would have
// the retries of its virtual host. An empty policy retries nothing.
func (m *merger) inheritsRetries(s spot) bool {
	route, own := strings.CutSuffix(s.path, ".route.retry_policy")
	host, _ := lastIndex(route)
	host, of := strings.CutSuffix(host, ".routes")
	if s.key.Type != mesh.Route || !own || !of {
		return false
	}
	_, has := lookup(m.message(s.key), host+".retry_policy")
	return has
}

func (m *merger) removeItem(list spot, n, index int) { m.ops.list(list, n).remove(index) }

// insertItem puts an item before the one that has the index now.
func (m *merger) insertItem(list spot, n, before int, c cell) {
	value, err := c.yaml()
	if err != nil {
		return
	}
	l := m.ops.list(list, n)
	at := l.at(before)
	if at < 0 {
		at = l.place(before)
	}
	l.insert(at, value)
}
