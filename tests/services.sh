# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # quickstart sets sudo and held
#
# A part of quickstart: installs servers that tests and comparisons use, and keeps them from starting
# by themselves.

# What their packages would start.
services='nginx xinetd prometheus'
policy=/usr/sbin/policy-rc.d

# Of the services, those that the machine does not have yet.
absent_services()
{
	for service in $services; do
		[ -e "/etc/init.d/$service" ] || printf '%s\n' "$service"
	done
}

# Nothing that is installed starts, until release_services; an administrator's own policy stays.
hold_services()
{
	if [ ! -e "$policy" ]; then
		held=yes
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
	fi
}

release_services()
{
	if [ -n "$held" ]; then
		$sudo rm -f "$policy"
		held=
	fi
}

# keep_stopped SERVICE...: those that are there now neither run nor start at the next boot.
keep_stopped()
{
	for service in "$@"; do
		if [ -e "/etc/init.d/$service" ]; then
			say "leaving the service $service off; it is here for tests"
			$sudo update-rc.d "$service" disable >>build/logs/services.log 2>&1 || :
			$sudo service "$service" stop >>build/logs/services.log 2>&1 || :
		fi
	done
}

install_quietly()
{
	absent=$(absent_services)
	hold_services
	install "$@"
	release_services
	# shellcheck disable=SC2086 # one word for each service
	keep_stopped $absent
}
