package importer

import (
	"strings"

	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// Import makes a mesh of an nginx.conf. It never fails: what cannot be said is
// in the report. nil is the empty file.
func Import(c *conf.Config) *Result {
	return newImporter(c).run()
}

// importer is one run of Import.
type importer struct {
	conf        *conf.Config
	claimed     map[*conf.Directive]bool // that some part has accounted for
	report      []entry
	links       []link
	made        []made
	taken       map[mesh.Key]bool
	packed      map[proto.Message]place // messages within an Any, and where that stands
	pools       map[string]*pool        // of http {}, by name in lower case
	goals       map[*routev3.RouteAction]*goal
	inside      map[*conf.Directive]map[string][]*conf.Directive // what stands in each block
	uses        map[string]bool                                  // variables that the file uses; nil while nobody asked
	scopes      map[*conf.Directive]*scope                       // the locations of each block
	said        map[Entry]bool
	told        map[telling]bool                      // the same, before the words are put together
	settled     map[*conf.Directive]bool              // blocks that moot has gone through
	names       map[mesh.Key]int                      // the number that a name last got
	written     map[*conf.Directive]string            // long directives in words
	answers     map[test]answer                       // of the tests that are the same everywhere
	placed      map[string]bool                       // variables that hang on the place in the file
	tables      map[string][]*conf.Directive          // map and geo, by their variable
	compiled    map[source]compiled                   // expressions
	space       int                                   // the room that the file has, in bytes
	room        int                                   // what is left of it
	believers   map[*conf.Directive][]*conf.Directive // of the sites of a server
	unevens     map[*conf.Directive]bool              // servers that keep requests out of some of their paths
	slashed     bool                                  // it is said that %2F stays
	relocated   bool                                  // it is said that an upstream's Location stays
	overwritten bool                                  // it is said that Envoy sets X-Forwarded-Proto anew
	plain       bool                                  // it is said what plain HTTP to a TLS port gets
}

func newImporter(c *conf.Config) *importer {
	if c == nil {
		c = &conf.Config{}
	}
	space := roomFor(c)
	return &importer{conf: c, claimed: map[*conf.Directive]bool{}, taken: map[mesh.Key]bool{},
		packed: map[proto.Message]place{}, pools: map[string]*pool{}, goals: map[*routev3.RouteAction]*goal{},
		inside: map[*conf.Directive]map[string][]*conf.Directive{},
		scopes: map[*conf.Directive]*scope{}, said: map[Entry]bool{}, told: map[telling]bool{}, settled: map[*conf.Directive]bool{},
		names: map[mesh.Key]int{}, compiled: map[source]compiled{}, answers: map[test]answer{}, unevens: map[*conf.Directive]bool{}, believers: map[*conf.Directive][]*conf.Directive{}, space: space, room: space}
}

func (im *importer) run() *Result {
	im.main()
	im.rest(im.conf.Main)
	return im.result()
}

// made is a resource, and the directive that it comes from.
type made struct {
	message proto.Message
	from    *conf.Directive
}

// place is a field of a message that is being made. Which resource it will be a
// part of, and at which index, is known only at the end.
type place struct {
	in   proto.Message
	path string // field path within it, "" for the message itself
}

func at(in proto.Message, path string) place { return place{in, path} }

type link struct {
	from *conf.Directive
	kind nginx.Kind
	to   place
}

type entry struct {
	Entry
	at place
}

// put takes a resource in. A name that is taken gets a number: it returns the
// name that it has in the end, and sets it in the message.
func (im *importer) put(from *conf.Directive, m proto.Message) string {
	t, _ := mesh.TypeOf(m)
	name := mesh.NameOf(m)
	key := mesh.Key{Type: t, Name: name}
	for held := key; im.taken[held]; held.Name = mesh.NameOf(m) {
		im.names[key] = max(im.names[key], 1) + 1
		rename(m, fmt.Sprintf("%s-%d", name, im.names[key]))
	}
	im.taken[mesh.Key{Type: t, Name: mesh.NameOf(m)}] = true
	im.made = append(im.made, made{m, from})
	return mesh.NameOf(m)
}

func rename(m proto.Message, name string) {
	field := m.ProtoReflect().Descriptor().Fields().ByName("name")
	if field == nil {
		field = m.ProtoReflect().Descriptor().Fields().ByName("cluster_name")
	}
	m.ProtoReflect().Set(field, protoreflect.ValueOfString(name))
}

// exact notes that a directive became this, and means the same.
func (im *importer) exact(d *conf.Directive, to place) {
	im.claimed[d] = true
	im.became(d, nginx.Exact, to)
}

// became notes what a directive became.
func (im *importer) became(d *conf.Directive, kind nginx.Kind, to place) {
	im.spend(linkCost)
	im.links = append(im.links, link{from: d, kind: kind, to: to})
}

// linkCost is about what a link takes, in bytes.
const linkCost = 64

// approx notes that a directive became this, and where the two part.
func (im *importer) approx(d *conf.Directive, to place, reason, instead string) {
	im.claimed[d] = true
	im.became(d, nginx.Approximate, to)
	im.tell(nginx.Approximate, d, reason, instead, to)
}

// none notes that a directive has no counterpart. What stands within its braces
// is accounted for too.
func (im *importer) none(d *conf.Directive, reason, instead string) {
	im.moot(d)
	im.tell(nginx.None, d, reason, instead, place{})
}

// say enters a directive in the report without accounting for what stands within
// its braces. to is zero for what is not carried over.
func (im *importer) say(kind nginx.Kind, d *conf.Directive, reason, instead string, to place) {
	im.claimed[d] = true
	im.tell(kind, d, reason, instead, to)
}

// near notes that a directive became this where the two part only in what the
// report says once for all.
func (im *importer) near(d *conf.Directive, to place) {
	im.claimed[d] = true
	im.became(d, nginx.Approximate, to)
}

// moot accounts for a directive that changes nothing in Envoy, with what stands
// within its braces: worker_processes, a keepalive of connections that Envoy
// pools anyway, a default written out.
func (im *importer) moot(d *conf.Directive) {
	im.claimed[d] = true
	if len(d.Block) == 0 || im.settled[d] {
		return
	}
	im.settled[d] = true
	for _, in := range d.Block {
		im.moot(in)
	}
}

// telling is what an entry says of which directive.
type telling struct {
	d               *conf.Directive
	kind            nginx.Kind
	reason, instead string
}

// tell enters a directive in the report, the same words once.
func (im *importer) tell(kind nginx.Kind, d *conf.Directive, reason, instead string, to place) {
	t := telling{d, kind, reason, instead}
	if im.told[t] {
		return
	}
	im.told[t] = true
	im.enter(entry{Entry{Kind: kind, Directive: im.words(d), File: d.File, Line: d.Line, Reason: reason, Instead: instead}, to})
}

// words is the directive as the report has it. Those of a long one are kept: a
// list of a thousand names may have a thousand entries.
func (im *importer) words(d *conf.Directive) string {
	if len(d.Args) < 64 {
		return d.String()
	}
	if im.written == nil {
		im.written = map[*conf.Directive]string{}
	}
	s, ok := im.written[d]
	if !ok {
		s = d.String()
		im.written[d] = s
	}
	return s
}

// enter adds to the report; the same words for the same directive are said once.
func (im *importer) enter(e entry) {
	if !im.said[e.Entry] {
		im.said[e.Entry] = true
		im.report = append(im.report, e)
	}
}

// rest reports what nobody has claimed. A block that somebody claimed may hold
// such directives; of one that nobody did only the block is named.
func (im *importer) rest(ds []*conf.Directive) {
	for _, d := range ds {
		if im.claimed[d] {
			im.rest(d.Block)
			continue
		}
		reason := "it is not carried over"
		if d.Name == "location" && strings.HasPrefix(d.Arg(0), "@") {
			reason = "only error_page and try_files lead to it, and Envoy has neither"
		}
		im.none(d, reason, "")
	}
}
