package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
)

// keptFile holds the kept requests of a workspace folder.
const keptFile = "requests.yaml"

// maxKept is more than any requests file has.
const maxKept = 16 << 20

// isKept reports whether a file's name is that of kept requests, of the folder
// or of a single file in it.
func isKept(rel string) bool {
	return rel == keptFile || strings.HasSuffix(rel, "."+keptFile)
}

// KeptFile is where the requests are kept of what is opened at a path: in the
// folder as requests.yaml, beside a single file shop.yaml as shop.requests.yaml.
// A path that is not there is taken for a folder.
func KeptFile(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return KeptBeside(path)
	}
	return filepath.Join(path, keptFile)
}

// KeptBeside is where the requests are kept of a single file, whether or not it is
// there now.
func KeptBeside(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + "." + keptFile
}

// ReadKept is the text of a requests file, "" where there is none.
func ReadKept(file string) (string, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the kept requests: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxKept:
		return "", fmt.Errorf("reading the kept requests: %s is no file of at most %d MiB", file, maxKept>>20)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the kept requests: %w", err)
	}
	return string(data), nil
}

// OpenKept reads the requests that are kept of what is at a path. file is where
// they are, also where there are none yet. What is wrong with single requests is
// in problems; the error is why the file cannot be read at all.
func OpenKept(path string) (file string, rs []kept.Request, problems []mesh.Finding, err error) {
	file = KeptFile(path)
	content, err := ReadKept(file)
	if err != nil {
		return file, nil, nil, err
	}
	rs, problems = kept.Parse(content, file)
	return file, rs, problems, nil
}

// KeptFindings is what is wrong with the requests that are kept of what was
// opened: that their file cannot be read, what is wrong in it, and groups that are
// not there.
func (o *Opened) KeptFindings() []mesh.Finding {
	file, rs, problems, err := OpenKept(o.Path)
	if err != nil {
		return []mesh.Finding{UnreadableKept(file, err)}
	}
	return append(problems, UnknownGroups(file, rs, func(group string) bool { return o.Meshes[group] != nil })...)
}

// UnreadableKept is the finding about a requests file that cannot be read at all.
func UnreadableKept(file string, err error) mesh.Finding {
	return mesh.Finding{Severity: mesh.Error, Rule: "requests", File: file, Message: err.Error(), Hint: "mend its permissions, or move it away"}
}

// UnknownGroups finds requests of groups that are not there.
func UnknownGroups(file string, rs []kept.Request, there func(group string) bool) []mesh.Finding {
	var out []mesh.Finding
	for _, r := range rs {
		if r.Group != "" && !there(r.Group) {
			out = append(out, mesh.Finding{Severity: mesh.Warning, Rule: "requests", File: file, Line: r.Line,
				Message: fmt.Sprintf("the request %q is of group %q, which is not there, so it is never asked", r.Name, r.Group),
				Hint:    "name another group, or leave it out for the default one"})
		}
	}
	return out
}

// SaveKept writes a requests file, at once or not at all, with the permissions
// that it has.
func SaveKept(file, content string, w Writer) error {
	perm := fs.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		perm = info.Mode().Perm()
	}
	if err := w.WriteFile(file, []byte(content), perm); err != nil {
		return fmt.Errorf("writing the kept requests: %w", err)
	}
	return nil
}
