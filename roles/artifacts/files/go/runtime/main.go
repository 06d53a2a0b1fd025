// Command runtime is an OCI runtime for hosts whose capability bounding set is
// not full (a container, a small VM): it takes the capabilities the host lacks
// out of what Docker asks for and hands over to runc.
//
// Without it runc refuses every --privileged container there ("unable to apply
// caps"). It runs at each container start and each exec, so it reads two files,
// writes one and replaces itself: about two milliseconds.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// capabilityNames in the kernel's numbering (capabilities(7), linux/capability.h).
var capabilityNames = strings.Fields(`
CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT
CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD
CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG
CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

type object = map[string]json.RawMessage

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "kubelab runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if path, isProcess := specification(args[1:]); path != "" {
		bounding, err := boundingSet()
		if err != nil {
			return err
		}
		if err := rewrite(path, isProcess, bounding); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args[1:]...), os.Environ())
}

// specification returns the file in which this call names its capabilities:
// a bundle's config.json (create, run, restore) or an exec's process file.
func specification(args []string) (path string, isProcess bool) {
	command, options := "", map[string]string{}
	for i, arg := range args {
		name, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case strings.HasPrefix(arg, "-") && joined:
			options[name] = value
		case strings.HasPrefix(arg, "-") && i+1 < len(args):
			options[name] = args[i+1]
		case arg == "create" || arg == "run" || arg == "restore" || arg == "exec":
			if command == "" {
				command = arg
			}
		}
	}
	first := func(names ...string) string {
		for _, name := range names {
			if options[name] != "" {
				return options[name]
			}
		}
		return ""
	}
	switch command {
	case "":
		return "", false
	case "exec":
		return first("process", "p"), true
	}
	return filepath.Join(first("bundle", "b"), "config.json"), false
}

// boundingSet returns the capabilities this host can hand to a container.
func boundingSet() (map[string]bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	_, rest, found := strings.Cut(string(status), "\nCapBnd:")
	if !found {
		return nil, fmt.Errorf("no CapBnd in /proc/self/status")
	}
	var bits uint64
	if _, err := fmt.Sscanf(strings.TrimSpace(rest), "%x", &bits); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for number, name := range capabilityNames {
		set[name] = bits&(1<<number) != 0
	}
	return set, nil
}

// rewrite keeps in the file only the capabilities in bounding; everything else
// in it stays byte for byte what Docker wrote.
func rewrite(path string, isProcess bool, bounding map[string]bool) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec, process object
	if err := json.Unmarshal(content, &spec); err != nil {
		return err
	}
	if isProcess {
		process = spec
	} else if err := json.Unmarshal(spec["process"], &process); err != nil {
		return err
	}
	if process["capabilities"], err = keep(process["capabilities"], bounding); err != nil {
		return err
	}
	if !isProcess {
		if spec["process"], err = json.Marshal(process); err != nil {
			return err
		}
	}
	if content, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func keep(capabilities json.RawMessage, bounding map[string]bool) (json.RawMessage, error) {
	if capabilities == nil {
		return json.RawMessage("null"), nil
	}
	var sets map[string][]string
	if err := json.Unmarshal(capabilities, &sets); err != nil {
		return nil, err
	}
	for set, names := range sets {
		kept := []string{}
		for _, name := range names {
			if bounding[name] {
				kept = append(kept, name)
			}
		}
		sets[set] = kept
	}
	return json.Marshal(sets)
}
