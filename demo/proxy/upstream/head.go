package upstream

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// headWatch reads along what a connection of HTTP/1 brings, for what the
// transport does not let be seen: the heads of its answers as they came. A head
// is looked for whenever something has been sent, where a read begins.
type headWatch struct {
	mu       sync.Mutex
	looking  bool
	off      bool   // the connection was upgraded
	line     []byte // read so far
	started  bool   // the status line was read
	interim  bool   // it says that another head follows
	lengths  int    // Content-Length
	encoding bool   // Transfer-Encoding
}

// wrote says that a request, or a part of one, has gone out.
func (w *headWatch) wrote() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looking = !w.off
}

// read takes in what has come. It fails with errMalformed for a head whose
// length is told in two ways.
func (w *headWatch) read(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.looking && len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			if w.line = append(w.line, p...); len(w.line) > maxResponseHeaders {
				w.stop()
			}
			return nil
		}
		line := strings.TrimSuffix(string(append(w.line, p[:i]...)), "\r")
		w.line, p = w.line[:0], p[i+1:]
		w.take(line)
		if w.lengths > 1 || w.lengths > 0 && w.encoding {
			w.stop()
			return errMalformed
		}
	}
	return nil
}

// take takes in a line of a head.
func (w *headWatch) take(line string) {
	name, _, _ := strings.Cut(line, ":")
	switch {
	case !w.started:
		w.start(strings.Fields(line))
	case line == "":
		interim := w.interim
		w.stop()
		w.looking = interim
	case strings.EqualFold(name, "Content-Length"):
		w.lengths++
	case strings.EqualFold(name, "Transfer-Encoding"):
		w.encoding = true
	}
}

// start takes in a status line; what is none is the body of an answer that came
// before the end of its request.
func (w *headWatch) start(words []string) {
	if len(words) < 2 || !slices.Contains([]string{"HTTP/1.0", "HTTP/1.1"}, words[0]) {
		w.stop()
		return
	}
	w.started, w.off = true, words[1] == "101"
	w.interim = strings.HasPrefix(words[1], "1") && len(words[1]) == 3 && !w.off
}

// stop looks for no head until something is sent again.
func (w *headWatch) stop() {
	w.looking, w.line, w.started, w.interim, w.lengths, w.encoding = false, w.line[:0], false, false, 0, false
}
