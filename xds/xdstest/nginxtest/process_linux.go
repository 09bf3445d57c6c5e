package nginxtest

import "syscall"

// dieWithUs ends nginx when the test is killed, too.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
