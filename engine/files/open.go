package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/text"
)

const takes = "meshtui opens a folder of xDS files (lds.yaml, rds.yaml, cds.yaml, eds.yaml, sds.yaml), an Envoy v3 bootstrap in YAML or JSON, the config dump of a running Envoy, and an nginx.conf"

// maxFile is more than any configuration has: what is larger is something else.
const maxFile = 256 << 20

// Open reads what is at path: a folder of xDS files, an Envoy bootstrap, a config
// dump, a single DiscoveryResponse or an nginx.conf, told apart by content. It fails on a path that is
// missing or unreadable and on content that it does not recognise, in one
// sentence that says what it takes. What is wrong within a file that it
// recognises is in Problems.
func Open(path string) (*Opened, error) {
	o, err := read(path)
	if err != nil {
		return nil, err
	}
	o.finish()
	return o, nil
}

// finish adds what can be said only when all is read, and leaves out what the
// checks of a mesh say as well, of the same place.
func (o *Opened) finish() {
	o.pointedElsewhere()
	o.Notices = slices.DeleteFunc(o.Notices, func(f mesh.Finding) bool { return f.Rule == "unchecked-extension" })
}

func read(path string) (*Opened, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no %s: %s", path, takes)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	case info.IsDir():
		return openFolder(path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file and no folder: %s", path, takes)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d MiB: %s", path, maxFile>>20, takes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return openFile(path, data)
}

// openFile recognises one file by its content.
func openFile(path string, data []byte) (*Opened, error) {
	content := string(data)
	if o, ok, err := openJSONDump(path, content); ok {
		return o, err
	}
	if conf.Looks(content) {
		return openNginx(path)
	}
	if f := text.Check(content); f != nil {
		return nil, unreadable(path, f)
	}
	if meaningful(content) == "" {
		return nil, fmt.Errorf("%s is empty: %s", path, takes)
	}
	places := text.NewLocator(content)
	has := func(fields ...string) bool { return slices.ContainsFunc(fields, places.Has) }
	if has("resources") {
		f := &file{path: path, rel: filepath.Base(path), group: mesh.DefaultGroup, data: data}
		return assemble(path, Response, []*file{f}, nil)
	}
	switch found := findDumps(newYAMLNode(text.Whole(path, content))); {
	case len(found) > 0:
		return openDump(path, content, found)
	case has("static_resources", "dynamic_resources", "admin", "node"):
		return openBootstrap(path, content)
	case has("requests") && isKept(filepath.Base(path)):
		return nil, fmt.Errorf("%s holds the requests that are kept of a workspace: open the folder or file that it stands in or beside", path)
	case has("listeners", "clusters"):
		return nil, fmt.Errorf("%s has listeners or clusters at the top, but an Envoy bootstrap has them under static_resources: %s", path, takes)
	case has("filter_chains", "virtual_hosts", "load_assignment", "lb_policy", "cluster_name"):
		return nil, fmt.Errorf("%s looks like a single resource: put it under \"resources:\" with its \"@type\", in a file such as cds.yaml; %s", path, takes)
	}
	return nil, fmt.Errorf("%s is YAML, but nothing of Envoy's that is known here: %s", path, takes)
}

// unreadable is the error for a file that is no YAML, in one sentence.
func unreadable(path string, f *mesh.Finding) error {
	where := path
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", path, f.Line)
	}
	msg := where + ": " + f.Message
	if f.Hint != "" {
		msg += " (" + f.Hint + ")"
	} else if strings.Contains(f.Message, "no text") {
		msg += ": " + takes
	}
	return errors.New(msg)
}
