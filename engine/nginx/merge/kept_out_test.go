package merge_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/engine/nginx/predict"
)

// TestWhomAnEditKeepsOutStaysOut writes a line that refuses into random servers and
// locations. Whom nginx then refuses, the mesh must not send on, whatever the
// report tells: an edit that cannot be made so is to be refused itself.
func TestWhomAnEditKeepsOutStaysOut(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for seed := *firstOne; seed < *firstOne+uint64(*worlds); seed++ {
		w := world{rand.New(rand.NewPCG(seed, 12))}
		m := w.mesh(t)
		shown := nginx.Project(m)
		root := tree(shown.String())
		edit := w.keepOut(root)
		edited := root.String()
		c, err := merge.Merge(m, shown, edited)
		if err == nil {
			err = c.Verify(m, shown, edited, check.Mesh)
		}
		var refused *merge.SyntaxError
		if errors.As(err, &refused) {
			count["edits refused"]++
			if testing.Verbose() {
				t.Logf("seed %d, %s: %v", seed, edit, refused.Findings[0].Message)
			}
			continue
		}
		if err != nil {
			t.Errorf("seed %d, %s: %v", seed, edit, err)
			continue
		}
		if len(c.Edits) > 0 {
			count["edits made"]++
		}
		now, err := c.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		conf := parsedConf(t, edited)
		theirs, ours := predict.New(conf), match.New(now)
		hosts, paths, ports := words(parsedConf(t, shown.String()), conf)
		for range 60 {
			q := w.request(hosts, paths, ports)
			want, got := theirs.Answer(q), byEnvoy(now, ours.Match(asEnvoy(q)))
			if want.Status != 403 || len(want.Caveats) > 0 || !got.known {
				continue
			}
			count["kept out"]++
			if got.to != "" {
				t.Errorf("seed %d, %s: %s %s of %s:%d %v: nginx refuses it, the mesh does %+v\n%s\n--- of\n%s", seed, edit, q.Method, q.Target, q.Host, q.Port, q.Headers, got, outcome(t, m, c), diffLines(shown.String(), edited))
				break
			}
		}
	}
	t.Log(count)
	if count["kept out"] < *worlds || count["edits made"] < *worlds/10 {
		t.Errorf("too few were kept out: %v", count)
	}
}

// keepOut writes a line that refuses into a server or a location, and says which.
func (w world) keepOut(root *node) string {
	line := w.one("deny all;", "return 403;", "if ($http_x_beta = 1) { return 403; }", "if ($arg_q = 1) { return 403; }", "if ($request_method = POST) { return 403; }")
	_, n, ok := w.any(append(root.all("location"), servers(root)...))
	if !ok {
		return "nothing"
	}
	if i := w.IntN(len(n.in) + 1); w.chance(50) {
		n.in = append(n.in[:i:i], append([]*node{{text: line}}, n.in[i:]...)...)
	} else {
		n.in = append([]*node{{text: line}}, n.in...)
	}
	return line + " in " + n.text
}
