package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Writer puts a file's whole content in place, or leaves the file as it was and
// says why.
type Writer interface {
	WriteFile(path string, data []byte, perm fs.FileMode) error
}

// Disk is the Writer that writes to the file system: into a temporary file
// beside the target, synced, then renamed over it. It makes missing folders,
// and writes through a symbolic link instead of replacing it.
type Disk struct{}

// WriteFile implements Writer.
func (Disk) WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename last through a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	return nil
}
