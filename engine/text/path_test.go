package text

import "testing"

func TestParent(t *testing.T) {
	for path, want := range map[string]string{
		"":                        "",
		"name":                    "",
		"a.b":                     "a",
		"a[3]":                    "a",
		"a[3].b":                  "a[3]",
		`a["x.y[0]"]`:             "a",
		`a["x.y[0]"].b[1]`:        `a["x.y[0]"].b`,
		`a["quote\"]"].b`:         `a["quote\"]"]`,
		`a["unfinished`:           "a",
		"filter_chains[0].x.y[1]": "filter_chains[0].x.y",
	} {
		if got := Parent(path); got != want {
			t.Errorf("Parent(%s) = %s, want %s", path, got, want)
		}
	}
}
