package tui

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// editJob is one resource, or the nginx.conf of all, on its way through an editor,
// and perhaps through it again.
type editJob struct {
	group  string
	shown  *nginx.Config // the nginx.conf that is edited; nil for a resource
	t      mesh.Type
	was    mesh.Key // zero for a new resource
	what   string
	text   string // as the editor got it, without our comments
	line   int    // where the cursor should be, in text
	fresh  bool   // a new resource: to leave it as it came is to take it
	reason []string
	path   string // the file that it lies in
}

// editReadyMsg says that the file is written and the editor may start.
type editReadyMsg struct{ job *editJob }

// editorExitedMsg says that the editor has ended.
type editorExitedMsg struct {
	job *editJob
	err error
}

// editReadMsg hands in what the editor left, and what came of it.
type editReadMsg struct {
	job       *editJob
	unchanged bool
	taken     bool
	change    *merge.Change // what an edit of the nginx.conf changed, where it was taken
	err       error         // taking it failed; an *engine.EditError can be mended
	text      string
	data      *data
}

// startEdit opens the selected resource at the selected field.
func (a *App) startEdit() tea.Cmd {
	r := a.selected()
	res := a.data.gs.Draft.Get(r.Key)
	if res == nil {
		return nil
	}
	line, _, _ := text.Position(res.Source.Text, r.Path)
	return a.editText(&editJob{t: r.Key.Type, was: r.Key, text: res.Source.Text, line: max(1, line), what: "edit " + r.Key.String()})
}

// editText writes the job's file and then starts the editor on it.
func (a *App) editText(job *editJob) tea.Cmd {
	job.group = a.group
	dir := a.opt.ScratchDir
	return func() tea.Msg {
		if err := job.write(dir); err != nil {
			return editorExitedMsg{job: job, err: fmt.Errorf("the text could not be written for the editor: %w", err)}
		}
		return editReadyMsg{job}
	}
}

// commentMark begins the lines that stand above a text and say why it comes
// back.
const commentMark = "#! "

