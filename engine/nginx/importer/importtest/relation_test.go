package importtest

import (
	"strings"

	"example.com/meshtui/engine/match"
)

// pair is what both did with one request.
type pair struct {
	q     request
	n, e  answer
	way   match.Way // what the matcher says of Envoy
	again func(q request) answer
}

// A relation says in what the two answers to a request differ that they are known
// to take apart: more than that they do.
type relation func(p pair) bool

// refusedByEnvoy: Envoy answers 400, whatever nginx does.
func refusedByEnvoy(p pair) bool { return p.e.status == 400 }

// read: Envoy does what nginx does with the request as Envoy reads it. So nginx is
// asked again, with Envoy's path: once as it is, for what Envoy resolves otherwise,
// and once with every % escaped, for what nginx decodes and Envoy leaves: then
// nginx looks at the same letters as Envoy does.
func read(p pair) bool {
	for _, decodes := range []bool{true, false} {
		q := p.q
		q.absolute, q.noHost, q.http10 = false, false, false
		q.host, q.others = p.way.Seen.Authority, without(q.others, "Host")
		path, query, has := strings.Cut(p.way.Seen.Path, "?")
		if !decodes {
			path = strings.ReplaceAll(path, "%", "%25")
		}
		if q.target = path; has {
			q.target += "?" + query
		}
		q.write()
		n := p.again(q)
		if !decodes {
			n.target, n.location = strings.ReplaceAll(n.target, "%25", "%"), strings.ReplaceAll(n.location, "%25", "%")
		}
		again := pair{q: q, n: n, e: p.e, way: p.way}
		if what, known := differs(again); what == "" || known != "" || noFile(again) {
			return true
		}
	}
	return false
}

// refusedByNginx: nginx answers 400, and Envoy goes on with the request as it
// reads it.
func refusedByNginx(p pair) bool { return p.n.status == 400 && read(p) }

// tooLong: nginx answers 414, and Envoy something else than that it is too long.
func tooLong(p pair) bool { return p.n.status == 414 && p.e.status != 431 && p.e.status != 400 }

// noFile: nginx looks for a file, and Envoy has none.
func noFile(p pair) bool { return p.n.status == 405 && p.e.status == 404 && p.way.Status == 404 }

func without(headers [][2]string, name string) (out [][2]string) {
	for _, h := range headers {
		if !strings.EqualFold(h[0], name) {
			out = append(out, h)
		}
	}
	return out
}
