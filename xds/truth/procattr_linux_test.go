package truth_test

import "syscall"

// dieWithUs ends a child that outlives the test.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
