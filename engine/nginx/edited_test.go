package nginx_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/engine/text"
)

// written is a mesh whose resources have their YAML, as an operator's have.
func written(t testing.TB, m *mesh.Mesh) *mesh.Mesh {
	t.Helper()
	var out []*mesh.Resource
	for _, r := range m.All() {
		yaml, err := text.Encode(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := text.Decode(r.Key.Type, mesh.Source{Text: yaml})
		if again == nil {
			continue // what YAML cannot hold
		}
		out = append(out, again)
	}
	w, err := mesh.New(out...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// otherBlanks says the same with other indents, empty lines and comments.
func otherBlanks(c *nginx.Config) string {
	var b strings.Builder
	for i, l := range c.Lines {
		b.WriteString("\t" + strings.TrimLeft(l.Text, " ") + " \n")
		if i%3 == 0 {
			b.WriteString("\n  # a comment of my own; }\n")
		}
	}
	return b.String()
}

func TestAnEditOfBlanksIsNone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		m := written(t, nginx.RandomMesh(t, seed))
		shown := nginx.Project(m)
		for name, edited := range map[string]string{"as it was": shown.String(), "other blanks": otherBlanks(shown)} {
			c, err := merge.Merge(m, shown, edited)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			if len(c.Edits)+len(c.Report)+len(c.Summary) > 0 {
				t.Errorf("seed %d, %s: %+v", seed, name, c)
			}
		}
	}
}

// TestAnyEditIsTakenOrRefused makes random edits of lines: whatever comes out says
// YAML that decodes, and leaves what it does not name as it was.
func TestAnyEditIsTakenOrRefused(t *testing.T) {
	t.Parallel()
	taken := 0
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		m := written(t, nginx.RandomMesh(t, seed%40))
		shown := nginx.Project(m)
		edited := mangled(rng, shown.String())
		c, err := merge.Merge(m, shown, edited)
		var syntax *merge.SyntaxError
		if errors.As(err, &syntax) {
			continue
		}
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, edited)
			continue
		}
		taken++
		now, err := c.Apply(m)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		named := map[mesh.Key]bool{}
		for _, e := range c.Edits {
			named[e.Key] = true
		}
		for _, d := range mesh.DiffText(m, now) {
			if d.Old != nil && !named[d.Key] {
				t.Errorf("seed %d: %s changed without an edit", seed, d.Key)
			}
		}
	}
	if taken < 15 {
		t.Errorf("only %d edits were taken", taken)
	}
}

// mangled is a text with a few lines taken out, doubled, moved or changed.
func mangled(rng *rand.Rand, text string) string {
	lines := strings.Split(text, "\n")
	for range 1 + rng.IntN(3) {
		i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
		line := lines[i]
		if strings.HasSuffix(line, "{") || strings.HasSuffix(line, "}") {
			continue
		}
		switch rng.IntN(4) {
		case 0:
			lines = append(lines[:i:i], lines[i+1:]...)
		case 1:
			lines = append(lines[:j:j], append([]string{line}, lines[j:]...)...)
		case 2:
			lines[i] = strings.Map(func(r rune) rune {
				if r >= '1' && r <= '8' {
					return r + 1
				}
				return r
			}, line)
		case 3:
			lines = append(lines[:i:i], append([]string{fmt.Sprintf("location /new%d { return 20%d; }", rng.IntN(9), rng.IntN(5))}, lines[i:]...)...)
		}
	}
	return strings.Join(lines, "\n")
}
