package tui

import (
	"strings"

	"github.com/aymanbagabas/go-osc52/v2"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/outline"
)

func viewActions() []*Action {
	const group = "Look"
	return []*Action{
		{ID: "open", Title: "everything about what is selected, with its YAML", Short: "detail", Group: group, Keys: []string{"enter"},
			In: InMain | InOther, Run: (*App).openDetail},
		{ID: "open-node-row", Title: "everything about it, with what was served and what the node has in its place", Short: "open", Group: group,
			Keys: []string{"enter"}, In: InNodes, Run: (*App).openNodeRow},
		{ID: "open-message", Title: "the message as YAML", Short: "open", Group: group, Keys: []string{"enter"}, In: InWireScreen,
			Run: func(a *App) tea.Cmd {
				if s, ok := a.screen.(*wireScreen); ok && s.list.Cursor < len(a.data.wire) && s.list.Cursor >= 0 {
					return a.openMessage(a.data.wire[s.list.Cursor])
				}
				return nil
			}},
		{ID: "filter", Title: "filter the pane (esc clears it)", Short: "filter", Group: group, Keys: []string{"/"}, In: InPanes,
			Run: (*App).startFilter},
		{ID: "nginx-toggle", Title: "show or hide nginx.conf", Short: "nginx", Group: group, Keys: []string{"m"}, In: InMain, Run: (*App).toggleNginx},
		{ID: "wire", Title: "the wire: the whole conversation", Short: "wire", Group: group, Keys: []string{"w"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.show(newWireScreen(a)); return nil }},
		{ID: "nodes", Title: "the nodes: what each was served, ACKed and runs", Short: "nodes", Group: group, Keys: []string{"N"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.show(&nodesScreen{}); return nil }},
		{ID: "zoom", Title: "the pane on the whole screen, and back", Group: group, Keys: []string{"z"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.zoom = !a.zoom; a.arrange(); return nil }},
		{ID: "freeze", Title: "freeze the picture, and go on", Group: group, Keys: []string{"P"}, In: Anywhere, Run: (*App).toggleFreeze},
		{ID: "copy", Title: "copy the selected name, address or nginx line", Group: group, Keys: []string{"y"}, In: InMain | InOther, Run: (*App).copySelected},
		{ID: "copy-yaml", Title: "copy the resource's YAML", Group: group, Keys: []string{"Y"}, In: InPanes | InOther, Run: (*App).copyYAML},
	}
}

func programActions() []*Action {
	const group = "meshtui"
	return []*Action{
		{ID: "back", Title: "one step back: closes, clears the filter; never quits", Group: group, Keys: []string{"esc"}, In: Anywhere, Run: (*App).back},
		{ID: "command", Title: "any of these by name", Short: "command", Group: group, Keys: []string{":", "ctrl+p"}, In: Anywhere,
			Run: func(a *App) tea.Cmd { a.open(newPalette(a)); return nil }},
		{ID: "help", Title: "this help", Short: "help", Group: group, Keys: []string{"?", "f1"}, In: Anywhere,
			Run: func(a *App) tea.Cmd { a.open(newHelp(a)); return nil }},
		{ID: "notices", Title: "what was remarked on when the workspace was opened", Group: group, In: Anywhere, Run: (*App).openNotices},
		{ID: "findings", Title: "everything that the checks say of the draft", Short: "findings", Group: group, Keys: []string{"!"}, In: Anywhere, Run: (*App).openFindings},
		{ID: "redraw", Title: "draw the screen anew", Group: group, Keys: []string{"ctrl+l"}, In: Anywhere,
			Run: func(*App) tea.Cmd { return tea.ClearScreen }},
		{ID: "suspend", Title: "suspend meshtui (the control plane pauses too)", Group: group, Keys: []string{"ctrl+z"}, In: Anywhere, Run: (*App).askSuspend},
		{ID: "quit", Title: "leave (asks when the draft is not pushed)", Group: group, Keys: []string{"q"}, In: Anywhere,
			Run: func(a *App) tea.Cmd {
				if a.screen != nil {
					return a.back()
				}
				return a.quit()
			}},
	}
}

// back undoes one level of looking: the screen, the zoom, the filter.
func (a *App) back() tea.Cmd {
	switch {
	case a.screen != nil:
		a.screen = nil
	case a.zoom:
		a.zoom = false
	case a.focus < PanelNginx && a.filter[a.focus].text != "":
		a.setFilter(outline.Pane(a.focus), "")
	case a.focus >= PanelNginx:
		a.focusOn(a.pane)
	}
	a.arrange()
	return nil
}

func (a *App) show(s screen) {
	a.screen = s
	a.zoom = false
}

func (a *App) toggleNginx() tea.Cmd {
	if a.focus == PanelNginx {
		a.focus = a.pane
		a.nginxWide, a.nginxSmall = false, false
	} else if a.w >= wideWidth {
		a.nginxWide = !a.nginxWide
	} else {
		a.nginxSmall = !a.nginxSmall
	}
	a.arrange()
	a.follow()
	return nil
}

func (a *App) toggleFreeze() tea.Cmd {
	a.frozen = !a.frozen
	if !a.frozen {
		a.at = a.now()
		if a.next != nil {
			a.take(a.next)
		}
	}
	a.arrange()
	return nil
}

func (a *App) askSuspend() tea.Cmd {
	text := "The control plane runs in this process and pauses with it: connected Envoys keep " +
		"what they have and get nothing new until you come back with fg. Envoys that meshtui started go on."
	if a.product() == builtinProduct {
		text = "The control plane and the built-in proxy run in this process and pause with it: no request is answered until you come back with fg."
	}
	a.open(&confirm{head: "Suspend meshtui?", text: text,
		yes: "z", yesText: "suspend", do: func(*App) tea.Cmd { return tea.Suspend }})
	return nil
}

func (a *App) copySelected() tea.Cmd {
	if a.screen == nil && a.focus == PanelNginx {
		if i := a.lists[PanelNginx].Cursor; i < len(a.data.nginx.lines) {
			return a.copyText("the line", strings.TrimSpace(a.data.nginx.lines[i].Text))
		}
		return nil
	}
	r := a.selected()
	if r == nil {
		return nil
	}
	text := r.Label
	switch {
	case r.Address != "":
		text = r.Address
	case r.Path == "":
		text = r.Key.Name
	}
	return a.copyText(text, text)
}

func (a *App) copyYAML() tea.Cmd {
	r := a.selected()
	if r == nil {
		return nil
	}
	res := a.data.resource(r.Key)
	if res == nil {
		return nil
	}
	return a.copyText("the YAML of "+r.Key.String(), res.Source.Text)
}

// copyLimit is what terminals take by OSC 52 without cutting it off.
const copyLimit = 74_000

// copyText puts text into the clipboard by way of the terminal, which works
// over ssh too, where the terminal allows it.
func (a *App) copyText(what, text string) tea.Cmd {
	if len(text) > copyLimit {
		a.shout(what + " is too long for the clipboard")
		return nil
	}
	out := a.output
	return a.want("copy", func() (string, error) {
		return "copied " + what + " (by OSC 52, where your terminal allows it)", out(osc52.New(text).String())
	})
}
