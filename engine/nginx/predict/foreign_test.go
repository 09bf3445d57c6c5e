package predict_test

import (
	"fmt"
	"testing"

	"example.com/meshtui/engine/nginx/predict"
)

// What PCRE has and cannot be said without is not guessed at, wherever it stands: the answer is
// Unknown, and says which line decides.
func TestExpressionsOfPCREAloneAreUnknown(t *testing.T) {
	for _, re := range []string{`(?>a+)b`, `(a)\1`, `(?R)?a`, `a\Kb`, `(?(1)a|b)`, `\Ga`, `\p{L}b`, `(?#note)a`, `(?|a|b)`, `(*UTF8)a`, `[[.a.]]`} {
		for where, server := range map[string]string{
			"location":    `location ~ "%s" { return 200 hit; } location / { return 200 other; }`,
			"rewrite":     `rewrite "%s" /x break; location / { return 200 other; }`,
			"if":          `if ($uri ~ "%s") { return 200 hit; } location / { return 200 other; }`,
			"map":         `location / { return 301 http://a.test/$mapped; }`,
			"server_name": `location / { return 200 other; }`,
		} {
			name, table, rest := "", "a 1;", server
			switch where {
			case "map":
				table = fmt.Sprintf(`"~%s" 1;`, re)
			case "server_name":
				name = fmt.Sprintf(`server { listen 80; server_name "~%s"; return 200 hit; }`, re)
			default:
				rest = fmt.Sprintf(server, re)
			}
			s := newServer(t, "events {} http { map $uri $mapped { "+table+" } server { listen 80 default_server; server_name other; "+rest+" } "+name+" }")
			a := s.Answer(predict.Request{Host: "xab.test", Target: "/ab"})
			if a.Action != predict.Unknown || len(a.Caveats) == 0 {
				t.Errorf("%s in %s: %s %d %q, caveats %q", re, where, a.Action, a.Status, a.Body, a.Caveats)
			}
		}
	}
}
