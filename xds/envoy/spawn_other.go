//go:build unix && !linux

package envoy

import "syscall"

// diesWithParent says that nothing ends an Envoy when we are killed but the
// watchdog.
const diesWithParent = false

// processAttributes puts the process into a group of its own, so that a Ctrl-C
// on the terminal is not its business.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
