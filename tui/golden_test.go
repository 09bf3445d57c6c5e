package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/tuitest"
)

var update = flag.Bool("update", false, "write the goldens anew")

// golden compares a picture with the one on file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Errorf("%s: -want +got (go test ./tui -update writes it anew):\n%s", path, diff)
	}
}

// steady is a scene whose nginx.conf is the test's own, so that a better
// projection does not change every picture.
func steady(s *tuitest.Scene) Deps {
	d := depsOf(s)
	d.Project = tuitest.Project
	d.Foretell = func(c *conf.Config) Foreteller { return &tuitest.Foreteller{Config: c} }
	d.Friends = func(*mesh.Mesh, *nginx.Config) []friends.Friend { return nil }
	return d
}

func TestGoldenScreens(t *testing.T) {
	sizes := [][2]int{{150, 40}, {120, 30}, {80, 24}, {60, 24}}
	screens := []struct {
		name  string
		scene func() *tuitest.Scene
		keys  []string
	}{
		{"main", tuitest.Calm, []string{"4", "j", "j", "j"}},
		{"empty", tuitest.Empty, nil},
		{"trouble", tuitest.Troubled, []string{"3", "g", "j"}},
		{"zoom-clusters", tuitest.Troubled, []string{"3", "j", "z"}},
		{"zoom-endpoints", tuitest.Calm, []string{"4", "j", "j", "j", "z"}},
		{"nginx", tuitest.Calm, []string{"2", "j", "j", "5"}},
	}
	for _, sc := range screens {
		for _, s := range sizes {
			t.Run(fmt.Sprintf("%s %d×%d", sc.name, s[0], s[1]), func(t *testing.T) {
				a := stage(t, steady(sc.scene()), s[0], s[1])
				press(a, sc.keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
			})
		}
	}
	for _, sc := range []struct{ name, key string }{{"diff", "d"}, {"push", "p"}, {"history", "R"}, {"nodes", "N"}, {"wire", "w"}, {"help", "?"}, {"command", ":"}, {"detail", "enter"}} {
		t.Run(sc.name, func(t *testing.T) {
			a := stage(t, steady(tuitest.Troubled()), 100, 30)
			press(a, sc.key)
			golden(t, sc.name+"-100x30", a.View())
		})
	}
}

func TestGoldenColours(t *testing.T) {
	profile := termenv.ANSI
	a := stage(t, steady(tuitest.Troubled()), 80, 24)
	a.th = theme.New(theme.Options{Profile: &profile})
	press(a, "3", "g", "j")
	golden(t, "colours-80x24", a.View())
}

func TestGoldenStart(t *testing.T) {
	profile := termenv.Ascii
	p := newStartPage([]string{"/home/ann/shop"}, theme.New(theme.Options{Profile: &profile}))
	p.w, p.h = 80, 24
	golden(t, "start-80x24", p.View())
}
