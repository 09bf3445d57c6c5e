package engine_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "example.com/meshtui/"

type listed struct {
	ImportPath    string
	Imports, Deps []string
}

// TestArrowsRunDownward holds the layering: what each part may import itself,
// and what may stand below it. A part that does not exist has no packages.
func TestArrowsRunDownward(t *testing.T) {
	packages := list(t)
	found := map[string]int{}
	for _, p := range packages {
		path := strings.TrimPrefix(p.ImportPath, module)
		part, _, _ := strings.Cut(path, "/")
		found[part]++
		for _, dep := range p.Deps {
			if why := above(part, path, dep); why != "" {
				t.Errorf("%s depends on %s: %s", path, dep, why)
			}
		}
		for _, imported := range p.Imports {
			if why := refused(part, imported); why != "" {
				t.Errorf("%s imports %s: %s", path, imported, why)
			}
		}
	}
	if found["engine"] < 4 || found["xds"] == 0 {
		t.Errorf("too little was looked at: %v", found)
	}
}

// mayUse is what of ours each part may depend on.
var mayUse = map[string][]string{
	"engine": {"engine"},
	"xds":    {"xds", "engine"},
	"demo":   {"demo", "xds", "engine"},
	"tui":    {"tui", "xds", "engine"},
	"cmd":    {"cmd", "tui", "demo", "xds", "engine"},
}

func above(part, path, dep string) string {
	if strings.HasPrefix(dep, "github.com/charmbracelet/") && part != "tui" && part != "cmd" {
		return "only tui draws"
	}
	ours, ok := strings.CutPrefix(dep, module)
	if !ok {
		return ""
	}
	top, _, _ := strings.Cut(ours, "/")
	allowed, known := mayUse[part]
	if !known {
		return "the house has no such part"
	}
	for _, a := range allowed {
		if a == top {
			return within(path, ours)
		}
	}
	return "arrows run downward"
}

// within holds the order inside engine and xds.
func within(path, dep string) string {
	switch {
	case path == "engine/mesh" || path == "engine/task":
		return "it imports nothing of ours"
	case strings.HasPrefix(path, "engine/") && dep == "engine":
		return "the workspace stands above its parts"
	case path == "engine/text" && dep != "engine/mesh" && dep != "engine/task":
		return "text stands on mesh alone"
	case path == "engine/match/routes" && dep != "engine/mesh" && dep != "engine/task":
		return "the route table stands on mesh alone"
	case path == "engine/match" && dep != "engine/mesh" && dep != "engine/task" && dep != "engine/text" && dep != "engine/match/routes":
		return "matching stands on mesh and text"
	case path == "engine/match/sample" && !strings.HasPrefix(dep, "engine/match") && dep != "engine/mesh" && dep != "engine/task" && dep != "engine/text":
		return "samples of requests stand on match"
	case path == "engine/nack" && dep != "engine/mesh" && dep != "engine/text":
		return "what a NACK means stands on mesh and text"
	case path == "xds/plan" && dep != "engine/mesh":
		return "a plan is about meshes alone"
	case path == "xds" && strings.HasPrefix(dep, "xds/") && dep != "xds/plan" && dep != "xds/envoy" && dep != "xds/child":
		return "xds stands on plan and envoy; the others stand on it"
	case path == "xds/child" && dep != "engine/task":
		return "a child process is no business of anything else"
	case path == "xds/envoy" && dep == "xds":
		return "xds may import xds/envoy, not the other way round"
	}
	return ""
}

func refused(part, imported string) string {
	if part == "engine" {
		for _, no := range []string{"net", "net/http", "os/exec", "google.golang.org/grpc"} {
			if imported == no || (strings.HasPrefix(imported, no+"/") && strings.Contains(no, ".")) {
				return "engine knows no network and starts no processes"
			}
		}
	}
	if part != "tui" && strings.HasPrefix(imported, "github.com/charmbracelet/") {
		return "only tui imports charm"
	}
	return ""
}

// TestLayersCanBeBroken holds the rules themselves: each of these is refused.
func TestLayersCanBeBroken(t *testing.T) {
	for _, c := range [][2]string{
		{"engine/check", module + "engine"}, {"engine/match", module + "engine/check"}, {"engine/match/routes", module + "engine/match"}, {"engine/match", module + "engine/match/sample"}, {"engine/match/sample", module + "engine/kept"}, {"engine/mesh", module + "engine/task"}, {"engine/text", module + "engine/check"},
		{"engine", module + "xds"}, {"xds", module + "tui"}, {"xds/envoy", module + "xds"}, {"demo/proxy", module + "tui/widget"},
		{"xds/plan", module + "xds"}, {"xds/plan", module + "engine"}, {"xds/child", module + "engine/mesh"}, {"xds", module + "xds/truth"}, {"engine/nack", module + "engine/check"},
		{"tui", module + "demo"}, {"xds", "github.com/charmbracelet/lipgloss"}, {"util", module + "engine"},
	} {
		part, _, _ := strings.Cut(c[0], "/")
		if above(part, c[0], c[1]) == "" {
			t.Errorf("%s may depend on %s", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"engine", "net"}, {"engine", "net/http"}, {"engine", "os/exec"}, {"engine", "google.golang.org/grpc/codes"}, {"cmd", "github.com/charmbracelet/bubbletea"}} {
		if refused(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"tui", module + "xds"}, {"engine", module + "engine/text"}, {"cmd/meshtui", module + "tui"}, {"engine/files", module + "engine/text"},
		{"engine/check", module + "engine/match"}, {"engine/match", module + "engine/match/routes"}, {"engine/match/sample", module + "engine/match"}, {"engine/kept", module + "engine/match/sample"}, {"demo/proxy", module + "xds/envoy"},
	} {
		part, _, _ := strings.Cut(c[0], "/")
		if why := above(part, c[0], c[1]); why != "" {
			t.Errorf("%s may not depend on %s: %s", c[0], c[1], why)
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps=false", "-json=ImportPath,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list: %v: %s", err, failed.Stderr)
		}
		t.Skipf("go is not here to list packages: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
