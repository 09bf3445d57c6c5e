package tui

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// minGap is the shortest time between two pictures: twenty a second is what
// an eye follows and a slow terminal still paints.
const minGap = 50 * time.Millisecond

// dataMsg hands in a picture. wait says that it came from waitCmd, which must
// then be started again.
type dataMsg struct {
	data *data
	wait bool
}

// clockMsg is the second hand: ages on screen grow although nothing happens.
type clockMsg time.Time

// wakes are the channels that waitCmd listens to. The channel of a part that
// is not there is nil and never wakes.
type wakes struct {
	all  [7]<-chan struct{}
	stop []func()
}

func subscribe(d Deps) *wakes {
	w := &wakes{}
	for i, s := range []Waker{d.Workspace, d.Nodes, d.Evidence, d.DataPlane, d.Traffic, d.Nginx, d.Contest} {
		if s == nil {
			continue
		}
		ch, stop := s.Changed()
		w.all[i] = ch
		w.stop = append(w.stop, stop)
	}
	return w
}

func (w *wakes) close() {
	for _, stop := range w.stop {
		stop()
	}
}

// next blocks until something has changed and, counted from since, minGap has
// passed; false when ctx ended first.
func (w *wakes) next(ctx context.Context, since time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-w.all[0]:
	case <-w.all[1]:
	case <-w.all[2]:
	case <-w.all[3]:
	case <-w.all[4]:
	case <-w.all[5]:
	case <-w.all[6]:
	}
	gap := time.NewTimer(minGap - time.Since(since))
	defer gap.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-gap.C:
		return true
	}
}

// waitCmd waits for the next change and makes its picture.
func (a *App) waitCmd() tea.Cmd {
	if a.wakes == nil {
		return nil
	}
	since, group, node := time.Now(), a.group, a.node
	return func() tea.Msg {
		if !a.wakes.next(a.ctx, since) {
			return nil
		}
		return dataMsg{data: a.maker.make(group, node), wait: true}
	}
}

// loadCmd makes a picture now: after an intent, or when another group or node
// is to be shown.
func (a *App) loadCmd() tea.Cmd {
	group, node := a.group, a.node
	return func() tea.Msg { return dataMsg{data: a.maker.make(group, node)} }
}

// clockCmd is the second hand.
func (a *App) clockCmd() tea.Cmd {
	if a.opt.Still {
		return nil
	}
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return clockMsg(t) })
}
