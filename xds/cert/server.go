package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"example.com/meshtui/engine/task"
)

// ServerConfig is mutual TLS with what lies in the folder: ca.pem, which clients
// must be signed by, server.pem and server.key. The files are looked at with each
// connection, so that renewed ones need no restart; while what is there is no
// good (one of the pair is new and the other is not yet) or does not answer, the
// last good ones serve on. warnings say what will be wrong soon. It fails when they are no good
// from the beginning.
func (f Folder) ServerConfig() (c *tls.Config, warnings []string, err error) {
	s := &serving{folder: f}
	if s.now, s.stamp, err = f.load(); err != nil {
		return nil, nil, err
	}
	leaf := s.now.Certificates[0].Leaf
	if left := leaf.NotAfter.Sub(f.now()); left < soon {
		file, _ := f.Server()
		warnings = append(warnings, fmt.Sprintf("%s expires on %s: renew it with `meshtui cert --renew`", file, leaf.NotAfter.Format(time.DateOnly)))
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.now.ClientCAs, Certificates: s.now.Certificates,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current(), nil },
	}, warnings, nil
}

// serving is what a server shows, and from which files it was read.
type serving struct {
	folder Folder

	mu    sync.Mutex // never held while a file is looked at
	now   *tls.Config
	stamp [3]stamp
	look  *look // under way; nil for none
}

// look is one look at the files.
type look struct {
	done chan struct{}
	late bool // it did not answer in time
}

// answers is how long a connection waits for the files to be looked at. Those on
// a network that is gone may never answer, and nothing can end such a look.
const answers = time.Second

// stamp tells one state of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

// current is the newest good configuration.
func (s *serving) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look == nil {
		s.begin()
	}
	l := s.look
	if l.late {
		return s.now
	}
	s.mu.Unlock()
	timer := time.NewTimer(answers)
	select {
	case <-l.done:
	case <-timer.C:
	}
	timer.Stop()
	s.mu.Lock()
	l.late = true // for those who come while it still goes on
	return s.now
}

// begin looks at the files. s.mu is held. Nobody waits for the goroutine at the
// end: one that hangs in the kernel ends with the process.
func (s *serving) begin() {
	l := &look{done: make(chan struct{})}
	s.look = l
	known := s.stamp
	g, _ := task.New(context.Background())
	g.Go("looking at certificates", func() error {
		var c *tls.Config
		var at [3]stamp
		if s.folder.stampNow() != known {
			c, at, _ = s.folder.load() // no good: the last good one serves on
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if c != nil {
			s.now, s.stamp = c, at
		}
		s.look = nil
		close(l.done)
		return nil
	})
}

func (f Folder) served() [3]string {
	certificate, key := f.Server()
	return [3]string{f.CA(), certificate, key}
}

func (f Folder) stampNow() (out [3]stamp) {
	for i, path := range f.served() {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// load reads what the server shows.
func (f Folder) load() (*tls.Config, [3]stamp, error) {
	at := f.stampNow()
	paths := f.served()
	roots := x509.NewCertPool()
	ca, err := readFile(paths[0])
	if err != nil {
		return nil, at, missing("the authority that clients are signed by", err)
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, at, fmt.Errorf("%s holds no certificate", paths[0])
	}
	files, err := read(paths[1], paths[2])
	if err != nil {
		return nil, at, missing("the server's certificate", err)
	}
	pair, err := tls.X509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, at, missing("the server's certificate", err)
	}
	if now := f.now(); now.After(pair.Leaf.NotAfter) {
		return nil, at, fmt.Errorf("%s has expired on %s: renew it with `meshtui cert --renew`", paths[1], pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	}, at, nil
}

func missing(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: %w; `meshtui cert --host NAME` makes it", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
