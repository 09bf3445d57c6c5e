package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
)

// Context is where the keyboard is: a panel of the main screen or another
// screen. A set of them says where a key means something.
type Context uint16

// The contexts.
const (
	InLDS Context = 1 << iota
	InRDS
	InCDS
	InEDS
	InNginx
	InWire
	InDiff
	InWireScreen
	InNodes
	InHistory
	InTry
	InOther
	InContest

	InPanes  = InLDS | InRDS | InCDS | InEDS
	InMain   = InPanes | InNginx | InWire
	InScreen = InDiff | InWireScreen | InNodes | InHistory | InTry | InOther | InContest
	Anywhere = InMain | InScreen
)

// Action is something that the operator can do by key or by name. The footer,
// the help and the command palette are all made from the list of them.
type Action struct {
	ID    string // as typed after ":", "drain"
	Title string // "drain or undrain the endpoint"
	Short string // in the footer; "" keeps it out of there
	Group string // heading in the help
	Keys  []string
	In    Context
	// Enabled says whether it can be done now, and if not, why.
	Enabled func(*App) (ok bool, why string)
	Run     func(*App) tea.Cmd
	Hidden  func(*App) bool // keeps it out of the footer; the help still has it
}

// KeyText is the action's keys as the help writes them.
func (act *Action) KeyText() string { return strings.Join(act.Keys, " ") }

// registry is every action, and which key does what where.
type registry struct {
	all   []*Action
	byKey map[string][]*Action
}

func newRegistry() *registry {
	r := &registry{byKey: map[string][]*Action{}}
	for _, list := range [][]*Action{nginxActions(), editActions(), tryActions(), doctorActions(), pushActions(), rolloutActions(), labActions(), contestActions(), viewActions(), moveActions(), programActions()} {
		for _, act := range list {
			if act.Enabled == nil {
				act.Enabled = always
			}
			if act.Hidden == nil {
				act.Hidden = func(*App) bool { return false }
			}
			r.all = append(r.all, act)
			for _, k := range act.Keys {
				r.byKey[k] = append(r.byKey[k], act)
			}
		}
	}
	return r
}

func always(*App) (bool, string) { return true, "" }

// find is the action that a key stands for in a context, or nil.
func (r *registry) find(in Context, key string) *Action {
	for _, act := range r.byKey[key] {
		if act.In&in != 0 {
			return act
		}
	}
	return nil
}

// of are the actions of a context, in order.
func (r *registry) of(in Context) []*Action {
	var out []*Action
	for _, act := range r.all {
		if act.In&in != 0 {
			out = append(out, act)
		}
	}
	return out
}

// context is where the keyboard is now.
func (a *App) context() Context {
	if a.screen != nil {
		return a.screen.context()
	}
	return InLDS << a.focus
}

func moveActions() []*Action {
	jump := func(id, title, key string, p Panel) *Action {
		return &Action{ID: id, Title: title, Group: "Move", Keys: []string{key}, In: InMain,
			Run: func(a *App) tea.Cmd { a.focusOn(p); return nil }}
	}
	return []*Action{
		{ID: "next", Title: "next pane", Group: "Move", Keys: []string{"tab", "l", "right"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.cycle(1); return nil }},
		{ID: "previous", Title: "previous pane", Group: "Move", Keys: []string{"shift+tab", "h", "left"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.cycle(-1); return nil }},
		jump("listeners", "listeners (LDS)", "1", PanelLDS),
		jump("routes", "routes (RDS)", "2", PanelRDS),
		jump("clusters", "clusters (CDS)", "3", PanelCDS),
		jump("endpoints", "endpoints (EDS)", "4", PanelEDS),
		jump("nginx", "nginx.conf", "5", PanelNginx),
		jump("wire-pane", "wire", "6", PanelWire),
		{ID: "other", Title: "other resources: secrets, virtual hosts, scoped routes, extensions, runtime", Short: "other", Group: "Move", Keys: []string{"7"},
			In: InMain, Hidden: func(a *App) bool { return a.others() == 0 }, Run: func(a *App) tea.Cmd { return a.showOther(mesh.Key{}) }},
		{ID: "node-previous", Title: "show the previous node", Group: "Look", Keys: []string{"["}, In: Anywhere,
			Enabled: severalNodes, Run: func(a *App) tea.Cmd { return a.switchNode(-1) }},
		{ID: "node-next", Title: "show the next node, then all", Group: "Look", Keys: []string{"]"}, In: Anywhere,
			Enabled: severalNodes, Run: func(a *App) tea.Cmd { return a.switchNode(1) }},
		{ID: "group-next", Title: "show the next group", Group: "Look", Keys: []string{"}"}, In: Anywhere,
			Enabled: severalGroups, Run: func(a *App) tea.Cmd { return a.switchGroup(1) }},
		{ID: "group-previous", Title: "show the previous group", Group: "Look", Keys: []string{"{"}, In: Anywhere,
			Enabled: severalGroups, Run: func(a *App) tea.Cmd { return a.switchGroup(-1) }},
	}
}

func severalNodes(a *App) (bool, string) {
	if len(a.data.members) < 2 {
		return false, "there is only one node, or none"
	}
	return true, ""
}

func severalGroups(a *App) (bool, string) {
	if len(a.data.ws.Groups) < 2 {
		return false, "this workspace has only the group " + a.group
	}
	return true, ""
}

// switchNode shows the next node; beyond the last come all of them together.
func (a *App) switchNode(step int) tea.Cmd {
	ids := []string{""}
	for _, n := range a.data.members {
		ids = append(ids, n.ID)
	}
	a.node = ids[cycled(ids, a.node, step)]
	return a.loadCmd()
}

func (a *App) switchGroup(step int) tea.Cmd {
	var names []string
	for _, g := range a.data.ws.Groups {
		names = append(names, g.Name)
	}
	a.group, a.node = names[cycled(names, a.group, step)], ""
	a.sel, a.origin = [4]identity{}, selection{}
	return a.loadCmd()
}

func cycled(list []string, current string, step int) int {
	at := 0
	for i, s := range list {
		if s == current {
			at = i
		}
	}
	return (at + step + len(list)) % len(list)
}
