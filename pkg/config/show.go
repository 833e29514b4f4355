package config

import (
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// The configuration in force is shown as equivalent TOML, with the origin of each value as a
// comment: a position in a file, or "default". For a user, the name of the group may precede the
// position.

// Show writes the configuration in force: all keys, or only those that differ from the defaults.
// Hashes are masked.
func (s *Source) Show(w io.Writer, all bool) error {
	sh := &printer{Source: s, all: all}
	sh.table(reflect.ValueOf(s.Config).Elem(), reflect.ValueOf(Default()).Elem(), "", "")
	_, err := io.WriteString(w, sh.String())
	return err
}

// ShowUser writes the settings of a user in the groups, as a [[user]]: all keys,
// or only those that differ from the defaults. It is an error if Config.For returns one.
func (s *Source) ShowUser(w io.Writer, user string, groups []string, all bool) error {
	e, err := s.Config.For(user, groups)
	if err != nil {
		return err
	}
	sh := &printer{Source: s, all: all}
	layers := s.Config.layers(user, groups)
	sh.line("[[user]]", "")
	sh.line("name = "+quote(user), "")
	settings, defaults := reflect.ValueOf(&e.Settings).Elem(), reflect.ValueOf(Default().Defaults)
	for _, f := range fieldsOf(settings.Type()) {
		v := settings.FieldByIndex(f.index)
		if text := encode(v); all || text != encode(defaults.FieldByIndex(f.index)) {
			sh.line(f.key+" = "+text, s.settingOrigin(layers, f.key))
		}
	}
	if e.Disabled || all {
		sh.line(fmt.Sprintf("disabled = %v", e.Disabled), s.settingOrigin(layers, "disabled"))
	}
	if e.Expires != "" {
		sh.line("expires = "+string(e.Expires), s.settingOrigin(layers, "expires"))
	}
	for _, r := range e.Rules {
		sh.line("\n[[user.rule]]", s.pathOrigin(layers, "rule", r.Path))
		sh.line("path = "+quote(r.Path), "")
		sh.line("permissions = "+encode(reflect.ValueOf(r.Permissions)), "")
	}
	for _, m := range e.Mounts {
		sh.line("\n[[user.mount]]", s.pathOrigin(layers, "mount", m.Path))
		sh.line("path = "+quote(m.Path), "")
		sh.line("directory = "+quote(m.Directory), "")
		sh.line("permissions = "+encode(reflect.ValueOf(m.Permissions)), "")
	}
	_, err = io.WriteString(w, sh.String())
	return err
}

// ShowFrom writes, as a comment, whether a user may log in from an address. The user "" stands
// for the settings of [defaults].
func (s *Source) ShowFrom(w io.Writer, user string, groups []string, from netip.Addr) error {
	settings := s.Config.Defaults
	if user != "" {
		e, err := s.Config.For(user, groups)
		if err != nil {
			return err
		}
		settings = e.Settings
	}
	answer := "is refused: it is not in allow_from"
	switch {
	case len(settings.AllowFrom) == 0:
		answer = "may log in: allow_from is empty"
	case settings.AllowFrom.Contains(from):
		answer = "may log in: it is in allow_from"
	}
	origin := s.settingOrigin(s.Config.layers(user, groups), "allow_from")
	_, err := fmt.Fprintf(w, "# %s %s (%s)\n", from, answer, origin)
	return err
}

// settingOrigin returns the origin of a key in the last layer that sets it.
func (s *Source) settingOrigin(layers []layer, key string) string {
	for _, l := range slices.Backward(layers) {
		if slices.Contains(l.Set, key) {
			name := key
			if l.id == "anonymous" && key == "home" {
				name = "directory"
			}
			return s.layerOrigin(l, l.id+"."+name)
		}
	}
	return s.origin("defaults." + key)
}

// pathOrigin returns the origin of the rule or mount for a path in the last layer that has one.
func (s *Source) pathOrigin(layers []layer, list, path string) string {
	for _, l := range slices.Backward(layers) {
		for i, r := range l.Rules {
			if list == "rule" && r.Path == path {
				return s.layerOrigin(l, item(l.id+".rule", i))
			}
		}
		for i, m := range l.Mounts {
			if list == "mount" && m.Path == path {
				return s.layerOrigin(l, item(l.id+".mount", i))
			}
		}
	}
	return ""
}

// layerOrigin returns the origin of a key in a layer, after the name of the group if the layer is
// a [[group]].
func (s *Source) layerOrigin(l layer, id string) string {
	if index, isGroup := strings.CutPrefix(l.id, "group"); isGroup {
		if name, ok := lookUp(reflect.ValueOf(s.Config).Elem(), "group"+index+".name"); ok {
			return fmt.Sprintf("group %s, %s", quote(name.String()), s.origin(id))
		}
	}
	return s.origin(id)
}

// origin returns the position of a key, or "default" if no file sets it.
func (s *Source) origin(id string) string {
	if !s.given(id) {
		return "default"
	}
	return s.position(id).String()
}

// A printer writes lines of TOML.
type printer struct {
	*Source
	strings.Builder
	all bool
}

// line writes one line, with its origin unless that is "".
func (sh *printer) line(text, origin string) {
	sh.WriteString(text)
	if origin != "" {
		sh.WriteString("  # " + origin)
	}
	sh.WriteByte('\n')
}

// table writes the keys of a table, then the tables below it. It omits the header if there are
// no keys below it.
func (sh *printer) table(v, defaults reflect.Value, id, header string) {
	fields := fieldsOf(v.Type())
	for _, f := range fields {
		if isTable(f.typ) || isTableList(f.typ) {
			continue
		}
		key, value := f.key, v.FieldByIndex(f.index)
		if id != "" {
			key = id + "." + f.key
		}
		shown := encode(value)
		isDefault := shown == encode(defaults.FieldByIndex(f.index))
		if shown == "" || !sh.all && (!sh.given(key) || isDefault) {
			continue
		}
		sh.header(&header)
		sh.line(f.key+" = "+shown, sh.origin(key))
	}
	for _, f := range fields {
		below, value := strings.TrimPrefix(id+"."+f.key, "."), v.FieldByIndex(f.index)
		switch {
		case isTableList(f.typ):
			for i := range value.Len() {
				sh.item(value.Index(i), item(below, i))
			}
		case isTable(f.typ):
			sh.table(value, defaults.FieldByIndex(f.index), below, "["+below+"]")
		}
	}
}

// header writes the header of a table, and sets it to "" so that it is written once.
func (sh *printer) header(header *string) {
	if *header == "" {
		return
	}
	if sh.Len() > 0 {
		sh.WriteByte('\n')
	}
	sh.line(*header, "")
	*header = ""
}

// item writes one [[table]] with the keys that the file sets, and the tables below it.
func (sh *printer) item(v reflect.Value, id string) {
	header := "[[" + keyOf(id) + "]]"
	sh.header(&header)
	for _, f := range fieldsOf(v.Type()) {
		value, key := v.FieldByIndex(f.index), id+"."+f.key
		if !isTableList(f.typ) && sh.given(key) {
			sh.line(f.key+" = "+encode(value), sh.origin(key))
		}
	}
	for _, f := range fieldsOf(v.Type()) {
		if isTableList(f.typ) {
			value := v.FieldByIndex(f.index)
			for i := range value.Len() {
				sh.item(value.Index(i), item(id+"."+f.key, i))
			}
		}
	}
}
