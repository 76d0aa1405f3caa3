# Stand-in for OpenWrt's procd.sh, and for procd behind it. What the service tells procd of its instance is kept in
# /tmp/instance while procd would run it, and what procd would do then is added to /tmp/events:
#
#   started | restarted | stopped | signal NAME
#
# Procd starts an instance again if its description is another one, ends one that is no longer described, and leaves
# alone one that is described as before.

procd_open_service() {
	rm -f /tmp/described
}

procd_close_service() {
	service_triggers
	if [ ! -f /tmp/described ]; then
		[ ! -f /tmp/instance ] || event stopped
		rm -f /tmp/instance
	elif [ ! -f /tmp/instance ]; then
		event started
	elif ! cmp -s /tmp/described /tmp/instance; then
		event restarted
	fi
	[ ! -f /tmp/described ] || mv /tmp/described /tmp/instance
}

procd_open_instance() { : >/tmp/described; }
procd_close_instance() { :; }
procd_set_param() { describe "$@"; }
procd_add_jail() { describe jail "$@"; }
procd_add_jail_mount() { describe mount "$@"; }
procd_add_jail_mount_rw() { describe mount_rw "$@"; }

procd_add_reload_trigger() { echo "reload $*" >>/tmp/triggers; }
procd_add_validation() {
	echo "validation $*" >>/tmp/triggers
	"$@"
}

procd_running() { [ -f /tmp/instance ]; }

procd_kill() {
	[ ! -f /tmp/instance ] || event stopped
	rm -f /tmp/instance
}

procd_send_signal() {
	[ ! -f /tmp/instance ] || event "signal $3"
}

# The mount points of /etc/config/fstab that a path lies below.
procd_get_mountpoints() (
	config_load fstab || return 0
	for section in $CONFIG_SECTIONS; do
		config_get target "$section" target
		case "$1/" in "${target%/}"/*) echo "${target%/}" ;; esac
	done
)

describe() {
	local line="$1"
	shift
	for word in "$@"; do line="$line|$word"; done
	echo "$line" >>/tmp/described
}

event() { echo "$1" >>/tmp/events; }

# uci_load_validate PACKAGE TYPE SECTION FUNCTION OPTION:TYPE[:DEFAULT]...
#
# As validate_data says: an option that is absent or empty has its default, one that does not fit is unset and makes the
# result a failure; a list is joined by spaces, what does not fit in it is left out, and its last entry decides.
uci_load_validate() {
	local section="$3" function="$4" result=0 declared
	shift 4
	for declared in "$@"; do local "${declared%%:*}"; done
	[ -z "$section" ] || for declared in "$@"; do validate "$section" "$declared" || result=255; done
	[ -z "$function" ] || "$function" "$section" "$result"
}

validate() {
	local name="${2%%:*}" rest="${2#*:}" type default='' length raw
	type="${rest%%:*}"
	[ "$type" = "$rest" ] || default="${rest#*:}"
	config_get length "$1" "${name}_LENGTH"
	config_get raw "$1" "$name"
	if [ -n "$length" ]; then
		validate_list "$1"
	elif [ -z "$raw" ]; then
		unset "$name"
		[ -z "$default" ] || eval "$name=\$default"
	elif fits "$type" "$raw"; then
		[ "$type" != bool ] || raw="$(truth "$raw")"
		eval "$name=\$raw"
	else
		unset "$name"
		return 1
	fi
}

validate_list() {
	local number=1 item joined='' last=0
	while [ "$number" -le "$length" ]; do
		config_get item "$1" "${name}_ITEM$number"
		number=$((number + 1))
		[ -n "$item" ] || continue
		if fits "$type" "$item"; then last=0; else last=1 item=''; fi
		joined="${joined:+$joined }$item"
	done
	eval "$name=\$joined"
	return "$last"
}

fits() {
	local inner="${1#*(}"
	inner="${inner%)}"
	case "$1" in
	string) ;;
	bool) [ -n "$(truth "$2")" ] ;;
	uciname) case "$2" in *[!A-Za-z0-9_]*) return 1 ;; esac ;;
	'list('*) fits "$inner" "$2" ;;
	'or('*) case ",$inner," in *",\"$2\","*) ;; *) return 1 ;; esac ;;
	'and(uinteger,range('*)
		case "$2" in '' | *[!0-9]*) return 1 ;; esac
		inner="${1#*range(}"
		inner="${inner%))}"
		[ "${#2}" -le 9 ] && [ "$2" -ge "${inner%,*}" ] && [ "$2" -le "${inner#*,}" ]
		;;
	*)
		echo "the stand-in knows no type $1" >&2
		exit 70
		;;
	esac
}

truth() {
	case "$1" in
	1 | on | true | yes | enabled) echo 1 ;;
	0 | off | false | no | disabled) echo 0 ;;
	esac
}
