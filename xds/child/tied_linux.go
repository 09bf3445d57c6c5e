package child

import "syscall"

// diesWithParent says that the kernel ends a program when we are gone, however
// we went.
const diesWithParent = true

// attributes puts the process into a group of its own, so that a Ctrl-C
// on the terminal is not its business, and ties it to the thread that starts
// it: that thread must live for as long as the process shall.
func attributes(farewell syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: farewell}
}
