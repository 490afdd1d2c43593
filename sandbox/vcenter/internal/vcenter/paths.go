package vcenter

import (
	"path"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
)

// pathFields are the arguments of file and disk managers that name a file on a datastore.
var pathFields = []string{"Name", "SourceName", "DestinationName", "DestName", "DatastorePath"}

// strayPath finds a path that leads out of its datastore, or names a whole datastore where a file is meant: the
// library would follow it on the local disk, even to delete.
func strayPath(m *simulator.Method) string {
	switch m.This.Type {
	case "FileManager", "VirtualDiskManager":
	default:
		return ""
	}
	for _, path := range pathsOf(m) {
		if strays(path) {
			return path
		}
	}
	return ""
}

// pathsOf are the files that a call of a file or disk manager names.
func pathsOf(m *simulator.Method) []string {
	var paths []string
	body := reflect.Indirect(reflect.ValueOf(m.Body))
	for _, name := range pathFields {
		field := body.FieldByName(name)
		if field.IsValid() && field.Kind() == reflect.String && field.String() != "" {
			paths = append(paths, field.String())
		}
	}
	return paths
}

func strays(name string) bool {
	var p object.DatastorePath
	if !p.FromString(name) {
		return false // not a path at all: the library says so
	}
	return path.Clean("/"+p.Path) == "/" || leadsOut(p.Path)
}

// leadsOut tells a path with a step upwards: no honest client sends one.
func leadsOut(inside string) bool {
	for _, step := range strings.Split(inside, "/") {
		if step == ".." {
			return true
		}
	}
	return false
}
