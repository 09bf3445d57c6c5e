package importtest

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// TestEnvoyAnswersAsNginxDoes is what the importer is for. MESHTUI_FUZZ_NGINX is
// how many requests to send, MESHTUI_SEED where to begin.
func TestEnvoyAnswersAsNginxDoes(t *testing.T) {
	r := &run{t: t, known: map[string]int{}}
	r.batches(uint64(number(t, "MESHTUI_SEED", 1)), number(t, "MESHTUI_FUZZ_NGINX", 6000), nil)
	r.report()
	if r.same < r.sent*4/5 {
		t.Errorf("%d of %d requests were answered alike, which is too few to hold anything", r.same, r.sent)
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number above 0", name, s)
	}
	return n
}

const (
	perCase  = 100
	perBatch = 40
)

type run struct {
	t          *testing.T
	sent, same int
	known      map[string]int // known differences, and how often they were met
	failures   []failure
}

type failure struct {
	what string
	c    server
	pair
	note string
}

// batches sends n requests, each batch to servers of its own.
func (r *run) batches(seed uint64, n int, alter func(*mesh.Mesh) *mesh.Mesh) {
	var backends []string
	for i := range 4 {
		backends = append(backends, nginxtest.NewEcho(r.t, fmt.Sprintf("b%d", i)).Address)
	}
	for r.sent < n {
		var cases []server
		for range min(perBatch, (n-r.sent+perCase-1)/perCase) {
			cases = append(cases, newServer(seed, backends))
			seed++
		}
		r.t.Run(fmt.Sprintf("%d", cases[0].seed), func(t *testing.T) {
			r.batch(newLab(t, cases, alter))
		})
		if r.t.Failed() {
			return
		}
	}
}

func (r *run) batch(l *lab) {
	matcher, predictor := match.New(l.made.Mesh), predict.New(l.file)
	for i, c := range l.cases {
		m := newMakerFor(c)
		n := nginxtest.NewAsker(l.t, fmt.Sprintf("%s:%d", loopback(i), l.nginx))
		e := nginxtest.NewAsker(l.t, fmt.Sprintf("%s:%d", loopback(i), l.envoy))
		for range perCase {
			q := m.request(c)
			r.sent++
			foresee := func(q request) pair {
				return pair{q: q, lab: l, n: heard(n.Ask(q.raw)), nginx: predictor.Answer(foretold(q, loopback(i), l.envoy))}
			}
			p := foresee(q)
			p.e, p.way, p.again = l.asNginx(heard(e.Ask(q.raw))), matcher.Match(asked(q, loopback(i), l.envoy)), foresee
			if why := r.predicted(p.way, p.e); why != "" {
				r.failures = append(r.failures, failure{what: "matcher", c: c, pair: p, note: why})
			}
			r.compare(c, p)
		}
		n.Close()
		e.Close()
	}
}

// compare holds the two answers against one another: they are the same, or are
// spelled in two known ways, or differ as a relation says of the request's class.
func (r *run) compare(c server, p pair) {
	what, known := differs(p)
	if what != "" && (known == "" || !p.lab.tells(spellings[known])) {
		r.relate(c, p, what)
		return
	}
	if known != "" {
		r.known[what+": "+known]++
	}
	others := p.headers()
	for _, what := range others {
		if p.names(what) {
			r.known["named in the report: "+what]++
			continue
		}
		r.relate(c, p, what)
	}
	if what == "" && len(others) == 0 {
		r.same++
	}
}

// relate looks for what the difference of the two is known to be.
func (r *run) relate(c server, p pair, what string) {
	for _, k := range left {
		if k.is(p.q) && k.holds(p) && p.lab.tells(k.told) {
			r.known[k.name]++
			return
		}
	}
	if p.names(what) {
		r.known["named in the report: "+what]++
		return
	}
	r.fail(c, p, what)
}

