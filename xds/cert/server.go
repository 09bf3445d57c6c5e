package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// ServerConfig is mutual TLS with what lies in the folder: ca.pem, which clients
// must be signed by, server.pem and server.key. The files are looked at with each
// connection, so that renewed ones need no restart; while what is there is no
// good (one of the pair is new and the other is not yet), the last good ones
// serve on. warnings say what will be wrong soon. It fails when they are no good
// from the beginning.
func (f Folder) ServerConfig() (c *tls.Config, warnings []string, err error) {
	s := &serving{folder: f}
	if err := s.load(); err != nil {
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

	mu    sync.Mutex
	now   *tls.Config
	stamp [3]stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

// current is the newest good configuration.
func (s *serving) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stampNow() != s.stamp {
		_ = s.load() // no good: the last good one serves on
	}
	return s.now
}

func (s *serving) paths() [3]string {
	certificate, key := s.folder.Server()
	return [3]string{s.folder.CA(), certificate, key}
}

func (s *serving) stampNow() (out [3]stamp) {
	for i, path := range s.paths() {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

func (s *serving) load() error {
	at := s.stampNow()
	paths := s.paths()
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(paths[0])
	if err != nil {
		return missing("the authority that clients are signed by", err)
	}
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("%s holds no certificate", paths[0])
	}
	pair, err := tls.LoadX509KeyPair(paths[1], paths[2])
	if err != nil {
		return missing("the server's certificate", err)
	}
	if now := s.folder.now(); now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s has expired on %s: renew it with `meshtui cert --renew`", paths[1], pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	s.now = &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	}
	s.stamp = at
	return nil
}

func missing(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: %w; `meshtui cert --host NAME` makes it", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
