package merge_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	nginxconf "example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/engine/nginx/predict"
)

var (
	worlds   = flag.Int("worlds", 100, "how many random edits to make")
	firstOne = flag.Uint64("first", 0, "the seed of the first random edit")
)

// TestAnEditDoesWhatItSays makes random edits of the projections of random meshes.
// What is not refused must do what an nginx with the edited text would do, but for
// what the report tells; leave everything else to the letter as it was; and be
// found again in the next projection.
func TestAnEditDoesWhatItSays(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for seed := *firstOne; seed < *firstOne+uint64(*worlds); seed++ {
		w := world{rand.New(rand.NewPCG(seed, 11))}
		m := w.mesh(t)
		shown := nginx.Project(m)
		root := tree(shown.String())
		var edits []string
		for range 1 + w.IntN(3) {
			edits = append(edits, w.edit(root))
		}
		e := &experiment{t: t, seed: seed, edits: edits, base: m, shown: shown, edited: root.String(), count: count}
		e.run(w)
	}
	t.Log(count)
	if count["taken"]*3 < *worlds || count["compared"] < 20**worlds {
		t.Errorf("too little was looked at: %v", count)
	}
}

// experiment is one edit of one mesh.
type experiment struct {
	t      *testing.T
	seed   uint64
	edits  []string
	base   *mesh.Mesh
	shown  *nginx.Config
	edited string
	change *merge.Change
	now    *mesh.Mesh
	again  *nginx.Config
	count  map[string]int
	failed bool
}

func (e *experiment) errorf(format string, args ...any) {
	e.t.Helper()
	if !e.failed {
		e.t.Errorf("seed %d, %s: %s", e.seed, strings.Join(e.edits, ", "), fmt.Sprintf(format, args...))
	}
	e.failed = true
}

func (e *experiment) run(w world) {
	var err error
	if e.change, err = merge.Merge(e.base, e.shown, e.edited); err == nil {
		err = e.change.Verify(e.base, e.shown, e.edited, check.Mesh)
	}
	if err != nil {
		e.refused(err)
		return
	}
	e.count["taken"]++
	if e.now, err = e.change.Apply(e.base); err != nil {
		e.errorf("%v", err)
		return
	}
	e.again = nginx.Project(e.now)
	e.behaves(w)
	e.keeps()
	e.isThere(w)
}

// refused holds that a refusal says where and why.
func (e *experiment) refused(err error) {
	var syntax *merge.SyntaxError
	if !errors.As(err, &syntax) || len(syntax.Findings) == 0 {
		e.errorf("refused without a finding: %v\n%s", err, diffLines(e.shown.String(), e.edited))
		return
	}
	e.count["refused"]++
	if testing.Verbose() {
		e.t.Logf("seed %d, %s: %v", e.seed, strings.Join(e.edits, ", "), err)
	}
	lines := strings.Count(e.edited, "\n")
	for _, f := range syntax.Findings {
		if f.Line < 1 || f.Line > lines || f.Message == "" {
			e.errorf("refused without a line or a reason: %+v", f)
		}
	}
}

// did is what became of a request.
type did struct {
	status          int
	location, body  string
	to              string // addresses, with the way to connect
	path, host      string
	known, reported bool
}

// behaves holds the mesh against the edited text, request by request.
func (e *experiment) behaves(w world) {
	was, now := parsedConf(e.t, e.shown.String()), parsedConf(e.t, e.edited)
	nginxWas, nginxNow := predict.New(was), predict.New(now)
	envoyWas, envoyNow := match.New(e.base), match.New(e.now)
	told := map[int]bool{}
	for _, r := range e.change.Report {
		if !strings.HasPrefix(r.Reason, "the locations beside it say ") { // that is no excuse
			told[r.Line] = true
		}
	}
	kept := slices.ContainsFunc(e.change.Report, func(r importer.Entry) bool { return r.Kind == nginx.None })
	hosts, paths, ports := words(was, now)
	for range 80 {
		q := w.request(hosts, paths, ports)
		want := byNginx(now, nginxNow.Answer(q), told)
		got := byEnvoy(e.now, envoyNow.Match(asEnvoy(q)))
		switch {
		case !want.known || !got.known:
			e.count["unknown"]++
		case want.reported:
			e.count["reported"]++
		case want.same(got), want.status == 404 && got.status == -1:
			e.count["compared"]++ // where the servers of the mesh went away, the one that Project adds does too
		default:
			before, after := byNginx(was, nginxWas.Answer(q), nil), byEnvoy(e.base, envoyWas.Match(asEnvoy(q)))
			if kept && got.same(after) || e.left(envoyWas, envoyNow, q) {
				e.count["reported as not done"]++
				continue
			}
			if !before.same(after) && before.same(want) && after.same(got) {
				e.count["apart before"]++
				continue
			}
			e.errorf("%s %s of %s:%d %v: nginx does %+v, the mesh %+v (before: %+v, %+v)\n%s\n--- of\n%s", q.Method, q.Target, q.Host, q.Port, q.Headers, want, got, before, after, outcome(e.t, e.base, e.change), diffLines(e.shown.String(), e.edited))
			return
		}
	}
}