func (r *run) fail(c server, p pair, what string) {
	var is []string
	for _, k := range left {
		if k.is(p.q) {
			is = append(is, k.name)
		}
	}
	r.failures = append(r.failures, failure{what: what, c: c, pair: p,
		note: fmt.Sprintf("%s ▸ %s %s; Envoy reads %q; of the classes %q; the report says\n%s", p.way.VirtualHost, p.way.Route.Name, p.way.Action, p.way.Seen.Path, is, p.entries())})
}

// tells reports whether the import's report has these words.
func (l *lab) tells(words string) bool {
	return slices.ContainsFunc(l.made.Report, func(e importer.Entry) bool { return strings.Contains(e.Reason, words) })
}

func newMakerFor(c server) *maker {
	m := newMaker(c.seed ^ 0x72657175657374)
	return m
}

// asked is the request as the matcher is asked.
func asked(q request, address string, port int) *match.Request {
	ip, _ := netip.ParseAddr(address)
	target := q.target
	if q.absolute {
		target = "http://" + q.host + target
	}
	m := &match.Request{Address: ip, Port: uint32(port), Method: q.method, Host: q.host, Path: target, HTTP10: q.http10}
	if q.noHost {
		m.Host = ""
	}
	for _, h := range q.others {
		if strings.EqualFold(h[0], "Host") {
			m.Host = strings.TrimPrefix(m.Host+","+h[1], ",")
			continue
		}
		m.Headers = append(m.Headers, routes.Header{Name: h[0], Value: h[1]})
	}
	if m.Host == "" && !q.noHost { // an empty one is told from none
		m.Headers = append(m.Headers, routes.Header{Name: "Host"})
	}
	return m
}

// predicted says where the matcher and Envoy part.
func (r *run) predicted(w match.Way, e answer) string {
	switch {
	case w.Action == match.Forward && len(w.Fates) == 0 && e.target == "" && e.status == 200 && e.body == "": // a HEAD
	case w.Action == match.Forward && len(w.Fates) == 0 && e.status != 403:
		if e.target != w.Path {
			return fmt.Sprintf("forward to %q", w.Path)
		}
	case e.status == 403 && slices.ContainsFunc(w.Caveats, func(c string) bool { return strings.Contains(c, "rbac") }): // as it says
	case w.Status != e.status && slices.ContainsFunc(w.Caveats, func(c string) bool { return strings.Contains(c, "local_reply_config") }): // as it says
	case w.Status != e.status:
		return fmt.Sprintf("status %d (%s %s)", w.Status, w.Action, w.Reason)
	case w.Action == match.DirectResponse && e.location != "": // which a header of the route says
	case pathOf(w.Location) != e.location:
		return fmt.Sprintf("location %q", w.Location)
	}
	return ""
}

// report says what was left out, and fails for what differed: one of each sort
// in full.
func (r *run) report() {
	r.t.Helper()
	r.t.Logf("%d requests, %d answered alike", r.sent, r.same)
	for _, k := range slices.Sorted(maps.Keys(r.known)) {
		r.t.Logf("%6d × %s", r.known[k], k)
	}
	shown := map[string]int{}
	for _, f := range r.failures {
		r.t.Logf("seed %d: %s, %q: nginx %d, Envoy %d by %s ▸ %s", f.c.seed, f.what, f.q.raw[:min(len(f.q.raw), 120)], f.n.status, f.e.status, f.way.VirtualHost, f.way.Route.Name)
		sort := f.what + fmt.Sprint(f.n.status, f.e.status)
		if shown[sort]++; shown[sort] > 1 || len(shown) > 12 {
			continue
		}
		r.t.Errorf("seed %d, %s, %v\n%q\nnginx %s\nEnvoy %s\n%s\n%s", f.c.seed, f.what, f.q.class, f.q.raw[:min(len(f.q.raw), 300)], f.n, f.e, f.note, f.c.text)
	}
	if len(r.failures) > 0 {
		r.t.Errorf("%d requests went elsewhere", len(r.failures))
	}
}
