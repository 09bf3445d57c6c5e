package twin

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// write says a mesh, whose listeners were moved, in nginx.conf as this program
// runs it.
func (p Program) write(m *mesh.Mesh) string {
	o := nginx.Options{Stream: p.stream != ""}
	if p.stream != builtIn {
		o.StreamModule = p.stream
	}
	var b strings.Builder
	for _, l := range nginx.ProjectWith(m, o).Lines {
		text := l.Text
		if text == "worker_processes auto;" {
			text = "worker_processes 1;"
		}
		b.WriteString(text)
		b.WriteByte('\n')
	}
	return b.String()
}

// globals are what stands before the text, for this machine alone: nothing that
// anybody would write into the file.
func (p Program) globals() string {
	out := "daemon off;"
	// As root nginx would have workers of another user, who may not enter the
	// folder that their temporary files lie in.
	if os.Geteuid() == 0 {
		if u, err := user.Current(); err == nil {
			if g, err := user.LookupGroupId(u.Gid); err == nil {
				out += fmt.Sprintf(" user %s %s;", u.Username, g.Name)
			}
		}
	}
	return out
}
