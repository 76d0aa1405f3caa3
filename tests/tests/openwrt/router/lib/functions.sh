# Stand-in for OpenWrt's /lib/functions.sh: the files in /etc/config, as `uci export` gives them, are read as commands of
# the shell, and become variables.

config_load() {
	for known in $CONFIG_KNOWN; do unset "$known"; done
	CONFIG_KNOWN='' CONFIG_SECTIONS=''
	[ -f "/etc/config/$1" ] || return 1
	. "/etc/config/$1"
}

package() { :; }

config() {
	CONFIG_SECTION="$2"
	CONFIG_SECTIONS="$CONFIG_SECTIONS $2"
	config_set "$2" TYPE "$1"
}

option() {
	config_set "$CONFIG_SECTION" "$1" "$2"
}

list() {
	local length joined
	config_get length "$CONFIG_SECTION" "${1}_LENGTH" 0
	config_get joined "$CONFIG_SECTION" "$1"
	length=$((length + 1))
	config_set "$CONFIG_SECTION" "${1}_ITEM$length" "$2"
	config_set "$CONFIG_SECTION" "${1}_LENGTH" "$length"
	config_set "$CONFIG_SECTION" "$1" "${joined:+$joined }$2"
}

config_set() {
	CONFIG_KNOWN="$CONFIG_KNOWN CONFIG_${1}_$2"
	eval "CONFIG_${1}_$2=\$3"
}

# config_get VARIABLE SECTION OPTION [DEFAULT]
config_get() {
	eval "$1=\"\${CONFIG_${2}_${3}:-\$4}\""
}

# config_list_foreach SECTION OPTION FUNCTION ARGUMENTS...
config_list_foreach() {
	local section="$1" option="$2" function="$3" length number=1 item
	shift 3
	config_get length "$section" "${option}_LENGTH" 0
	while [ "$number" -le "$length" ]; do
		config_get item "$section" "${option}_ITEM$number"
		"$function" "$item" "$@"
		number=$((number + 1))
	done
}

# Programs that would reach beyond the folder. They are functions as BusyBox may prefer its own programs to files.

# Who a file would be given to: in /tmp/chown.
chown() { echo "$*" >>/tmp/chown; }

# "PRIORITY MESSAGE" in /tmp/log.
logger() {
	local priority=''
	while [ "$#" -gt 1 ]; do
		[ "$1" != -p ] || priority="${2#daemon.}"
		[ "$1" = -s ] || shift
		shift
	done
	printf '%s %s\n' "$priority" "$1" >>/tmp/log
}

# `get`, `set`, `commit` and `batch`: every command is added to /tmp/uci, and `get` finds what was set before, or a
# section of /etc/config.
uci() {
	[ "$1" != -q ] || shift
	case "$1" in
	get) grep -q "^set $2=" /tmp/uci 2>/dev/null || grep -q "'${2#*.}'" "/etc/config/${2%%.*}" 2>/dev/null ;;
	batch) cat >>/tmp/uci ;;
	*) echo "$*" >>/tmp/uci ;;
	esac
}
