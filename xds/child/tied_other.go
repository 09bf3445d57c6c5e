//go:build unix && !linux

package child

import "syscall"

// diesWithParent says that nothing ends a program when we are killed but the
// watchdog.
const diesWithParent = false

// attributes puts the process into a group of its own, so that a Ctrl-C
// on the terminal is not its business.
func attributes(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
