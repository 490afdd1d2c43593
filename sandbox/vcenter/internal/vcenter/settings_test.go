package vcenter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func noEnvironment(string) string { return "" }

func TestSettingsMakeCredentialsOnce(t *testing.T) {
	home := t.TempDir()
	first, err := ParseSettings([]string{"--home", home, "--flavour", "vmc"}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ParseSettings([]string{"--home", home, "--flavour", "vmc"}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if first.Username != "cloudadmin@vmc.local" || first.Password == "" || first.Password != second.Password {
		t.Errorf("got %q/%q, then %q", first.Username, first.Password, second.Password)
	}
	if info, err := os.Stat(filepath.Join(home, "credentials")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the credentials: %v, %v", info, err)
	}
}

func TestSettingsTakeCredentialsFromTheEnvironment(t *testing.T) {
	environment := map[string]string{"ESCALE_VCENTER_USERNAME": "alice", "ESCALE_VCENTER_PASSWORD": "secret"}
	s, err := ParseSettings([]string{"--home", t.TempDir()}, func(name string) string { return environment[name] })
	if err != nil || s.Username != "alice" || s.Password != "secret" {
		t.Errorf("got %q/%q, %v", s.Username, s.Password, err)
	}
}

func TestSettingsReadDelays(t *testing.T) {
	s, err := ParseSettings([]string{"--home", t.TempDir(), "--method-delay", "CloneVM_Task:2000,CurrentTime:5"}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if s.MethodDelays["CloneVM_Task"] != 2*time.Second || s.MethodDelays["CurrentTime"] != 5*time.Millisecond {
		t.Errorf("got %v", s.MethodDelays)
	}
}

func TestSettingsExplainMistakes(t *testing.T) {
	home := t.TempDir()
	for says, args := range map[string][]string{
		"--home is missing":      {},
		"unknown flavour":        {"--home", home, "--flavour", "azure"},
		"is not HOST:PORT":       {"--home", home, "--listen", "9000"},
		"METHOD:MILLISECONDS":    {"--home", home, "--method-delay", "CloneVM_Task:-1"},
		"unexpected argument":    {"--home", home, "extra"},
		"no such file":           {"--home", home, "--credentials", filepath.Join(home, "none")},
		"flag provided but not":  {"--home", home, "--colour", "red"},
		"must hold two lines":    {"--home", home, "--credentials", oneLine(t, home)},
		"can be read by others:": {"--home", home, "--credentials", openFile(t, home)},
	} {
		if _, err := ParseSettings(args, noEnvironment); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func oneLine(t *testing.T, dir string) string {
	path := filepath.Join(dir, "one-line")
	if err := os.WriteFile(path, []byte("alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openFile(t *testing.T, dir string) string {
	path := filepath.Join(dir, "open")
	if err := os.WriteFile(path, []byte("alice\nsecret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentityFollowsNameAndHome(t *testing.T) {
	a := instanceUUID(Settings{Name: "paris", Home: "/a"})
	if a != instanceUUID(Settings{Name: "paris", Home: "/a"}) {
		t.Error("it changes")
	}
	if a == instanceUUID(Settings{Name: "paris", Home: "/b"}) || a == instanceUUID(Settings{Name: "oregon", Home: "/a"}) {
		t.Error("two vCenters share it")
	}
	if given := instanceUUID(Settings{InstanceUUID: "ABC"}); given != "abc" {
		t.Errorf("given, it is %q", given)
	}
}
