package text

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite the golden files from what the code does")

// Each archive in testdata/edit holds cases of three files: NAME/do is one edit
// a line ("set PATH VALUE", "insert PATH INDEX VALUE", "delete PATH"; VALUE is
// YAML), NAME/in the text before, NAME/out the text after, or the error.
func TestEditGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { editGolden(t, file) })
	}
}

func editGolden(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := map[string]string{}
	for _, f := range ar.Files {
		section[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: ar.Comment}
	for _, f := range ar.Files {
		name, isDo := strings.CutSuffix(f.Name, "/do")
		if !isDo {
			continue
		}
		got := runEdits(t, section[name+"/in"], string(f.Data))
		out.Files = append(out.Files, f, txtar.File{Name: name + "/in", Data: []byte(section[name+"/in"])},
			txtar.File{Name: name + "/out", Data: []byte(got)})
		if diff := cmp.Diff(section[name+"/out"], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func runEdits(t *testing.T, text, edits string) string {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(edits), "\n") {
		out, err := runEdit(text, line)
		if err != nil {
			if out != text {
				t.Errorf("%s failed and changed the text", line)
			}
			return fmt.Sprintf("error: %v\n", err)
		}
		text = out
	}
	return text
}

func runEdit(text, line string) (string, error) {
	verb, rest, _ := strings.Cut(line, " ")
	path, rest, _ := strings.Cut(rest, " ")
	switch verb {
	case "delete":
		return Delete(text, path)
	case "insert":
		index, value, _ := strings.Cut(rest, " ")
		i, err := strconv.Atoi(index)
		if err != nil {
			return text, err
		}
		return Insert(text, path, i, yamlValue(value))
	}
	return Set(text, path, yamlValue(rest))
}

func yamlValue(s string) any {
	var v any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		return err.Error()
	}
	return v
}
