package xdstest

import "syscall"

// DieWithUs ends a child that outlives the test.
func DieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
