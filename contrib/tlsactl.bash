# tlsactl.bash - completion of tlsactl's commands and options for bash
#
#   . contrib/tlsactl.bash
#   install -m 644 contrib/tlsactl.bash /usr/share/bash-completion/completions/tlsactl
#
# It knows no command itself: what there is it asks "tlsactl --help" and
# "tlsactl COMMAND --help".

# The commands, one a line; some have two words.
_tlsactl_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\)  .*/\1/p'
}

# $1: tlsactl, $2: the command, or nothing. The rows of its options.
_tlsactl_options()
{
	# The command's words are words here as well.
	# shellcheck disable=SC2086
	"$1" $2 --help 2>/dev/null | sed -n 's/^  \(-.*\)/\1/p'
}

# The words so far that are neither options nor their values.
_tlsactl_operands()
{
	local word value=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $value$word in
		value*) value= ;;
		-c | -s | --config | --socket) value=value ;;
		-*) ;;
		*) printf '%s\n' "$word" ;;
		esac
	done
}

_tlsactl()
{
	local program=$1 current=$2 previous=$3 command='' choices rest
	local -a operands commands
	mapfile -t operands < <(_tlsactl_operands)
	mapfile -t commands < <(_tlsactl_commands "$program")
	for rest in "${commands[@]}"; do
		[[ " ${operands[*]} " == " $rest "* ]] && command=$rest
	done
	COMPREPLY=()
	case $previous in
	-c | -s | --config | --socket | --cert | --key)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--postfix)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	esac
	# An option with a choice: "--starttls smtp|none".
	if [[ $previous == --* ]]; then
		choices=$(_tlsactl_options "$program" "$command" |
			sed -n "s/.*$previous \([a-z]*|[a-z|]*\) .*/\1/p")
		if [[ -n $choices ]]; then
			mapfile -t COMPREPLY < <(compgen -W "${choices//|/ }" -- "$current")
			return
		fi
	fi
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_tlsactl_options "$program" "$command" |
			grep -o -- '--[a-z0-9-]*')" -- "$current")
	elif [[ -z $command ]]; then
		# The first word of a command, or the second after it.
		mapfile -t COMPREPLY < <(printf '%s\n' "${commands[@]}" |
			sed -n "s/^${operands[*]:+${operands[*]} }\([a-z-]*\).*/\1/p" |
			sort -u | grep -- "^$current")
	elif [[ $command == warm ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

complete -F _tlsactl tlsactl