// left reports whether a request goes to a route that has the match which it had
// before, and the report tells of a location that its route stays: what else was
// edited, its host's names or its shares, may well be another.
func (e *experiment) left(was, now *match.Matcher, q predict.Request) bool {
	if !slices.ContainsFunc(e.change.Report, func(r importer.Entry) bool {
		return r.Kind == nginx.None && strings.HasPrefix(r.Directive, "location ")
	}) {
		return false
	}
	is := now.Match(asEnvoy(q))
	if is.Entry == nil {
		return false
	}
	for _, r := range e.base.List(mesh.Route) {
		rc, _ := r.Message.(*routev3.RouteConfiguration)
		for _, h := range rc.GetVirtualHosts() {
			if h.GetName() != is.VHost.GetName() {
				continue
			}
			for _, domain := range h.GetDomains() {
				q.Host = strings.Replace(domain, "*", "sub", 1)
				if before := was.Match(asEnvoy(q)); before.Entry != nil && before.Entry.GetName() == is.Entry.GetName() && proto.Equal(before.Entry.GetMatch(), is.Entry.GetMatch()) {
					return true
				}
			}
		}
	}
	return false
}

// request is a random one.
func (w world) request(hosts, paths []string, ports []uint32) predict.Request {
	q := predict.Request{Port: ports[w.IntN(len(ports))], Host: w.one(hosts...), Target: w.one(paths...) + w.one("", "", "", "?q=1"), Method: w.one("GET", "GET", "POST")}
	if w.chance(20) {
		q.Headers = append(q.Headers, [2]string{"x-beta", "1"})
	}
	return q
}

func (d did) same(o did) bool {
	d.known, d.reported, o.known, o.reported = false, false, false, false
	return d == o
}

func parsedConf(t *testing.T, text string) *nginxconf.Config {
	c, err := nginxconf.Parse("nginx.conf", nginxconf.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// words are the hosts, paths and ports that two texts have something to say of.
func words(texts ...*nginxconf.Config) (hosts, paths []string, ports []uint32) {
	hosts, paths = []string{"nobody.test", "x.c.test"}, []string{"/", "/zzz", "/a/b/c.png", "/x.php", "/b/17", "/static/img/x.png", "/new/x"}
	seen := map[string]bool{}
	for _, c := range texts {
		for d := range c.All() {
			switch d.Name {
			case "server_name":
				for _, n := range d.Args {
					if n != "_" { // nginx has it for no name; as a Host it would be one
						hosts = append(hosts, strings.Replace(n, "*", "sub", 1))
					}
				}
			case "location":
				name := d.Arg(len(d.Args) - 1)
				if strings.HasPrefix(name, "/") {
					paths = append(paths, name, name+"x", strings.TrimSuffix(name, "/")+"/x", strings.TrimSuffix(name, "/")+"/y.png")
				}
			case "listen":
				address := d.Arg(0)
				var port uint32
				if _, err := fmt.Sscan(address[strings.LastIndexByte(address, ':')+1:], &port); err == nil && !seen[fmt.Sprint(port)] {
					seen[fmt.Sprint(port)] = true
					ports = append(ports, port)
				}
			}
		}
	}
	return hosts, paths, ports
}

func asEnvoy(q predict.Request) *match.Request {
	out := &match.Request{Port: q.Port, Host: q.Host, Path: q.Target, Method: q.Method}
	for _, h := range q.Headers {
		out.Headers = append(out.Headers, routes.Header{Name: h[0], Value: h[1]})
	}
	return out
}
