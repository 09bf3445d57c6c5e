package xds

import "testing"

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		message, name string
		want          bool
	}{
		{"Error adding/updating cluster(s) bad: cannot create", "bad", true},
		{"Error adding/updating cluster(s) bad: x, bad3: y", "bad3", true},
		{"Error adding/updating cluster(s) bad3: y", "bad", false},
		{"Error adding/updating cluster(s) app-v2: y", "app", false},
		{"Error adding/updating cluster(s) v2: y", "app-v2", false},
		{"Invalid path: /etc/app.pem", "app", false},
		{"no app-v2, and no app.", "app", true},
		{`name: "outbound|80||app"`, "outbound|80||app", true},
		{`name: "outbound|80||app"`, "app", false},
		{"Duplicate entry of domain x.test in route r1", "r1", true},
		{"anything", "", false},
		{"", "app", false},
		{"app", "app", true},
	} {
		if got := mentions(c.message, c.name); got != c.want {
			t.Errorf("mentions(%q, %q) = %v", c.message, c.name, got)
		}
	}
}
