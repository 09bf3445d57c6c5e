package twin

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// stream is the line of engine/nginx behind which everything is for the stream
// module, as comments.
const stream = "# TCP: needs nginx's stream module"

// write says a mesh, whose listeners were moved, in nginx.conf as this program
// runs it.
func (p Program) write(m *mesh.Mesh) string {
	var b strings.Builder
	inStream := false
	for _, l := range nginx.Project(m).Lines {
		text := l.Text
		switch {
		case text == "worker_processes auto;":
			text = "worker_processes 1;"
		case inStream:
			text = strings.TrimPrefix(text, "# ")
		case text == stream:
			inStream = p.stream != ""
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
	if p.stream != "" && p.stream != builtIn {
		out += fmt.Sprintf(" load_module %s;", p.stream)
	}
	return out
}
