package importtest

import (
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
)

// TestRelationsCanFail gives each relation an answer that it is not about: of an
// Envoy that lets in whom it refuses otherwise, or that goes elsewhere than nginx
// does with what Envoy reads.
func TestRelationsCanFail(t *testing.T) {
	file, err := conf.Parse("nginx.conf", conf.Text("events {} http { server { listen 127.0.0.1:8080; } }"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{file: file, made: importer.Import(file)}
	at := func(hit string) answer { return answer{status: 200, hit: hit, target: "/x"} }
	refused := answer{status: 400}
	pairOf := func(n, e, again answer) pair {
		return pair{q: request{host: "a.com", target: "/../x"}, n: n, e: e, lab: l,
			way:   match.Way{Seen: routes.Request{Authority: "a.com", Path: "/x"}},
			again: func(q request) pair { return pair{q: q, n: again, lab: l} }}
	}
	by := func(route string, p pair) pair {
		p.way.Route.Name = route
		p.nginx.Losers = []predict.Loser{{Name: "location ~ b", Reason: "its expression was not tried: `location = /a/b` is exact, and that ends the search"},
			{Name: "location ~ c", Reason: "its expression does not match \"/a/b\""}}
		return p
	}
	for _, c := range []struct {
		name  string
		holds relation
		p     pair
		want  bool
	}{
		{"Envoy refuses", refusedByEnvoy, pairOf(at("1"), refused, answer{}), true},
		{"Envoy does not refuse", refusedByEnvoy, pairOf(at("1"), at("1"), answer{}), false},
		{"the location of what Envoy reads", read, pairOf(at("1"), at("2"), at("2")), true},
		{"another one", read, pairOf(at("1"), at("2"), at("3")), false},
		{"nginx refuses, Envoy goes on", refusedByNginx, pairOf(refused, at("2"), at("2")), true},
		{"nginx refuses, Envoy goes elsewhere", refusedByNginx, pairOf(refused, at("2"), at("3")), false},
		{"nginx does not refuse", refusedByNginx, pairOf(at("1"), at("2"), at("2")), false},
		{"Envoy lets in what nginx refuses again", refusedByNginx, pairOf(refused, at("2"), answer{status: 403}), false},
		{"too long", tooLong, pairOf(answer{status: 414}, at("1"), answer{}), true},
		{"not too long", tooLong, pairOf(at("2"), at("1"), answer{}), false},
		{"refused in other letters", closed, by("nginx: /a in other letters", pairOf(at("1"), answer{status: 403}, answer{})), true},
		{"refused by another route", closed, by("/a", pairOf(at("1"), answer{status: 403}, answer{})), false},
		{"let in in other letters", closed, by("nginx: /a in other letters", pairOf(at("1"), at("2"), answer{})), false},
		{"an expression that nginx does not try", byExpression, by("~ b", pairOf(at("1"), at("2"), answer{})), true},
		{"an expression that does not match", byExpression, by("~ c", pairOf(at("1"), at("2"), answer{})), false},
		{"an expression lets in whom nginx refuses", byExpression, by("~ b", pairOf(answer{status: 403}, at("2"), answer{})), false},
		{"a file is let through", noFile, pairOf(answer{status: 405}, at("1"), answer{}), false},
	} {
		if got := c.holds(c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, k := range left {
		if !l.tells(k.told) || k.told == "" {
			t.Errorf("the report does not name %q", k.name)
		}
	}
}
