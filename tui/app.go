package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"

	_ "example.com/meshtui/tui/background" // before bubbletea asks the terminal
)

// App is the root model. It routes messages and owns the state of the main
// screen; everything else it asks for lines.
type App struct {
	ctx   context.Context
	deps  Deps
	opt   Options
	th    *theme.Theme
	reg   *registry
	maker *maker
	wakes *wakes
	now   func() time.Time
	at    time.Time // the time that ages are counted to

	editing *editing // while an editor has the terminal, SIGINT is meant for it
	output  func(string) error

	w, h  int
	lay   Layout
	data  *data
	next  *data // the newest picture while frozen
	group string
	node  string

	focus  Panel
	pane   Panel // the pane that last had the focus
	lists  [panels]widget.List
	sel    [outline.Panes]identity // what each pane's cursor is on, to find it again
	thread *outline.Thread
	origin selection // what the thread starts from
	made   mesh.Key  // what was just made and is to get the cursor; zero for none
	filter [outline.Panes]filtered
	input  *filterInput

	nginxWide, nginxSmall, zoom, frozen bool
	nginxShift                          int // cells that the lines of the nginx panel are scrolled by

	screen   screen
	try      *tryScreen // nil until it is first asked for
	samples  *samples   // the newest that were asked
	sampling bool
	watching bool     // the contest has been told that it is watched
	plan     *planMsg // the newest that was made
	planning bool
	overlays []overlay
	toast    toast
	intents  []intent
	busy     bool
	awaited  int // the revision pushed from here whose outcome is not known yet; 0 for none
	quitting bool
	cache    [panels]panelCache
	version  uint64 // grows with whatever may change a panel's looks
}

// selection is a field of a resource.
type selection struct {
	key  mesh.Key
	path string
}

// identity finds a row again after the mesh has changed: an endpoint is known
// by its address, anything else by its field.
type identity struct {
	key           mesh.Key
	path, address string
	index         int
}

// toast is a message in the place of the footer.
type toast struct {
	text string
	bad  bool
	till time.Time // zero stays until the next key
}

// newApp makes the root model; nothing runs yet.
func newApp(ctx context.Context, d Deps, o Options, th *theme.Theme) *App {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &App{ctx: ctx, deps: d, opt: o, th: th, now: o.Now, at: o.Now(), group: mesh.DefaultGroup,
		nginxWide: true, editing: &editing{}, maker: newMaker(d, o.Now),
		output: func(string) error { return nil }}
	a.reg = newRegistry()
	a.group = a.maker.first()
	a.take(a.maker.make(a.group, a.node))
	a.greet()
	return a
}

// Init starts the wait for changes and the second hand.
func (a *App) Init() tea.Cmd { return tea.Batch(a.waitCmd(), a.clockCmd()) }

// Update routes a message. Whatever it was, there may be something to ask of
// the matcher after it: another letter in the tester's form, another draft.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	a.version++
	cmd := a.handle(msg)
	return a, tea.Batch(cmd, a.ask(), a.askSamples(), a.askPlan(), a.watchContest())
}

func (a *App) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		a.w, a.h = msg.Width, msg.Height
		a.arrange()
	case dataMsg:
		return a.handleData(msg)
	case clockMsg:
		if !a.frozen {
			a.at = a.now()
		}
		return a.clockCmd()
	case intentDoneMsg:
		return a.intentDone(msg)
	case tea.KeyMsg:
		return a.keys(msg)
	case tea.ResumeMsg:
		a.say("back; the control plane runs again")
		return a.loadCmd()
	case editReadyMsg:
		return a.runEditor(msg.job)
	case editorExitedMsg:
		return a.editorExited(msg)
	case editReadMsg:
		return a.editRead(msg)
	case openMsg:
		return a.opened(msg)
	case showMsg:
		a.open(msg.overlay)
	case planMsg:
		a.plan, a.planning = &msg, false
	case forecastMsg:
		a.forecast(msg)
	case shotMsg:
		a.landed(msg)
	case nginxShotMsg:
		a.nginxLanded(msg)
	case samplesMsg:
		a.sampled(msg)
	case volleyMsg:
		return a.volleyed(msg)
	}
	return nil
}

func (a *App) handleData(msg dataMsg) tea.Cmd {
	if a.frozen {
		a.next = msg.data
	} else {
		a.take(msg.data)
	}
	if msg.wait {
		return a.waitCmd()
	}
	return nil
}

// take shows a picture, unless a newer one is shown already, or it was made
// before the operator turned to another group or node.
func (a *App) take(d *data) {
	if a.data != nil && (d.seq <= a.data.seq || a.outdated(d)) {
		return
	}
	if d.node != a.node {
		a.say("node " + a.node + " is gone; showing all")
	}
	a.data, a.group, a.node, a.at, a.next = d, d.group, d.node, a.now(), nil
	for p := range a.filter {
		a.refilter(outline.Pane(p))
	}
	a.arrange()
	for p := outline.Pane(0); p < outline.Panes; p++ {
		a.refind(p)
	}
	a.turn()
	a.follow()
	a.settle()
}

// outdated reports whether a picture shows another group or node than is
// wanted, although those exist.
func (a *App) outdated(d *data) bool {
	if d.group != a.group {
		return d.ws.Group(a.group) != nil
	}
	return d.node != a.node && (a.node == "" || d.xs.Node(a.node) != nil)
}

