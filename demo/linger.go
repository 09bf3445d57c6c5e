package demo

import (
	"io"
	"net"
	"net/http"
	"time"
)

// PauseHeader is a request header that has a backend wait before it answers: a
// duration as Go writes it, "4s". Above MaxPause it waits so long.
const PauseHeader = "X-Demo-Pause"

// MaxPause bounds what PauseHeader can ask for.
const MaxPause = 10 * time.Second

// pause waits as the request asks for; false when the client has gone meanwhile.
func pause(r *http.Request) bool {
	d, err := time.ParseDuration(r.Header.Get(PauseHeader))
	if err != nil || d <= 0 {
		return true
	}
	timer := time.NewTimer(min(d, MaxPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// echo takes the connection out of HTTP and sends back what comes, until either
// end closes it. It stands for a websocket, of which a proxy looks at no frame.
func (b *backend) echo(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection cannot be upgraded", http.StatusNotImplemented)
		return
	}
	defer conn.Close()
	b.mu.Lock()
	if b.now.State == Down {
		b.mu.Unlock()
		return
	}
	if b.upgraded == nil {
		b.upgraded = map[net.Conn]bool{}
	}
	b.upgraded[conn] = true
	name := b.now.Name
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.upgraded, conn)
		b.mu.Unlock()
	}()
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+backendHeader+": "+name+"\r\n\r\n")
	if err != nil {
		return
	}
	_, _ = io.Copy(conn, buffered) // either end closes it: that is how it ends
}
