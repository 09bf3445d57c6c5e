package importtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// TestNobodyComesInWhomNginxTurnsAway asks a real nginx and a real Envoy with
// paths that are disguised: whom nginx answers by itself with a refusal may not
// come to an upstream through Envoy. MESHTUI_FUZZ_LET_IN is how many requests to
// send, MESHTUI_SEED where to begin.
func TestNobodyComesInWhomNginxTurnsAway(t *testing.T) {
	t.Parallel()
	a := &letIn{t: t}
	seed, n := uint64(number(t, "MESHTUI_SEED", 1)), number(t, "MESHTUI_FUZZ_LET_IN", 4000)
	backends := []string{nginxtest.NewEcho(t, "b0").Address, nginxtest.NewEcho(t, "b1").Address}
	for a.asked < n {
		var cases []server
		for range min(perBatch, (n-a.asked+perCase-1)/perCase) {
			m := newMaker(seed)
			m.backends = backends
			if len(cases) == 0 {
				m.f("%s", gatedHead)
			}
			m.gated("LISTEN")
			cases, seed = append(cases, server{seed: seed, text: m.b.String()}), seed+1
		}
		t.Run(fmt.Sprint(cases[0].seed), func(t *testing.T) { a.batch(newLab(t, cases, nil)) })
		if t.Failed() {
			break
		}
	}
	t.Logf("%d requests, %d of them turned away by nginx, %d cleaned by Envoy into what nginx lets in, %d let in as the report says, %d let in unsaid; %d kept out whom nginx lets in",
		a.asked, a.refused, a.cleaned, a.said, a.unsaid, a.shut)
	if a.refused < a.asked/5 || a.shut > a.asked/5 {
		t.Errorf("which holds too little")
	}
}

// letIn counts what both did.
type letIn struct {
	t                                           *testing.T
	asked, refused, cleaned, said, unsaid, shut int
}

func (a *letIn) batch(l *lab) {
	for i, c := range l.cases {
		m := newMaker(c.seed ^ 0x7265667573616c)
		n := nginxtest.NewAsker(l.t, fmt.Sprintf("%s:%d", loopback(i), l.nginx))
		e := nginxtest.NewAsker(l.t, fmt.Sprintf("%s:%d", loopback(i), l.envoy))
		for range perCase {
			method, target, headers := m.gatedRequest()
			a.one(l, i, n, e, gatedQuestion{method: method, target: target, headers: headers, absolute: m.chance(5), host: pick(m, "a.test", "a.test", "A.Test", "a.test.", "a.test:80", "other.test")})
		}
		n.Close()
		e.Close()
	}
}

// gatedQuestion is one request for a server that refuses.
type gatedQuestion struct {
	method, host, target string
	headers              [][2]string
	absolute             bool // the target has the host before it
}

func (q gatedQuestion) raw() string {
	target := q.target
	if q.absolute {
		target = "http://" + strings.TrimSuffix(q.host, ".") + target
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.method, target, q.host)
	for _, h := range q.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if q.method == "POST" {
		b.WriteString("Content-Length: 0\r\n")
	}
	return b.String() + "\r\n"
}

// through reports whether an upstream saw the request, and the target that it saw
// where the answer tells.
func through(r nginxtest.Reply) (target string, ok bool) {
	if seen, ok := nginxtest.ParseSeen(r.Body); ok {
		return seen.Target, true
	}
	return "", r.Headers.Get("X-Echo") != ""
}

// turnedAway reports whether nginx itself refuses.
func turnedAway(r nginxtest.Reply) bool {
	_, passed := through(r)
	return !passed && (r.Status == 0 || r.Status >= 400 && r.Status < 500)
}

// cleanedOf is a target after what Envoy alone resolves in a path: \ is /, "..;x" is
// "..", and what climbs above the root stays there. The upstream sees no more of
// it, so that the request is the one which it has become.
func cleanedOf(target string) string {
	path, rest := target, ""
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		path, rest = target[:i], target[i:]
	}
	var out []string
	all := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")
	for i, s := range all {
		dots, _, _ := strings.Cut(s, ";")
		switch dots = strings.NewReplacer("%2e", ".", "%2E", ".").Replace(dots); {
		case dots == ".." && len(out) > 1:
			out = out[:len(out)-1]
		case dots != "." && dots != "..":
			out = append(out, s)
			continue
		}
		if i == len(all)-1 {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/") + rest
}

func (a *letIn) one(l *lab, i int, n, e *nginxtest.Asker, q gatedQuestion) {
	a.asked++
	theirs, ours := n.Ask(q.raw()), e.Ask(q.raw())
	_, passedNginx := through(theirs)
	target, passedEnvoy := through(ours)
	refused := turnedAway(theirs)
	switch {
	case passedNginx && !passedEnvoy:
		a.shut++
	case !refused:
	case !passedEnvoy:
		a.refused++
	default:
		a.refused++
		clean := q
		if clean.target = cleanedOf(q.target); clean.target != q.target {
			if r := n.Ask(clean.raw()); !turnedAway(r) {
				a.cleaned++
				return
			}
		}
		where, rule := l.refusalOf(i, q)
		if !rule { // there is no such file, or the method is none for files
			return
		}
		if slices.ContainsFunc(l.made.Report, func(e importer.Entry) bool { return where[e.Line] && letsIn(e.Reason) }) {
			a.said++
			l.t.Errorf("SAID seed %d: %q: nginx answers %d, Envoy sends %q on\n%s", l.cases[i].seed, q.raw(), theirs.Status, target, l.cases[i].text)
			return
		}
		if a.unsaid++; a.unsaid < 6 {
			l.t.Errorf("seed %d: %q: nginx answers %d, Envoy sends %q on\n%s", l.cases[i].seed, q.raw(), theirs.Status, target, l.cases[i].text)
		}
	}
}

// refusalOf are the lines of the location that nginx refuses a request in, and of
// what refuses it there. rule is false where it only looks for a file.
func (l *lab) refusalOf(i int, q gatedQuestion) (lines map[int]bool, rule bool) {
	lines = map[int]bool{}
	p := predict.Request{Method: q.method, Host: q.host, Target: q.target, Headers: q.headers, Port: uint32(l.envoy), Address: netip.MustParseAddr(loopback(i))}
	answer := predict.New(l.file).Answer(p)
	steps := answer.Steps
	for _, s := range steps[max(0, len(steps)-2):] {
		if s.At != nil {
			lines[s.At.Line] = true
		}
	}
	return lines, answer.Action != predict.Static
}

// letsIn reports whether a reason says that somebody gets in whom nginx turns away.
func letsIn(reason string) bool {
	return strings.Contains(reason, "which nginx refuses") || strings.Contains(reason, "that nginx refuses") || strings.Contains(reason, "whom nginx refuses") || strings.Contains(reason, "lets in") || strings.Contains(reason, "unchecked")
}
