package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// A heldError says which process holds a workspace.
type heldError struct{ holder string }

func (e *heldError) Error() string { return e.holder + " has it open" }

// lock takes the lock file for this process. The kernel gives it back when the
// file is closed or the process ends, however it ends. A lock that another
// process holds is a *heldError.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return nil, &heldError{holder: holderOf(path)}
	}
	if err == nil {
		err = writeHolder(f)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// writeHolder notes who holds the lock, for the next one who asks.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), strings.Join(os.Args, " ")), 0)
	return err
}

// holderOf reads who holds a lock: "process 4711 (meshtui shop)".
func holderOf(path string) string {
	data, err := os.ReadFile(path)
	pid, command, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	switch {
	case err != nil || pid == "":
		return "another process"
	case command == "":
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, command)
}