// arrange computes the layout and tells every list how much of it is seen.
func (a *App) arrange() {
	if a.data == nil {
		return
	}
	a.lay = Compute(a.w, a.h, a.layoutState())
	for p := range a.lists {
		rows := a.lay.Panels[p].Inner().H
		if a.columned(Panel(p)) {
			rows-- // the heading's
		}
		a.lists[p].Resize(a.length(Panel(p)), rows)
	}
}

func (a *App) layoutState() LayoutState {
	return LayoutState{Focus: a.focus, Pane: a.pane, Nginx: a.nginxShown(), Zoom: a.zoom, Bars: len(a.bars())}
}

func (a *App) nginxShown() bool {
	if a.focus == PanelNginx {
		return true
	}
	if a.w >= wideWidth {
		return a.nginxWide
	}
	return a.nginxSmall
}

// length is how many rows a panel has, filtered.
func (a *App) length(p Panel) int {
	switch p {
	case PanelNginx:
		return len(a.data.nginx.lines)
	case PanelWire:
		return len(a.data.wire)
	}
	return a.rowCount(outline.Pane(p))
}

// settle says what became of the revision that was pushed from here, once that
// is known; of one that failed, the bars do.
func (a *App) settle() {
	if a.awaited == 0 {
		return
	}
	for _, r := range a.data.ws.Revisions {
		if r.Number != a.awaited || r.Outcome.Result == 0 || r.Outcome.Result == engine.Pending {
			continue
		}
		a.awaited = 0
		switch {
		case a.toast.bad:
		case r.Outcome.Result == engine.Accepted:
			a.say(fmt.Sprintf("revision %d: ACKed by %s in %s", r.Number, a.nodes(r.Outcome.Nodes), short(r.Outcome.Took)))
		case r.Outcome.Result != engine.NoNodes:
			a.toast = toast{}
		}
	}
}

// say shows a message for a few seconds; shout one that stays until a key.
func (a *App) say(text string) {
	a.toast = toast{text: text, till: a.now().Add(5 * time.Second)}
}

func (a *App) shout(text string) { a.toast = toast{text: text, bad: true} }

// keys takes keys apart that came in one read, as they do from quick fingers
// over a slow line. A paste is for a text line; elsewhere it is no command.
func (a *App) keys(msg tea.KeyMsg) tea.Cmd {
	if msg.Paste && len(a.overlays) == 0 && a.input == nil && !a.typing() {
		return nil
	}
	if msg.Type != tea.KeyRunes || len(msg.Runes) == 1 || msg.Paste {
		return a.key(msg)
	}
	var cmds []tea.Cmd
	for _, r := range msg.Runes {
		if cmd := a.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: msg.Alt}); cmd != nil {
			cmds = append(cmds, cmd)
		}
	}
	return tea.Batch(cmds...)
}

// key hands a key to whoever has the keyboard: an overlay, the filter line,
// the screen, or the registry.
func (a *App) key(msg tea.KeyMsg) tea.Cmd {
	k := keyName(msg)
	if k == "ctrl+c" {
		return a.interrupt()
	}
	if a.toast.bad || a.at.After(a.toast.till) {
		a.toast = toast{}
	}
	if n := len(a.overlays); n > 0 {
		return a.overlayKey(a.overlays[n-1], msg)
	}
	if a.input != nil {
		return a.filterKey(msg)
	}
	if a.tooSmall() {
		if k == "q" {
			return a.quit()
		}
		return nil
	}
	if a.typing() && a.try.typed(a, msg) {
		return nil
	}
	if a.screen != nil && a.screen.key(a, k) {
		return nil
	}
	if act := a.reg.find(a.context(), k); act != nil {
		return a.do(act)
	}
	if a.screen == nil {
		a.navigate(k)
	}
	return nil
}

// typing reports whether a line of the screen has the keyboard, so that letters
// are no commands.
func (a *App) typing() bool {
	return a.try != nil && a.screen == screen(a.try) && a.try.form.typing()
}

// keyName is a key as the registry writes it.
func keyName(msg tea.KeyMsg) string {
	k := msg.String()
	if k == " " {
		return "space"
	}
	return strings.TrimPrefix(k, "alt+")
}

// do runs an action, or says why it cannot be done now.
func (a *App) do(act *Action) tea.Cmd {
	if ok, why := act.Enabled(a); !ok {
		title, _, _ := strings.Cut(act.Title, ":") // the reason is to be seen whole, also where there is little room
		a.shout(title + ": " + why)
		return nil
	}
	return act.Run(a)
}

func (a *App) tooSmall() bool { return a.w < minWidth || a.h < minHeight }

// interrupt is ctrl+c: it ends the program always, and asks once before an
// unsent draft is left.
func (a *App) interrupt() tea.Cmd {
	if a.quitting || a.data.ws.Draft == 0 {
		return tea.Quit
	}
	return a.quit()
}

func (a *App) quit() tea.Cmd {
	if a.data.ws.Draft == 0 {
		return tea.Quit
	}
	a.quitting = true
	text := count(a.data.ws.Draft, "change") + " in the draft not yet pushed."
	if a.data.ws.Path != "" {
		text += " The draft is kept and comes back when this workspace is opened again."
	} else {
		text += " This mesh is in memory only: they are lost."
	}
	a.open(&confirm{head: "Leave meshtui?", text: text, yes: "q", yesText: "leave", harm: true,
		do: func(*App) tea.Cmd { return tea.Quit }, no: func(a *App) { a.quitting = false }})
	return nil
}
