# tlsactl.bash - bash completion of tlsactl's commands and options
#
#   . contrib/tlsactl.bash
#   install -m 644 contrib/tlsactl.bash /usr/share/bash-completion/completions/tlsactl
#
# The commands and options come from "tlsactl --help" and "tlsactl COMMAND --help".

# Prints the commands, one per line; some have two words.
_tlsactl_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\)  .*/\1/p'
}

# $1: tlsactl, $2: the command, or empty. Prints the lines of its options.
_tlsactl_options()
{
	# A command of two words becomes two arguments.
	# shellcheck disable=SC2086
	"$1" $2 --help 2>/dev/null | sed -n 's/^  \(-.*\)/\1/p'
}

# Prints the words before the cursor that are neither options nor values of options.
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
	# An option with fixed values: "--starttls smtp|none".
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
		# Offer the first word of a command, or the second one.
		mapfile -t COMPREPLY < <(printf '%s\n' "${commands[@]}" |
			sed -n "s/^${operands[*]:+${operands[*]} }\([a-z-]*\).*/\1/p" |
			sort -u | grep -- "^$current")
	elif [[ $command == warm ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

complete -F _tlsactl tlsactl
