package cert

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The files of a folder. A node's pair is called after its id.
const (
	CAFile     = "ca.pem"
	caKeyFile  = "ca.key"
	serverFile = "server"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// soon is how long before its end a certificate is spoken of.
	soon = 14 * 24 * time.Hour
)

// Folder is where certificates and keys lie.
type Folder struct {
	Dir string
	Now func() time.Time // nil is time.Now
}

func (f Folder) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// CA is the path of the authority's certificate.
func (f Folder) CA() string { return filepath.Join(f.Dir, CAFile) }

// Server are the paths of the server's certificate and key.
func (f Folder) Server() (certificate, key string) { return f.pair(serverFile) }

// Node are the paths of a node's certificate and key; no two ids share them. What
// a file name should not hold, such as the asterisk of a glob, is written as in a
// URL: a percent sign and two hexadecimal digits for each byte.
func (f Folder) Node(id string) (certificate, key string) {
	var name strings.Builder
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`*?[]/\%`, c) >= 0 {
			fmt.Fprintf(&name, "%%%02X", c)
		} else {
			name.WriteByte(c)
		}
	}
	return f.pair("node-" + name.String())
}

func (f Folder) pair(name string) (certificate, key string) {
	return filepath.Join(f.Dir, name+".pem"), filepath.Join(f.Dir, name+".key")
}

// Authority is the folder's authority, which is made where there is none.
func (f Folder) Authority() (a *Authority, made bool, err error) {
	keyPath := filepath.Join(f.Dir, caKeyFile)
	pair, err := read(f.CA(), keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		if _, one := os.Stat(f.CA()); one == nil {
			return nil, false, fmt.Errorf("%s is there, and its key %s is not: bring the key, or choose another folder for an authority of its own", f.CA(), keyPath)
		}
		if _, one := os.Stat(keyPath); one == nil {
			return nil, false, fmt.Errorf("%s is there, and its certificate %s is not: bring it, or choose another folder for an authority of its own", keyPath, f.CA())
		}
		a, pair, err = NewAuthority(f.now(), authorityLife)
		if err != nil {
			return nil, false, err
		}
		return a, true, f.write(f.CA(), keyPath, pair)
	}
	if err != nil {
		return nil, false, err
	}
	if a, err = ReadAuthority(pair); err != nil {
		return nil, false, fmt.Errorf("the authority %s: %w", f.CA(), err)
	}
	if f.now().After(a.certificate.NotAfter) {
		return nil, false, fmt.Errorf("the authority %s has expired on %s: choose another folder for a new one", f.CA(), a.certificate.NotAfter.Format(time.DateOnly))
	}
	return a, false, nil
}

// Issue writes a pair that make signs under these paths. What is there is left
// as it is, unless renew says so; then made is false.
func (f Folder) Issue(certificate, key string, renew bool, makePair func(*Authority) (Pair, error)) (made bool, err error) {
	if _, err := os.Stat(certificate); err == nil && !renew {
		return false, nil
	}
	a, _, err := f.Authority()
	if err != nil {
		return false, err
	}
	pair, err := makePair(a)
	if err != nil {
		return false, err
	}
	return true, f.write(certificate, key, pair)
}

// write puts a pair on disk, the key first and for the owner alone, each in one
// stroke: a server that reads them meanwhile finds an old or a new file.
func (f Folder) write(certificate, key string, p Pair) error {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("the folder for certificates: %w", err)
	}
	if err := replace(key, p.Key, 0o600); err != nil {
		return err
	}
	return replace(certificate, p.Certificate, 0o644)
}

func replace(path string, content []byte, mode fs.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
		}
	}()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func read(certificate, key string) (Pair, error) {
	c, err := readFile(certificate)
	if err != nil {
		return Pair{}, err
	}
	k, err := readFile(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: c, Key: k}, nil
}

// maxFile is the most that a file of a certificate or key may hold, in bytes.
const maxFile = 1 << 20

// readFile reads a whole regular file. A pipe that nobody writes to would keep
// whoever opens it waiting.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, and a certificate or key has at most %d", path, info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}