// write puts the text into the job's file, made when there is none yet, with
// the reason why it comes back on top.
func (j *editJob) write(dir string) error {
	if j.path == "" {
		if dir != "" {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		what, ending := j.t.String()+"-"+j.was.Name, "yaml"
		if j.shown != nil {
			what, ending = "nginx", "conf"
		}
		name := strings.Map(func(r rune) rune {
			if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, what)
		f, err := os.CreateTemp(dir, strings.Trim(name, "-.")+"-*."+ending) // 0600
		if err != nil {
			return err
		}
		j.path = f.Name()
		if err := f.Close(); err != nil {
			return err
		}
	}
	var b strings.Builder
	for _, l := range j.reason {
		b.WriteString(commentMark + l + "\n")
	}
	b.WriteString(j.text)
	return os.WriteFile(j.path, []byte(b.String()), 0o600)
}

// stripped is the text without the comments that write put on top.
func stripped(s string) string {
	for strings.HasPrefix(s, commentMark) {
		_, s, _ = strings.Cut(s, "\n")
	}
	return s
}

// editing tells whose an interrupt is. It may be asked from any goroutine.
type editing struct {
	now   atomic.Bool
	ended atomic.Int64 // when the last editor ended, in Unix nanoseconds
}

// lateInterrupt is how long after an editor an interrupt still counts as typed
// in it: on a busy machine the signal reaches us after the editor's end.
const lateInterrupt = time.Second

func (e *editing) begin() { e.now.Store(true) }

func (e *editing) end() {
	e.ended.Store(time.Now().UnixNano())
	e.now.Store(false)
}

// interrupts reports whether an interrupt that comes now was meant for an
// editor.
func (e *editing) interrupts() bool {
	return e.now.Load() || time.Since(time.Unix(0, e.ended.Load())) < lateInterrupt
}

// runEditor hands the terminal to the editor.
func (a *App) runEditor(job *editJob) tea.Cmd {
	argv := editorArgs(editorCommand(a.opt.Editor), job.path, job.line+len(job.reason))
	cmd := exec.CommandContext(a.ctx, argv[0], argv[1:]...)
	// When meshtui is told to end, the editor gets the chance to save.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	a.editing.begin()
	return tea.ExecProcess(cmd, func(err error) tea.Msg { return editorExitedMsg{job: job, err: err} })
}

// editorExited reads what the editor left and takes it into the draft.
func (a *App) editorExited(msg editorExitedMsg) tea.Cmd {
	a.editing.end()
	job := msg.job
	if msg.err != nil {
		a.editorFailed(job, msg.err)
		return nil
	}
	ws, node, group := a.deps.Workspace, a.node, a.group
	return func() tea.Msg {
		out := editReadMsg{job: job}
		b, err := os.ReadFile(job.path)
		if err != nil {
			out.err = fmt.Errorf("what was edited cannot be read: %w", err)
			return out
		}
		out.text = stripped(string(b))
		if out.unchanged = out.text == job.text && (!job.fresh || len(job.reason) > 0); out.unchanged {
			return out
		}
		if job.shown != nil {
			out.change, out.err = ws.EditNginx(job.group, job.shown, out.text)
		} else {
			out.err = ws.Edit(job.group, engine.Put{Type: job.t, Text: out.text, Was: job.was})
		}
		out.taken = out.err == nil
		out.data = a.maker.make(group, node)
		return out
	}
}

func (a *App) editorFailed(job *editJob, err error) {
	var missing *exec.Error
	text := "The editor ended with: " + err.Error() + "."
	if errors.As(err, &missing) || errors.Is(err, exec.ErrNotFound) {
		text = "The editor cannot be started: " + err.Error() + ". Set VISUAL or EDITOR to one that is installed."
	}
	if job.path != "" {
		text += " The text is kept in " + job.path + "."
	}
	a.surprise(&confirm{head: job.what, text: text, yes: "e", yesText: "open it again", do: func(a *App) tea.Cmd {
		return func() tea.Msg { return editReadyMsg{job} }
	}})
}

// editRead says what came of an edit. A text that cannot be taken comes back
// into the editor with the reason on top, at the place; when it comes back the
// second time as it went, it is kept on disk and its place told.
func (a *App) editRead(msg editReadMsg) tea.Cmd {
	job := msg.job
	if msg.data != nil {
		a.take(msg.data)
	}
	var bad *engine.EditError
	switch {
	case msg.taken && job.shown != nil:
		return a.nginxEdited(job, msg.change)
	case msg.taken:
		a.say(job.what + ": in the draft; d shows the diff, p pushes it")
		return removeCmd(job.path)
	case msg.unchanged && len(job.reason) > 0:
		a.shout(job.what + ": given up; the text is kept in " + job.path)
		return nil
	case msg.unchanged:
		a.say(job.what + ": nothing changed")
		return removeCmd(job.path)
	case errors.As(msg.err, &bad):
		job.text, job.reason, job.line = msg.text, reasonOf(bad.Findings), 1
		if len(bad.Findings) > 0 && bad.Findings[0].Line > 0 {
			job.line = bad.Findings[0].Line
		}
		return a.editText(job)
	}
	a.surprise(&notice{head: job.what, text: explain(msg.err) + "\nThe text is kept in " + job.path + "."})
	return nil
}

// reasonOf says in a few lines why a text came back.
func reasonOf(fs []mesh.Finding) []string {
	out := []string{"This was not taken into the draft. Mend it and save; leave it unchanged to give up."}
	for _, f := range fs[:min(len(fs), 6)] {
		where := ""
		if f.Line > 0 {
			where = fmt.Sprintf("line %d of the text below: ", f.Line)
		}
		out = append(out, widget.Clean(where+f.Message))
		if f.Hint != "" {
			out = append(out, "  "+widget.Clean(f.Hint))
		}
	}
	return append(out, "Lines that begin with #! are taken off.")
}

func removeCmd(path string) tea.Cmd {
	return func() tea.Msg {
		_ = os.Remove(path) // what stays behind is a text that nobody misses
		return nil
	}
}

// notice is a text with nothing to decide.
type notice struct{ head, text string }

func (n *notice) title() string { return n.head }
func (n *notice) width() int    { return 70 }
func (n *notice) lines(a *App, w, _ int) []string {
	out := append([]string{widget.Spaces(w)}, paragraph(n.text, w, theme.Style{})...)
	return append(out, widget.Spaces(w), a.keysLine(w, "esc", "close"))
}
func (n *notice) key(_ *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	k := keyName(msg)
	return nil, k == "esc" || k == "enter" || k == "q"
}

// editorCommand is the editor's command line: as told, else VISUAL, EDITOR, vi.
func editorCommand(told string) string {
	for _, s := range []string{told, os.Getenv("VISUAL"), os.Getenv("EDITOR")} {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return "vi"
}

// editorArgs is what to run to open path at a line, in the way of the editor.
// Graphical ones are asked to wait until the file is closed.
func editorArgs(command, path string, line int) []string {
	argv := splitCommand(command)
	if len(argv) == 0 {
		argv = []string{"vi"}
	}
	at := fmt.Sprintf("%s:%d", path, line)
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case "vi", "vim", "nvim", "view", "nano", "pico", "emacs", "emacsclient", "kak", "micro", "joe", "jed", "mg", "ne", "vis", "mcedit":
		return append(argv, fmt.Sprintf("+%d", line), path)
	case "hx", "helix", "zed", "subl":
		return append(waiting(argv, "subl", "zed"), at)
	case "code", "code-insiders", "codium", "vscodium", "cursor":
		return append(waiting(argv, filepath.Base(argv[0])), "--goto", at)
	}
	return append(argv, path)
}

// waiting adds --wait for the editors that would return at once.
func waiting(argv []string, which ...string) []string {
	for _, a := range argv[1:] {
		if a == "-w" || a == "--wait" {
			return argv
		}
	}
	for _, w := range which {
		if filepath.Base(argv[0]) == w {
			return append(argv, "--wait")
		}
	}
	return argv
}

// splitCommand splits a command line at blanks; quotes and backslashes keep
// them together, as a shell would.
func splitCommand(s string) []string {
	var out []string
	var word strings.Builder
	started := false
	quote := rune(0)
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, started = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '"' || r == '\'':
			quote, started = r, true
		case r == ' ' || r == '\t':
			if started {
				out = append(out, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if started {
		out = append(out, word.String())
	}
	return out
}

func splitLines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }
