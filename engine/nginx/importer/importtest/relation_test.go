package importtest

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/nginx/predict"
)

// pair is what both did with one request.
type pair struct {
	q     request
	n, e  answer
	way   match.Way      // what the matcher says of Envoy
	nginx predict.Answer // and of nginx
	lab   *lab
	again func(q request) pair // with only nginx's side
}

// A relation says in what the two answers to a request differ that they are known
// to take apart: more than that they do.
type relation func(p pair) bool

// refusedByEnvoy: Envoy answers 400, whatever nginx does.
func refusedByEnvoy(p pair) bool { return p.e.status == 400 }

// read: Envoy does what nginx does with the request as Envoy reads it. So nginx is
// asked again, with Envoy's path: once as it is, for what Envoy resolves otherwise,
// and once with every % escaped, for what nginx decodes and Envoy leaves: then
// nginx looks at the same letters as Envoy does, and writes them as they are, or as
// it was asked. The Host that Envoy has, where it comes from elsewhere, goes with it.
func read(p pair) bool {
	for way := range 4 {
		decodes := way&1 == 0
		again := p.again(p.asRead(decodes, way&2 != 0))
		again.e, again.way = p.e, p.way
		if again.alike() {
			return true
		}
		if !decodes {
			again.n.target, again.n.location = strings.ReplaceAll(again.n.target, "%25", "%"), strings.ReplaceAll(again.n.location, "%25", "%")
			if again.alike() {
				return true
			}
		}
	}
	return false
}

// alike reports whether the two differ in nothing that the report does not name.
func (p pair) alike() bool {
	what, known := differs(p)
	other := slices.DeleteFunc(p.headers(), p.names)
	return noFile(p) || what != "" && p.names(what) || (what == "" || known != "") && len(other) == 0
}

// asRead is the request as Envoy reads it: its path decoded by nginx or not, and its
// Host as it came or as Envoy has it.
func (p pair) asRead(decodes, named bool) request {
	q := p.q
	if q.absolute || twice(q) || named {
		q.noHost, q.host, q.others = false, p.way.Seen.Authority, without(q.others, "Host")
	}
	q.absolute = false
	path, query, has := strings.Cut(p.way.Seen.Path, "?")
	if !decodes {
		path = strings.ReplaceAll(path, "%", "%25")
	}
	if q.target = path; has {
		q.target += "?" + query
	}
	q.write()
	return q
}

// refusedByNginx: nginx answers 400, and Envoy goes on with the request as it
// reads it.
func refusedByNginx(p pair) bool { return p.n.status == 400 && read(p) }

// tooLong: nginx answers 414, and Envoy something else than that it is too long.
func tooLong(p pair) bool { return p.n.status == 414 && p.e.status != 431 && p.e.status != 400 }

// noFile: nginx looks for a file, and Envoy has none.
func noFile(p pair) bool { return p.n.status == 405 && p.e.status >= 400 && p.way.Status == 404 }

// closed: the location's name is spelled so that Envoy does not find it, and the
// route behind it refuses.
func closed(p pair) bool {
	return p.e.status >= 400 && strings.HasSuffix(p.way.Route.Name, " in other letters")
}

// byExpression: Envoy does not find the name with which nginx ends its search, and
// so comes to an expression that takes the path in all spellings. Nobody is let in
// by that whom nginx refuses.
func byExpression(p pair) bool {
	if p.n.status >= 400 && p.e.status < 400 {
		return false
	}
	return slices.ContainsFunc(p.nginx.Losers, func(l predict.Loser) bool {
		name, ok := strings.CutPrefix(l.Name, "location ~")
		return ok && strings.HasPrefix(p.way.Route.Name, "~"+name) && strings.HasPrefix(l.Reason, "its expression was not tried")
	})
}

func without(headers [][2]string, name string) (out [][2]string) {
	for _, h := range headers {
		if !strings.EqualFold(h[0], name) {
			out = append(out, h)
		}
	}
	return out
}
