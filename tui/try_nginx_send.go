package tui

import (
	"context"
	"fmt"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/nginx/predict"
)

// nginxShot is a request that was really sent to nginx: what was foretold of it
// by what is live, and what came back.
type nginxShot struct {
	id       int
	request  match.Request
	cancel   context.CancelFunc
	done     bool
	ended    time.Time
	foretold *foretold
	tried    Tried
}

// nginxShotMsg hands in what came of a request to nginx.
type nginxShotMsg struct{ *nginxShot }

// sendToNginx sends a request to the nginx beside the Envoys; nil where there is
// none. Its answer has the number of the shot that it goes with.
func (a *App) sendToNginx(id int, req match.Request) tea.Cmd {
	s := a.try
	if s.nginxShot != nil {
		s.nginxShot.cancel()
		s.nginxShot = nil
	}
	if a.deps.Nginx == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	s.nginxShot = &nginxShot{id: id, request: req, cancel: cancel}
	end, server, live, now := *s.nginxShot, a.deps.Nginx, a.data.liveWays, a.now
	return func() tea.Msg {
		defer cancel()
		end.tried = server.Try(ctx, req)
		way := live.get().Match(&req)
		end.foretold = live.likeNginx().foretell(&req, &way, live.mesh)
		end.done, end.ended = true, now()
		return nginxShotMsg{&end}
	}
}

// nginxLanded takes in what came of a request, unless another one was sent since.
func (a *App) nginxLanded(msg nginxShotMsg) {
	if a.try != nil && a.try.nginxShot != nil && a.try.nginxShot.id == msg.id {
		a.try.nginxShot = msg.nginxShot
	}
}

// differs says in what the answer is not what was foretold; "" when it is, or
// nothing was.
func (t *nginxShot) differs() string {
	if t.foretold == nil || t.tried.Status == 0 {
		return ""
	}
	switch a := &t.foretold.answer; {
	case a.Action == predict.Unknown || a.Action == predict.Static:
		return ""
	case a.Action == predict.Closed:
		return "predicted was that it closes the connection"
	case a.Status != 0 && a.Status != t.tried.Status:
		return fmt.Sprintf("predicted was %s", statusText(a.Status))
	case a.Redirect != "" && a.Redirect != t.tried.Location:
		return "predicted was the Location " + a.Redirect
	}
	return ""
}
